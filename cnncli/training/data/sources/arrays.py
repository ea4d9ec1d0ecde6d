"""Arrays of numbers as images of bytes, in any common layout, and as labels."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnncli.diagnostics import UsageError, usage_error
from cnncli.layers import shape_text
from cnncli.training.data.room import ensure_memory
from cnncli.training.data.space import Space

Array: TypeAlias = NDArray[Any]

LAYOUTS: Final = ("channels first", "channels last")
_CHUNK_VALUES: Final = 1 << 24
LARGEST: Final = 255


def as_bytes(array: Array, where: str, space: Space) -> tuple[Tensor, list[str]]:
    """Return the images as bytes, and a note if they were not integers.

    Raises:
        UsageError: their values cannot become bytes.
    """
    check_values(array, where)
    if array.dtype == np.uint8:
        if not array.flags.c_contiguous:
            ensure_memory(array.size, f"{where} in another order")
        return torch.from_numpy(np.ascontiguousarray(array)), []
    floating = array.dtype.kind == "f"
    space.check(array.size, f"{where} as bytes", 2 * 8 * max(_CHUNK_VALUES, array[0].size))
    note = [f"float images from 0 to 1 rounded to bytes ({array.dtype})"] if floating else []
    return _rounded(array, LARGEST if floating else 1, space), note


def check_values(array: Array, where: str) -> None:
    """Check that values are bytes, integers from 0 to 255 or floats from 0 to 1.

    Raises:
        UsageError: they are not.
    """
    if array.ndim < 2:
        raise usage_error(f"{where} has no images", expected="at least 2 axes", received=f"{array.ndim}")
    if array.size == 0:
        raise usage_error(
            f"{where} is empty", expected="at least one image", received=shape_text(array.shape)
        )
    if array.dtype.kind not in "iuf":
        raise usage_error(
            f"{where} has values of type {array.dtype}",
            expected="unsigned bytes, integers from 0 to 255 or floats from 0 to 1",
            received=str(array.dtype),
        )
    floating = array.dtype.kind == "f"
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise _not_finite(array, where)
    if low < 0 or high > (1 if floating else LARGEST):
        raise usage_error(
            f"{where} has {array.dtype} values from {low} to {high}",
            expected="floats from 0 to 1" if floating else "integers from 0 to 255",
            received=f"{low} to {high}",
            hint=_range_hint(float(low), float(high), floating=floating),
        )


def _not_finite(array: Array, where: str) -> UsageError:
    """Return the error about values that are not numbers, or are infinite: how many images have them."""
    images = [number for number, image in enumerate(array) if not np.isfinite(image).all()]
    which = (
        f"image {images[0]}" if len(images) == 1 else f"{len(images)} images, the first of them {images[0]}"
    )
    return usage_error(
        f"{where} has values that are not finite numbers, in {which}",
        expected="floats from 0 to 1",
        received="NaN or infinity",
        hint="leave these images out, or find out where the values come from (a division by 0?)",
    )


def _range_hint(low: float, high: float, *, floating: bool) -> str:
    """Return what to do with values of another range. A conversion to uint8 alone would wrap them."""
    if floating and low < 0:
        undo = "(x + 1) / 2" if low >= -1 and high <= 1 else "x * deviation + mean"
        return f"the images seem to be normalized: save them as they were before, or undo it with {undo}"
    if floating:
        return f"divide by {'255' if high <= 255 else 'the largest value that a pixel can have'}"
    if low < 0:
        return "save gray or color as it is stored in images: integers from 0 to 255"
    largest = next(most for bits in (10, 12, 14, 16, 32, 64) if high <= (most := 2**bits - 1))
    return f"scale them first, since uint8 alone would wrap: (x * (255 / {largest})).round().astype('uint8')"


def _rounded(array: Array, scale: int, space: Space) -> Tensor:
    """Return the nearest byte to each value times ``scale``, computed in chunks to save memory."""
    result = space.empty(array.shape).numpy()
    step = max(1, _CHUNK_VALUES // (array.size // len(array)))
    for start in range(0, len(array), step):
        chunk = array[start : start + step].astype(np.float64)
        result[start : start + step] = np.rint(chunk * scale)
    return torch.from_numpy(result)


def channels_first(
    images: Tensor, shape: tuple[int, ...], layout: str | None, where: str, space: Space
) -> Tensor:
    """Return ``images`` as [N, channels, *spatial]; the spec's input ``shape`` identifies the axes.

    Raises:
        UsageError: the axes cannot be those of such images, or could be in two orders.
    """
    received = tuple(images.shape[1:])
    if len(shape) == 1:
        return images
    if len(received) == len(shape) - 1:
        return images.unsqueeze(1)
    if len(received) != len(shape):
        raise usage_error(
            f"{where} has the shape {shape_text(tuple(images.shape))}",
            expected=f"images for an input of {shape_text(shape)}, with or without an axis of channels",
            received=f"{len(received)} axes besides the one of the images",
        )
    last_moved = (received[-1], *received[:-1])
    if (layout or _layout(received, last_moved, shape, where)) == "channels first":
        return images
    space.check(images.nbytes, f"{where} with channels first")
    return space.empty((len(images), *last_moved)).copy_(images.movedim(-1, 1))


def _layout(received: tuple[int, ...], moved: tuple[int, ...], shape: tuple[int, ...], where: str) -> str:
    """Return the layout that matches the spec: its shape, else its channels, else gray or color."""
    readings = dict(zip(LAYOUTS, (received, moved), strict=True))
    for suits in (
        [name for name, reading in readings.items() if reading == shape],
        [name for name, reading in readings.items() if reading[0] == shape[0]],
        [name for name, reading in readings.items() if reading[0] in (1, 3)],
    ):
        if len(suits) == 1:
            return suits[0]
        if suits:
            raise usage_error(
                f"{where}: {shape_text(received)} can be {' or '.join(LAYOUTS)}",
                expected="an unambiguous shape",
                received=shape_text(received),
                hint="add an array to the file: layout='channels last' (or 'channels first')",
            )
    raise usage_error(
        f"{where}: images of {shape_text(received)} cannot be converted to the spec's {shape_text(shape)}",
        expected=f"{shape[0]} channels first or last",
        received=shape_text(received),
    )


def labels(array: Array, where: str) -> Tensor:
    """Return labels, [N] or [N, 1], as int64 [N].

    Raises:
        UsageError: they are not integers of this shape.
    """
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise usage_error(
            f"{where} has {array.ndim} axes",
            expected="one label for each image",
            received=shape_text(array.shape),
            hint="for one-hot labels, save labels.argmax(axis=1)" if array.ndim == 2 else "",
        )
    if array.dtype.kind not in "iu":
        raise usage_error(f"{where} does not have integers", expected="integers", received=str(array.dtype))
    if array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise usage_error(f"{where} has a label that needs more than 64 bits", received=str(array.max()))
    return torch.from_numpy(array.astype(np.int64))
