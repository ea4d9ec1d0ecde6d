"""A contact sheet: some images of each class, with the names of the classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple
from unicodedata import combining, normalize

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from cnncli.diagnostics import counted, shortened, usage_error
from cnncli.layers import shape_text
from cnncli.limits import MAX_SHEET_CLASSES
from cnncli.results.survey import Sheet
from cnncli.training.data.catalog import Catalog, Tools
from cnncli.training.sheets import GAP, cell, write

_ACROSS: Final = 8
"""Images of each class."""

_LARGEST: Final = 96
"""Pixels of the longer side of an image."""

_NAME: Final = 30
"""Characters of the name of a class."""


class Row(NamedTuple):
    """A class, and the images that there are of it, by their numbers in the catalog: at least one."""

    name: str
    images: Sequence[int]


def write_sheet(
    found: Catalog, rows: Sequence[Row], tools: Tools, shaded: Callable[[Tensor], Tensor], path: Path
) -> Sheet:
    """Write a picture with a row for each of the first classes: its name, and images at even distances.

    Args:
        found: where the images are read from.
        rows: one class or more.
        tools: what reads the images.
        shaded: returns the values of an image as floats from 0 to 1.
        path: a file that does not exist yet.

    Raises:
        CnncliError: images are not pictures in gray or color, or the file cannot be written.
    """
    rows = rows[:MAX_SHEET_CLASSES]
    texts = [f"{shortened(row.name, _NAME)}\n{counted(len(row.images), 'image')}" for row in rows]
    cells = [[_cell(found, index, tools, shaded) for index in _spread(row.images)] for row in rows]
    write(_drawn(texts, cells), path)
    return Sheet(path, sum(map(len, cells)), len(rows))


def _spread(images: Sequence[int]) -> list[int]:
    """Return at most :data:`_ACROSS` of the images, at even distances, the first and the last among them."""
    if len(images) <= _ACROSS:
        return list(images)
    return [images[(len(images) - 1) * place // (_ACROSS - 1)] for place in range(_ACROSS)]


def _cell(found: Catalog, index: int, tools: Tools, shaded: Callable[[Tensor], Tensor]) -> Image.Image:
    with tools.remarks.of_this_thread(), found.opened(index, tools) as picture:
        pixels = picture.pixels
        if pixels.ndim != 3 or len(pixels) not in (1, 3):
            expected = "1 or 3 channels, height and width"
            received = shape_text(tuple(pixels.shape))
            raise usage_error("these images cannot be shown", expected=expected, received=received)
        return cell(shaded(pixels), _LARGEST)


def _drawn(texts: Sequence[str], cells: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Return rows of pictures, each with its text at the left."""
    font, texts = ImageFont.load_default(), [*map(_drawable, texts)]
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left = max(round(measure.multiline_textbbox((0, 0), text, font)[2]) for text in texts) + 2 * GAP
    heights = [max(each.height for each in row) + GAP for row in cells]
    widths = [sum(each.width + GAP for each in row) for row in cells]
    sheet = Image.new("RGB", (left + max(widths), sum(heights) + GAP), "white")
    draw, top = ImageDraw.Draw(sheet), GAP
    for text, row, height in zip(texts, cells, heights, strict=True):
        draw.multiline_text((GAP, top), text, "black", font)
        place = left
        for each in row:
            sheet.paste(each, (place, top))
            place += each.width + GAP
        top += height
    return sheet


def _drawable(text: str) -> str:
    """Return a text in the letters that Pillow's font has: no accents, and a question mark for any other.

    >>> _drawable("Öl für 日本")
    'Ol fur ??'
    """
    plain = "".join(letter for letter in normalize("NFKD", text) if not combining(letter))
    return plain.encode("ascii", "replace").decode()
