"""Decoding image files into one tensor of bytes, several at a time; notes count each kind of conversion."""

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
from cnncli.layers import shape_text
from cnncli.limits import MAX_FILES_NAMED
from cnncli.training.data.resize import conform, resize_images, resize_notes
from cnncli.training.data.room import ensure_memory

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")

_GRAY = {"1", "L", "LA", "La"}
_COLOR = {"RGB", "RGBA", "RGBa", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV", "LAB"}
_TRANSPARENT = {"LA", "La", "PA", "RGBA", "RGBa"}
_ORIENTATION = 0x0112  # the EXIF tag for the rotation of a photograph
_AHEAD = 256  # images decoded before those in front of them are stored


class _Picture(NamedTuple):
    """The pixels of a file, uint8 [C, H, W] with C 1 or 3, and how they were converted."""

    pixels: Tensor
    changes: tuple[str, ...]


class Pictures(NamedTuple):
    """Files to read as images of one ``shape``: (channels, height, width)."""

    paths: tuple[Path, ...]
    shape: tuple[int, int, int]
    flat: bool
    resize: str

    @classmethod
    def prepare(cls, paths: tuple[Path, ...], input_shape: tuple[int, ...], resize: str) -> Pictures:
        """Determine the shape before all images are decoded, and check that they fit into memory.

        For a spec whose input is a vector, all images must have the size of the first one.

        Raises:
            UsageError: the spec's input is not an image, or the images do not fit into memory.
        """
        if len(input_shape) == 3:
            shape = (input_shape[0], input_shape[1], input_shape[2])
        elif len(input_shape) == 1:
            shape = _shape_for_vector(paths[0], input_shape[0])
        else:
            raise usage_error(
                f"images do not match the spec's input {shape_text(input_shape)}",
                expected="an input of channels, height and width",
                received=shape_text(input_shape),
                hint="signals and volumes are read from npz:FILE",
            )
        ensure_memory(len(paths) * math.prod(shape), f"{len(paths)} images of {shape_text(shape)}")
        return cls(paths, shape, len(input_shape) == 1, resize)

    def read(self, progress: Callable[[int, int], None] | None) -> tuple[Tensor, tuple[str, ...]]:
        """Return all images as uint8 [N, *the spec's input], and notes.

        Raises:
            UsageError: with one diagnostic for each file that cannot be read or converted.
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
            flattened, note = conform(images, (math.prod(self.shape),), self.resize)
            return flattened, (*notes, *note)
        return images, notes

    def _one(self, path: Path) -> _Picture | CnncliError:
        """Return the image of a file, converted; or an error, to be reported together with others."""
        try:
            picture = _decode(path)
            received = tuple(picture.pixels.shape)
            if self.flat and received[1:] != self.shape[1:]:
                ours, first = shape_text(received[1:]), shape_text(self.shape[1:])
                raise usage_error(
                    f"has {ours} pixels, but the first image has {first}",
                    hint="a spec whose input is a vector needs images of one size",
                )
            pixels = resize_images(picture.pixels.unsqueeze(0), self.shape, self.resize)[0]
        except CnncliError as error:
            return UsageError(
                found._replace(message=f"{path}: {found.message}") for found in error.diagnostics
            )
        # Sizes may differ from file to file, so the notes do not name the original size.
        done = resize_notes("", received, self.shape, self.resize)
        return _Picture(pixels, (*picture.changes, *(note.strip() for note in done)))


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[Path], _Picture | CnncliError], paths: tuple[Path, ...]
) -> Iterator[_Picture | CnncliError]:
    """Yield as ``map`` does, but decode only a limited number of images ahead."""
    for start in range(0, len(paths), _AHEAD):
        yield from pool.map(work, paths[start : start + _AHEAD])


def _decode(path: Path) -> _Picture:
    try:
        with Image.open(path) as opened:
            opened.load()
            return _pixels(opened)
    except UnidentifiedImageError as error:
        raise usage_error("not an image that can be read") from error
    except Image.DecompressionBombError as error:
        raise usage_error(f"too large: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        if isinstance(error, CnncliError):
            raise
        raise usage_error(f"cannot be read: {error}") from error


def _pixels(image: Image.Image) -> _Picture:
    changes = []
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
        changes.append("rotated according to EXIF")
    if getattr(image, "n_frames", 1) > 1:
        changes.append("with several frames, of which the first was used")
    if image.mode in _TRANSPARENT or "transparency" in image.info:
        changes.append("with transparency, which was removed")
    if image.mode.startswith("I;16"):
        changes.append("of 16 bits, rounded to 8")
        values = np.asarray(image).astype(np.uint32)
        array = ((values + 128) // 257).astype(np.uint8)
    elif image.mode in _GRAY:
        array = np.array(image.convert("L"))
    elif image.mode in _COLOR:
        # Through RGBA, because Pillow warns when a palette's transparency is lost directly.
        array = np.array((image.convert("RGBA") if "transparency" in image.info else image).convert("RGB"))
    else:
        raise usage_error(f"pixels of mode {image.mode}", expected="gray or color of 8 or 16 bits")
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
            received=shape_text((channels, height, width)),
            hint="give the spec an image as its input: then images are resized",
        )
    return channels, height, width


def _cut(faults: list[Diagnostic]) -> list[Diagnostic]:
    if len(faults) <= MAX_FILES_NAMED:
        return faults
    more = Diagnostic("usage", f"and {len(faults) - MAX_FILES_NAMED} more files")
    return [*faults[:MAX_FILES_NAMED], more]


def _notes(changes: Counter[str], total: int) -> tuple[str, ...]:
    """Return a line for each kind of conversion with the number of images, the most frequent first."""
    return tuple(
        f"{'all' if count == total else count} images {change}" if count != 1 else f"1 image {change}"
        for change, count in changes.most_common()
    )
