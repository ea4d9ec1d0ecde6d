"""How pictures are drawn: by matplotlib, which is imported here and nowhere else, and only to draw.

pyplot is not used: it keeps figures in a global list and chooses a backend by what a screen can show.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from cnncli.training.extras import need

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Form: TypeAlias = Literal["svg", "png"]
FORMS: Final[Mapping[str, Form]] = {"svg": "svg", "png": "png"}
"""The forms of pictures, by the suffixes of files."""

BLUE: Final = "#3b6fb6"
RED: Final = "#c8402f"
GRAY: Final = "#8a8a8a"
DARK: Final = "#444444"
COLORS: Final = (BLUE, RED, "#3f8f5b", "#8d5aa5", "#c98a1b", "#5a9aa8", "#a5566f", GRAY)
"""The colors of lines, in the order in which they are used."""

DPI: Final = 120
"""Pixels of a PNG for each inch of a figure."""

_STYLE: Final[Mapping[Any, Any]] = {
    "axes.edgecolor": GRAY,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": f"cycler('color', {COLORS})",
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "font.size": 9,
    "legend.frameon": False,
    "svg.fonttype": "path",  # looks the same wherever it is opened
    "svg.hashsalt": "cnncli",  # otherwise names within the file are random
    "text.parse_math": False,  # a dollar sign in the name of a class is one
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


class Page(NamedTuple):
    """A figure in inches from its left and upper edges."""

    figure: Figure
    width: float
    height: float

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Return axes without lines at a place."""
        place = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        made = self.figure.add_axes(place)
        made.set_axis_off()
        return made

    def text(
        self, left: float, top: float, text: str, *, size: float = 7, at: str = "left", **how: Any
    ) -> None:
        """Write a text with its upper edge at a place."""
        self.figure.text(
            left / self.width, 1 - top / self.height, text, fontsize=size, ha=at, va="top", **how
        )


def drawn(draw: Callable[[Figure], object], width: float, height: float, form: Form) -> bytes:
    """Return the content of a file with a figure; the same figure gives the same bytes.

    Settings of the user's own (``matplotlibrc``) have no effect, and letters that the font lacks are shown
    as boxes without a warning.

    Args:
        draw: draws into the figure.
        width: in inches; a PNG has :data:`DPI` pixels for each.
        height: in inches.
        form: "svg" or "png".

    Raises:
        UsageError: matplotlib is not installed.
    """
    need("matplotlib", purpose="drawing")
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    content = io.BytesIO()
    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        undated = {"Date": None} if form == "svg" else {"Software": None}
        figure.savefig(content, format=form, dpi=DPI, metadata=undated)
    return content.getvalue()
