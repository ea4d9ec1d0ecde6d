"""Which classes are taken for which: a matrix with a row for each true class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from cnncli.diagnostics import shortened
from cnncli.recipe.metrics import VAL
from cnncli.results.training import HeadClasses
from cnncli.training.pictures.drawing import BLUE, GRAY, Form, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NUMBERED: Final = 20
"""The largest number of classes whose cells have numbers."""
_NAMED: Final = 120
"""The largest number of classes of which each has its name at the edge; of more classes some have."""
_CELL: Final = 0.42
_SMALLEST: Final = 0.1
_LARGEST: Final = 12.0
_LEAST: Final = 2.2
"""Inches: of a cell with a number and without one, of the side of a matrix."""
_MARGIN: Final = 1.4
_NAME: Final = 16
_SHORT: Final = 3
_DARK: Final = 0.5
"""The share of a row from which on the number of a cell is white."""


def confusion(heads: Mapping[str, HeadClasses], part: str, form: Form = "svg") -> bytes:
    """Return the content of a picture of the confusions of heads, one or more, below each other.

    The color of a cell is the square root of its share of the images, or pixels, of its true class.

    Args:
        heads: what was measured of them.
        part: the part of the data that was measured.
        form: "svg" or "png".

    Raises:
        UsageError: matplotlib is not installed.
    """
    sides = [_side(len(head.names)) for head in heads.values()]

    def draw(figure: Figure) -> None:
        rows = figure.subplots(len(heads), 1, squeeze=False, gridspec_kw={"height_ratios": sides})[:, 0]
        for axes, (name, head), side in zip(rows, heads.items(), sides, strict=True):
            what = f"{'validation' if part == VAL else part} {head.unit}"
            _draw(axes, head, side, f"{name}: {what}" if len(heads) > 1 else what)

    return drawn(draw, max(sides) + _MARGIN + 0.4, sum(sides) + len(sides) * _MARGIN, form)


def _side(classes: int) -> float:
    """Return the inches of the side of a matrix."""
    cell = _CELL if classes <= _NUMBERED else max(_SMALLEST, _CELL * _NUMBERED / classes)
    return min(_LARGEST, max(_LEAST, cell * classes))


def _draw(axes: Axes, head: HeadClasses, side: float, title: str) -> None:
    from matplotlib.colors import LinearSegmentedColormap, PowerNorm  # noqa: PLC0415

    table = np.array(head.confusion, dtype=np.float64)
    shares = table / np.maximum(table.sum(1, keepdims=True), 1)
    colors = LinearSegmentedColormap.from_list("shares", ["#ffffff", BLUE])
    # The square root lets a few images of many be seen.
    axes.imshow(shares, cmap=colors, norm=PowerNorm(0.5, 0, 1), interpolation="nearest", aspect="equal")
    axes.set_title(title)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    count = len(head.names)
    step = 1 if count <= _NAMED else -(-count // _NAMED)
    places = range(0, count, step)
    names = [shortened(head.names[place], _NAME) for place in places]
    size = min(8.0, 72 * 0.8 * side * step / count)
    turned = 90 if max(map(len, names)) > _SHORT else 0
    axes.set_xticks(places, names, rotation=turned, fontsize=size)
    axes.set_yticks(places, names, fontsize=size)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(GRAY)
    if count <= _NUMBERED:
        _number(axes, head.confusion, shares)


def _number(axes: Axes, table: Sequence[Sequence[int]], shares: np.ndarray[Any, Any]) -> None:
    """Write the counts into the cells, but not the zeros."""
    for true, row in enumerate(table):
        for predicted, number in enumerate(row):
            if number:
                color = "white" if shares[true, predicted] > _DARK else "black"
                text = f"{number:,}" if number < 100_000 else f"{number:.1e}"
                axes.text(predicted, true, text, ha="center", va="center", fontsize=7, color=color)
