"""Pictures for people: the cells of a sheet of images, and the file that it is written to."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnncli.training.new_files import check_new, write_new

GAP: Final = 4
"""Pixels between two cells."""

_SMALLEST: Final = 64
_LARGEST: Final = 256
"""Pixels of the longer side of an image in a sheet."""


def check_path(path: Path) -> None:
    """Check that a sheet may be written here.

    Raises:
        UsageError: it may not.
    """
    check_new(path, (".png",))


def cell(image: Tensor, largest: int = _LARGEST) -> Image.Image:
    """Return a picture of an image, enlarged if it is small.

    Args:
        image: float [channels, height, width] with values from 0 to 1 and 1 or 3 channels.
        largest: pixels of the longer side, at most.
    """
    values = image.mul(255).round().byte().expand(3, -1, -1).permute(1, 2, 0)
    made = Image.fromarray(np.ascontiguousarray(values.numpy()))
    times = max(1, _SMALLEST // max(made.size))
    made = made.resize((made.width * times, made.height * times), Image.Resampling.NEAREST)
    made.thumbnail((largest, largest))
    return made


def overlaid(images: Tensor, masks: Tensor) -> Tensor:
    """Return images [n, 3, height, width] half covered by the color of each pixel's class.

    Class k has color k of the PASCAL VOC challenge: black, maroon, green, olive, navy and so on. Pixels
    without a class remain as they are.

    Args:
        images: float [n, channels, height, width] with values from 0 to 1 and 1 or 3 channels.
        masks: int64 [n, height, width], below 0 without a class.
    """
    colors = torch.tensor(PALETTE).reshape(-1, 3)
    of_pixels = colors[masks.clamp(min=0)].movedim(-1, 1) / 255
    covered = (images + of_pixels) / 2
    return torch.where(masks.unsqueeze(1) >= 0, covered, images)


def color(number: int) -> tuple[int, int, int]:
    """Return red, green and blue: every third bit of the number, the lowest one as the highest of a byte."""
    red, green, blue = (
        sum((number >> (3 * place + channel) & 1) << (7 - place) for place in range(3))
        for channel in range(3)
    )
    return red, green, blue


PALETTE: Final = tuple(value for number in range(256) for value in color(number))
"""Red, green and blue of each of 256 classes, one after another."""


def write(sheet: Image.Image, path: Path) -> None:
    """Write a sheet to a file that does not exist yet.

    Raises:
        CnncliError: there is such a file by now, or it cannot be written.
    """
    content = io.BytesIO()
    sheet.save(content, "PNG")
    write_new(path, content.getvalue())
