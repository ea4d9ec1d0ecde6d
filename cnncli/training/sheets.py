"""Pictures for people: the cells of a sheet of images, and the file that it is written to."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image
from torch import Tensor

from cnncli.diagnostics import CnncliError, Diagnostic, usage_error

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
