"""Images with a map of numbers over each: the image, the map, and both together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from cnncli.training.pictures.canvas import (
    LINE,
    MARGIN,
    Canvas,
    Pixels,
    canvas,
    heading,
    heading_height,
    text_width,
)
from cnncli.training.pictures.drawing import GRAY, Form, drawn

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDE: Final = 1.9
_GAP: Final = 0.15
_BAR: Final = 0.1
"""Inches: of the longer side of an image, between two, of the width of a scale."""
_NUMBERS: Final = 0.5
_CLEAR: Final = 0.7
"""How much of the color of a map covers an image."""
_GRAYS: Final = (0.299, 0.587, 0.114)
"""What red, green and blue contribute to brightness (Rec. 601)."""


class Place(NamedTuple):
    """Where a map lies: rows and columns of the image, whose first pixel reaches from -0.5 to 0.5."""

    top: float
    bottom: float
    left: float
    right: float


class Heat(NamedTuple):
    """An image, a map [h, w] of values between ``low`` and ``high``, where it lies, and captions below."""

    pixels: Pixels
    values: np.ndarray[Any, Any]
    place: Place
    low: float
    high: float
    captions: tuple[str, str, str]


def heats(
    rows: Sequence[Heat],
    title: str,
    notes: Sequence[str],
    form: Form,
    *,
    colors: str = "magma",
    smooth: bool = False,
) -> bytes:
    """Return the content of a picture with a row for each image.

    Args:
        rows: from top to bottom.
        title: above them.
        notes: lines below the title.
        form: "png" or "svg".
        colors: the name of a scale of colors of matplotlib.
        smooth: whether values are interpolated between the positions of a map.

    Raises:
        UsageError: matplotlib is not installed.
    """
    needed = 2 * MARGIN + 3 * (_SIDE + _GAP) + _BAR + _NUMBERS
    width = max(needed, 2 * MARGIN + text_width([*notes]), 2 * MARGIN + text_width([title], 10))
    height = heading_height(notes) + sum(_size(row)[0] + 2.2 * LINE for row in rows) + MARGIN

    def draw(figure: Figure) -> None:
        page = canvas(figure, width, height)
        top = heading(page, title, notes)
        for row in rows:
            _draw(page, row, top, colors, smooth=smooth)
            top += _size(row)[0] + 2.2 * LINE

    return drawn(draw, width, height, form)


def _size(row: Heat) -> tuple[float, float]:
    tall, wide = row.pixels.shape[:2]
    return _SIDE * tall / max(tall, wide), _SIDE * wide / max(tall, wide)


def _draw(page: Canvas, row: Heat, top: float, colors: str, *, smooth: bool) -> None:
    tall, wide = _size(row)
    gray = np.repeat((row.pixels @ np.array(_GRAYS)).astype(np.uint8)[:, :, None], 3, 2)
    for place, caption in enumerate(row.captions):
        left = MARGIN + place * (_SIDE + _GAP) + (_SIDE - wide) / 2
        if place != 1:
            page.image(row.pixels if place == 0 else gray, left, top, wide, tall)
        if place:
            _map(page, row, (left, top, wide, tall), colors, smooth=smooth, is_over=place == 2)
        page.frame(left, top, wide, tall)
        page.text(left + wide / 2, top + tall + LINE / 3, caption, ha="center")
    left = MARGIN + 3 * (_SIDE + _GAP)
    page.image(np.linspace(1, 0, 128)[:, None], left, top, _BAR, tall, cmap=colors)
    page.frame(left, top, _BAR, tall)
    for at, value, anchor in ((top, row.high, "top"), (top + tall, row.low, "bottom")):
        page.text(left + _BAR + 0.05, at, f"{value:.3g}", size=6.5, va=anchor, color=GRAY)


def _map(
    page: Canvas,
    row: Heat,
    at: tuple[float, float, float, float],
    colors: str,
    *,
    smooth: bool,
    is_over: bool,
) -> None:
    """Draw a map where it lies in an image, and nothing of it outside.

    Over an image it is transparent; one whose lowest value is 0 is so most where nothing is.
    """
    left, top, wide, tall = at
    rows, columns = row.pixels.shape[:2]
    across, down = wide / columns, tall / rows
    shares = (row.values - row.low) / (row.high - row.low or 1.0)
    clear: Any = 1.0 if not is_over else _CLEAR if row.low else _CLEAR * np.sqrt(shares.clip(0, 1))
    made = page.image(
        shares,
        left + (row.place.left + 0.5) * across,
        top + (row.place.top + 0.5) * down,
        (row.place.right - row.place.left) * across,
        (row.place.bottom - row.place.top) * down,
        cmap=colors,
        vmin=0,
        vmax=1,
        alpha=clear,
        interpolation="bilinear" if smooth else "nearest",
    )
    made.set_clip_path(page.frame(left, top, wide, tall, linewidth=0))
