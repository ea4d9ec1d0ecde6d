"""Pictures for people: the cells of a sheet of images, and the file that it is written to."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cnncli.diagnostics import CnncliError, Diagnostic, usage_error

GAP: Final = 4
"""Pixels between two cells."""

_SMALLEST: Final = 64
_LARGEST: Final = 256
"""Pixels of the longer side of an image in a sheet."""

_COLORS: Final = 256


def check_path(path: Path) -> None:
    """Check that a sheet may be written here.

    Raises:
        UsageError: it may not.
    """
    if path.suffix.lower() != ".png":
        raise usage_error(f"{path} does not end in .png", expected="the name of a PNG file, such as out.png")
    if path.exists() or path.is_symlink():
        raise _exists(path)


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
    colors = torch.tensor([_color(number) for number in range(_COLORS)])
    of_pixels = colors[masks.clamp(min=0)].movedim(-1, 1) / 255
    covered = (images + of_pixels) / 2
    return torch.where(masks.unsqueeze(1) >= 0, covered, images)


def _color(number: int) -> tuple[int, int, int]:
    """Return red, green and blue: every third bit of the number, the lowest one as the highest of a byte."""
    red, green, blue = (
        sum((number >> (3 * place + channel) & 1) << (7 - place) for place in range(3))
        for channel in range(3)
    )
    return red, green, blue


def write(sheet: Image.Image, path: Path) -> None:
    """Write a sheet to a file that does not exist yet.

    Raises:
        CnncliError: there is such a file by now, or it cannot be written.
    """
    try:
        with path.open("xb") as file:
            sheet.save(file, "PNG")
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        fault = Diagnostic("unwritable", f"cannot write {path}: {error.strerror or error}")
        raise CnncliError(fault) from error


def _exists(path: Path) -> CnncliError:
    hint = "give another name, or remove it first"
    return usage_error(f"{path} exists", expected="the name of a file that does not exist yet", hint=hint)
