"""A page of tiles: images in rows, with texts beside and below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from cnncli.training.pictures.drawing import GRAY, Form, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Pixels: TypeAlias = np.ndarray[Any, Any]
"""A picture, uint8 [height, width, 3]."""

MARGIN: Final = 0.2
LINE: Final = 0.14
"""Inches: at the edges, and of a line of text."""
_TITLE: Final = 0.3
_POINT: Final = 1 / 72
_LETTER: Final = 0.075
"""Inches of a letter of a label, about."""


class Tile(NamedTuple):
    """A picture and the lines below it; a ``bold`` line is the first one."""

    pixels: Pixels
    caption: tuple[str, ...] = ()
    bold: bool = False


class Row(NamedTuple):
    """Tiles side by side, with lines of text at their left."""

    label: tuple[str, ...]
    tiles: tuple[Tile, ...]


class Canvas(NamedTuple):
    """A page in inches from its left and upper edges."""

    axes: Axes
    width: float
    height: float

    def image(self, pixels: Pixels, left: float, top: float, width: float, height: float, **how: Any) -> Any:
        """Draw an image at a place, and return it."""
        extent = (left, left + width, top + height, top)
        how = {"interpolation": "nearest", **how}
        made = self.axes.imshow(pixels, extent=extent, aspect="auto", **how)
        self.axes.set_xlim(0, self.width)
        self.axes.set_ylim(self.height, 0)
        return made

    def frame(self, left: float, top: float, width: float, height: float, **how: Any) -> Any:
        """Draw a thin rectangle, and return it."""
        from matplotlib.patches import Rectangle  # noqa: PLC0415

        style = {"fill": False, "edgecolor": GRAY, "linewidth": 0.5, **how}
        return self.axes.add_patch(Rectangle((left, top), width, height, **style))

    def text(self, left: float, top: float, text: str, *, size: float = 7, **how: Any) -> None:
        """Write a text whose upper left corner, or another one, is at a place."""
        self.axes.text(left, top, text, fontsize=size, **{"va": "top", "ha": "left", **how})


def canvas(figure: Figure, width: float, height: float) -> Canvas:
    """Return the page of a figure of these inches."""
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    return Canvas(axes, width, height)


def heading(page: Canvas, title: str, notes: Sequence[str]) -> float:
    """Write a title and lines below it; return where the next thing begins."""
    page.text(MARGIN, MARGIN, title, size=10)
    top = MARGIN + _TITLE
    for note in notes:
        page.text(MARGIN, top, note, color=GRAY)
        top += LINE
    return top + LINE / 2


def heading_height(notes: Sequence[str]) -> float:
    """Return the inches of a title with lines below it, and of the edge above."""
    return MARGIN + _TITLE + LINE * len(notes) + LINE / 2


def text_width(texts: Sequence[str], size: float = 7) -> float:
    """Return the inches of the longest of some texts, about."""
    return max(map(len, texts), default=0) * _LETTER * size / 7 * 0.9


def gallery(
    rows: Sequence[Row],
    title: str,
    notes: Sequence[str] = (),
    form: Form = "png",
    *,
    side: float = 0.9,
    gap: float = 0.08,
    apart: float = 0.0,
) -> bytes:
    """Return the content of a picture of rows of tiles.

    Args:
        rows: from top to bottom.
        title: above them.
        notes: lines below the title.
        form: "png" or "svg".
        side: inches of the longer side of a tile.
        gap: inches between tiles.
        apart: further inches between the first tile of a row and the next.

    Raises:
        UsageError: matplotlib is not installed.
    """
    beside = text_width([line for row in rows for line in row.label])
    left = MARGIN + (beside + 0.12 if beside else 0)
    across = max(len(row.tiles) for row in rows)
    needed = left + across * (side + gap) - gap + (apart if across > 1 else 0) + MARGIN
    width = max(needed, 2 * MARGIN + text_width([*notes]), 2 * MARGIN + text_width([title], 10))
    below = [max((len(tile.caption) for tile in row.tiles), default=0) * LINE for row in rows]
    heights = [max(_sizes(row, side))[0] + lines + 1.5 * gap for row, lines in zip(rows, below, strict=True)]
    height = heading_height(notes) + sum(heights) + MARGIN

    def draw(figure: Figure) -> None:
        page = canvas(figure, width, height)
        top = heading(page, title, notes)
        for row, tall in zip(rows, heights, strict=True):
            _row(page, row, left, top, side, gap, apart)
            top += tall

    return drawn(draw, width, height, form)


def _sizes(row: Row, side: float) -> Iterator[tuple[float, float]]:
    for tile in row.tiles:
        tall, wide = tile.pixels.shape[:2]
        yield side * tall / max(tall, wide), side * wide / max(tall, wide)


def _row(page: Canvas, row: Row, left: float, top: float, side: float, gap: float, apart: float) -> None:
    tallest = max(tall for tall, _ in _sizes(row, side))
    middle = top + tallest / 2 - LINE * len(row.label) / 2
    for number, line in enumerate(row.label):
        color = "black" if number == 0 else GRAY
        page.text(left - 0.12, middle + number * LINE, line, ha="right", color=color)
    for number, (tile, (tall, wide)) in enumerate(zip(row.tiles, _sizes(row, side), strict=True)):
        at = left + number * (side + gap) + (apart if number else 0) + (side - wide) / 2
        page.image(tile.pixels, at, top, wide, tall)
        page.frame(at, top, wide, tall)
        for place, line in enumerate(tile.caption):
            weight = "bold" if tile.bold and place == 0 else "normal"
            color = "black" if place == 0 else GRAY
            here = top + tall + 3 * _POINT + place * LINE
            page.text(at + wide / 2, here, line, size=6.5, ha="center", weight=weight, color=color)
