"""Files that belong to the images of other files: masks, and pictures to compare an output with."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from cnncli.diagnostics import CnncliError, usage_error
from cnncli.results.training import Reading
from cnncli.training.data.catalog import Tools
from cnncli.training.data.dataset import IGNORED
from cnncli.training.data.recorded import Levels
from cnncli.training.data.resize import fitting, resize_images, resize_mask
from cnncli.training.data.room import Room, available_memory, ensure_memory
from cnncli.training.data.sources.decoding import decoded, decoding_memory, named, opened, scaled
from cnncli.training.data.sources.pictures import Done, Found, in_order
from cnncli.training.data.sources.remarks import Remarks

OUTSIDE: Final = 254
"""The value of pixels that a mask does not have: where its image is padded, and without a file."""

_TURNED: Final = range(5, 9)
_ORIENTATION: Final = 0x0112
_ONE_CHANNEL: Final = {"1", "L", "P", "I", "I;16", "I;16B", "I;16L"}
_FIRST_CHANNEL: Final = {"LA", "PA"}


class Maps(NamedTuple):
    """What was read: uint8 [N, ...], the problems, and for masks the values that each has, bool [N, 256]."""

    pixels: Tensor
    found: Found
    values: Tensor


class Frame(NamedTuple):
    """What pictures become: a ``shape``, (channels, height, width), by a rule; images get the ``size``."""

    shape: tuple[int, ...]
    size: tuple[int, ...]
    resize: str


class Place(NamedTuple):
    """A file that belongs to an image; None for an image without one."""

    path: Path | None
    image: Path


def read_masks(places: Sequence[Place], size: tuple[int, ...], resize: str, progress: Reading) -> Maps:
    """Read masks, and cut and resize each as its image; pixels beyond an image are :data:`OUTSIDE`.

    Args:
        places: the files, gray or with a palette; an image without one gets a mask of :data:`OUTSIDE`.
        size: the new height and width.
        resize: the rule for images.
        progress: called while files are read.

    Returns:
        uint8 [N, *size].
    """
    values = torch.zeros((len(places), IGNORED + 1), dtype=torch.bool)

    def convert(image: Image.Image, index: int) -> Tensor:
        mask = _class_numbers(image)
        _check_same_size(tuple(mask.shape), places[index].image)
        values[index, mask.unique().long()] = True
        return resize_mask(mask, size, resize, OUTSIDE)

    return _read(places, size, convert, progress)._replace(values=values)


def read_targets(places: Sequence[Place], frame: Frame, levels: Levels, progress: Reading) -> Maps:
    """Read pictures of the same aspect ratio as their images, which may be larger or smaller.

    Args:
        places: the files; every image has one.
        frame: what images and pictures become.
        levels: those of the images, for gray of 16 bits.
        progress: called while files are read.

    Returns:
        uint8 [N, *the shape of the frame].
    """

    def convert(image: Image.Image, index: int) -> Tensor:
        pixels = decoded(image).pixels
        pixels = pixels if pixels.dtype == torch.uint8 else scaled(pixels, levels)
        _check_alike(tuple(pixels.shape[1:]), places[index].image, frame)
        return resize_images(pixels.unsqueeze(0), frame.shape, frame.resize)[0]

    return _read(places, frame.shape, convert, progress)


def stored_mask(place: Place, tools: Tools) -> Tensor | None:
    """Return the mask of an image as it is stored, uint8 [height, width]; None without one.

    Raises:
        UsageError: it cannot be read, has no class numbers, or has another size than its image.
    """
    if place.path is None:
        return None
    with (
        named(place.path),
        opened(place.path) as image,
        tools.room.reserved(decoding_memory(image), f"decoding {image.width} x {image.height} pixels"),
        tools.remarks.of_libtiff(image),
    ):
        mask = _class_numbers(image)
        _check_same_size(tuple(mask.shape), place.image)
        return mask


def _read(
    places: Sequence[Place],
    shape: tuple[int, ...],
    convert: Callable[[Image.Image, int], Tensor],
    progress: Reading,
) -> Maps:
    """Read all files with several threads."""
    ensure_memory(len(places) * math.prod(shape), f"{len(places)} targets")
    pixels = torch.full((len(places), *shape), OUTSIDE, dtype=torch.uint8)
    remarks, room = Remarks(), Room(available_memory())
    found = Found([place.path or place.image for place in places])

    def read_one(index: int) -> Done | CnncliError:
        path = places[index].path
        if path is None:
            return Done((), ())
        try:
            with (
                remarks.of_this_thread() as heard,
                named(path),
                opened(path) as image,
                room.reserved(decoding_memory(image), f"decoding {image.width} x {image.height} pixels"),
                remarks.of_libtiff(image),
            ):
                pixels[index] = convert(image, index)
        except CnncliError as error:
            return error
        return Done((), tuple(heard))

    with remarks.kept(), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        for index, done in enumerate(in_order(pool, read_one, len(places))):
            found.note(index, done)
            if progress is not None:
                progress(index + 1, len(places))
    return Maps(pixels, found, torch.zeros(0))


def _class_numbers(image: Image.Image) -> Tensor:
    """Return the pixels of an opened mask, uint8 [height, width]: of a palette the indices, not the colors.

    Raises:
        UsageError: they are not the numbers of classes.
    """
    if image.format == "JPEG":
        raise usage_error(
            "a mask in JPEG, which changes values",
            expected="gray or palette, without loss",
            hint="save masks as PNG; those that were JPEG have wrong classes along edges",
        )
    if image.mode not in _ONE_CHANNEL | _FIRST_CHANNEL:
        raise usage_error(
            f"a mask in color ({image.mode})",
            expected="gray or palette: a class number for each pixel",
            received=image.mode,
            hint="replace each color by the number of its class, and save that as a gray PNG",
        )
    image.load()
    ImageOps.exif_transpose(image, in_place=True)
    values: np.ndarray[Any, np.dtype[Any]] = np.array(image)
    values = values[..., 0] if image.mode in _FIRST_CHANNEL else values
    high = int(values.max())
    if high > IGNORED or (values == OUTSIDE).any():
        raise usage_error(
            f"a mask with the value {max(high, OUTSIDE) if high > IGNORED else OUTSIDE}",
            expected=f"classes from 0 to {OUTSIDE - 1}, or {IGNORED} for pixels that are left out",
        )
    return torch.from_numpy(values.astype(np.uint8))


def size_of(path: Path) -> tuple[int, int]:
    """Return height and width of an image file, turned as EXIF says, without decoding it.

    Raises:
        UnreadableError: it cannot be read.
    """
    with named(path), opened(path) as image:
        turned = image.getexif().get(_ORIENTATION, 1) in _TURNED
        return image.size if turned else (image.height, image.width)


def _check_same_size(received: tuple[int, ...], image: Path) -> None:
    expected = size_of(image)
    if received != expected:
        raise usage_error(
            f"a mask of {received[0]}x{received[1]}, but its image has {expected[0]}x{expected[1]} pixels",
            expected="one value for each pixel of the image",
        )


def _check_alike(received: tuple[int, ...], image: Path, frame: Frame) -> None:
    """Check that a picture is cut, or padded, as its image is: to a pixel it has the same aspect ratio."""
    height, width = size_of(image)
    pixels = f"a target of {received[0]}x{received[1]}, but its image has {height}x{width} pixels"
    if abs(received[0] * width - received[1] * height) > max(height, width):
        expected = "the same aspect ratio, so that both are cut and resized alike"
        raise usage_error(pixels, expected=expected)
    if frame.resize != "pad":
        return
    ours, theirs = fitting(received, frame.shape[1:]), fitting((height, width), frame.size)
    shares = zip(ours, frame.shape[1:], theirs, frame.size, strict=True)
    if any(abs(a * size - b * shape) > max(size, shape) for a, shape, b, size in shares):
        expected = f"{frame.shape[1]} / {frame.size[0]} times its image, since nothing is enlarged by pad"
        raise usage_error(pixels, expected=expected, hint="train.data.resize=crop resizes both alike")
