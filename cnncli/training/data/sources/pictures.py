"""Decoding image files into one tensor of bytes, several at a time, with every change counted."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from cnncli.diagnostics import CnncliError, Diagnostic, UsageError, usage_error
from cnncli.training.data.resize import conform, fit_images, fit_notes, text
from cnncli.training.data.room import ensure_memory

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")

_GRAY = {"1", "L", "LA", "La"}
_COLOR = {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV", "LAB"}
_TRANSPARENT = {"LA", "La", "PA", "RGBA", "RGBa"}
_ORIENTATION = 0x0112  # the EXIF tag that says which way up a photograph is
_MOST_FAULTS = 20
_AHEAD = 256  # pictures decoded before the ones in front of them are stored


class _Picture(NamedTuple):
    """One file's pixels, uint8 [C, H, W] with C 1 or 3, and what was done to get them."""

    pixels: Tensor
    changes: tuple[str, ...]


class Pictures(NamedTuple):
    """Files that all become images of one ``shape``: (channels, height, width)."""

    paths: tuple[Path, ...]
    shape: tuple[int, int, int]
    flat: bool
    fit: str

    @classmethod
    def prepare(cls, paths: tuple[Path, ...], input_shape: tuple[int, ...], fit: str) -> Pictures:
        """Settle the shape before anything is decoded, and refuse what would not fit into memory.

        For a spec whose input is a vector, the first picture's size is what all must have.

        Raises:
            UsageError: for a spec whose input is no image, or too many pictures for the memory.
        """
        if len(input_shape) == 3:
            shape = (input_shape[0], input_shape[1], input_shape[2])
        elif len(input_shape) == 1:
            shape = _shape_for_vector(paths[0], input_shape[0])
        else:
            raise usage_error(
                f"pictures do not suit the spec's input {text(input_shape)}",
                expected="an input of channels, height and width",
                received=text(input_shape),
                hint="signals and volumes are read from npz:FILE",
            )
        ensure_memory(len(paths) * math.prod(shape), f"{len(paths)} images of {text(shape)}")
        return cls(paths, shape, len(input_shape) == 1, fit)

    def read(self, progress: Callable[[int, int], None] | None) -> tuple[Tensor, tuple[str, ...]]:
        """All pictures as uint8 [N, *the spec's input], and notes.

        Raises:
            UsageError: with one diagnostic for each file that cannot be read or fitted.
        """
        images = torch.empty((len(self.paths), *self.shape), dtype=torch.uint8)
        faults: list[Diagnostic] = []
        changes: Counter[str] = Counter()
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for index, picture in enumerate(_in_order(pool, self._one, self.paths)):
                if isinstance(picture, CnncliError):
                    faults += picture.diagnostics
                else:
                    images[index] = picture.pixels
                    changes.update(picture.changes)
                if progress is not None:
                    progress(index + 1, len(self.paths))
        if faults:
            raise UsageError(_cut(faults))
        notes = _notes(changes, len(self.paths))
        if self.flat:
            flattened, note = conform(images, (math.prod(self.shape),), self.fit)
            return flattened, (*notes, *note)
        return images, notes

    def _one(self, path: Path) -> _Picture | CnncliError:
        """One file, fitted; or what is wrong with it, to be told together with the others."""
        try:
            picture = _decode(path)
            received = tuple(picture.pixels.shape)
            if self.flat and received[1:] != self.shape[1:]:
                raise usage_error(
                    f"it is {text(received[1:])}, the first image {text(self.shape[1:])}",
                    hint="a spec with a vector as its input needs images of one size",
                )
            pixels = fit_images(picture.pixels.unsqueeze(0), self.shape, self.fit)[0]
        except CnncliError as error:
            return UsageError(
                found._replace(message=f"{path}: {found.message}") for found in error.diagnostics
            )
        # Sizes may differ from file to file, so notes name what was done, not what it was done to.
        done = fit_notes("", received, self.shape, self.fit)
        return _Picture(pixels, (*picture.changes, *(note.strip() for note in done)))


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[Path], _Picture | CnncliError], paths: tuple[Path, ...]
) -> Iterator[_Picture | CnncliError]:
    """``map``, but only so far ahead that what is decoded and not yet stored stays small."""
    for start in range(0, len(paths), _AHEAD):
        yield from pool.map(work, paths[start : start + _AHEAD])


def _decode(path: Path) -> _Picture:
    try:
        with Image.open(path) as opened:
            opened.load()
            return _pixels(opened)
    except UnidentifiedImageError as error:
        raise usage_error("it is not an image that can be read") from error
    except Image.DecompressionBombError as error:
        raise usage_error(f"it is too large: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        if isinstance(error, CnncliError):
            raise
        raise usage_error(f"it cannot be read: {error}") from error


def _pixels(image: Image.Image) -> _Picture:
    changes = []
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
        changes.append("turned upright as their EXIF orientation says")
    if getattr(image, "n_frames", 1) > 1:
        changes.append("of several frames, of which the first was taken")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        changes.append("with transparency, which was dropped")
    if image.mode.startswith("I;16"):
        changes.append("of 16 bits, rounded to 8")
        values = np.asarray(image).astype(np.uint32)
        array = ((values + 128) // 257).astype(np.uint8)
    elif image.mode in _GRAY:
        array = np.array(image.convert("L"))
    elif image.mode in _COLOR:
        # By way of RGBA, because pillow warns where a palette's transparency would be lost at once.
        array = np.array((image.convert("RGBA") if "transparency" in image.info else image).convert("RGB"))
    else:
        raise usage_error(f"its pixels are of mode {image.mode}", expected="gray or color of 8 or 16 bits")
    pixels = torch.from_numpy(array)
    return _Picture(pixels.unsqueeze(0) if pixels.ndim == 2 else pixels.movedim(-1, 0), tuple(changes))


def _shape_for_vector(first: Path, features: int) -> tuple[int, int, int]:
    try:
        channels, height, width = _decode(first).pixels.shape
    except CnncliError as error:
        raise UsageError(
            found._replace(message=f"{first}: {found.message}") for found in error.diagnostics
        ) from error
    if channels * height * width != features:
        raise usage_error(
            f"{first} has {channels * height * width} values, but the spec's input is a vector of {features}",
            expected=f"{features} values",
            received=text((channels, height, width)),
            hint="give the spec an image as its input: then pictures are fitted to its size",
        )
    return channels, height, width


def _cut(faults: list[Diagnostic]) -> list[Diagnostic]:
    if len(faults) <= _MOST_FAULTS:
        return faults
    more = Diagnostic("usage", f"and {len(faults) - _MOST_FAULTS} more files")
    return [*faults[:_MOST_FAULTS], more]


def _notes(changes: Counter[str], total: int) -> tuple[str, ...]:
    """One line for each change with the number of images that it touched, the most frequent first."""
    return tuple(
        f"{'all' if count == total else count} images {change}" if count != 1 else f"1 image {change}"
        for change, count in changes.most_common()
    )
