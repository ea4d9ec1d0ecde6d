"""A picture of what the hidden units of a first layer look for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from PIL import Image
from torch import Tensor

from cnncli.training.sheets import GAP, cell, write

_SHOWN: Final = 100
"""The units in a picture, at most."""

_SIDE: Final = 56
"""Pixels of the longer side of a unit's weights."""


def draw_filters(weights: Tensor, shape: tuple[int, ...], path: Path) -> bool:
    """Write the weights of the first hidden units as a grid of pictures; return whether they are pictures.

    Gray is 0, white the largest weight of a unit by its absolute value, black its negative.

    Args:
        weights: float32 [hidden, values], on the CPU.
        shape: that of an image: [channels, height, width] with 1 or 3 channels for pictures.
        path: a file that does not exist yet.
    """
    if len(shape) != 3 or shape[0] not in (1, 3):
        return False
    shown = weights[:_SHOWN].reshape(-1, *shape)
    largest = shown.flatten(1).abs().amax(1).clamp(min=1e-30).reshape(-1, 1, 1, 1)
    cells = [cell(each, _SIDE) for each in shown / (2 * largest) + 0.5]
    across = math.isqrt(len(cells) - 1) + 1
    width, height = (size + GAP for size in cells[0].size)
    sheet = Image.new("RGB", (across * width + GAP, math.ceil(len(cells) / across) * height + GAP), "white")
    for number, each in enumerate(cells):
        sheet.paste(each, (GAP + number % across * width, GAP + number // across * height))
    write(sheet, path)
    return True
