"""Converting images to a spec's input shape, as bytes, once; notes say what was done to them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.diagnostics import usage_error
from cnncli.layers import shape_text
from cnncli.training.data.space import MEMORY, Space

_CHUNK_VALUES: Final = 1 << 24
"""Values that are 32-bit floats at a time: 64 MiB."""
_LUMA_VALUES: Final = 1 << 20
"""Values that are 32-bit integers at a time."""


def conform(
    images: Tensor, shape: tuple[int, ...], resize: str, space: Space = MEMORY
) -> tuple[Tensor, tuple[str, ...]]:
    """Return images of one size in a spec's input shape, and a note for each change.

    Images for a spec whose input is a vector are flattened; images [channels, height, width] are resized;
    signals and volumes must have exactly the input's shape.

    Args:
        images: uint8 [N, *any shape].
        shape: the spec's input.
        resize: a name in :data:`RULES`.
        space: where images of another size are put.

    Raises:
        CnncliError: the images cannot be converted to that shape, or there is no room for them.
    """
    received = tuple(images.shape[1:])
    if received == shape:
        return images, ()
    if len(shape) == 1:
        return _flattened(images, shape[0])
    if len(shape) == 3 and len(received) == 3:
        what = f"{shape_text(received)} images"
        beside = min(_step(received, shape), len(images)) * resizing_memory(received, shape)
        needed = len(images) * math.prod(shape)
        space.check(needed, f"{len(images)} images of {shape_text(shape)}", beside)
        notes = resize_notes(what, received, shape, resize)
        return resize_images(images, shape, resize, space), notes
    raise usage_error(
        f"the data has the shape {shape_text(received)}, but the spec's input is {shape_text(shape)}",
        expected=shape_text(shape),
        received=shape_text(received),
        hint="only images (channels, height, width) can be resized",
    )


def _flattened(images: Tensor, features: int) -> tuple[Tensor, tuple[str, ...]]:
    received = tuple(images.shape[1:])
    values = math.prod(received)
    if values != features:
        raise usage_error(
            f"images of {shape_text(received)} have {values} values, but the spec's input is a vector of "
            f"{features}",
            expected=f"{features} values",
            received=f"{values} values",
            hint=f"write input: [{values}], or give the spec an image as its input",
        )
    note = f"{shape_text(received)} images flattened to {features} values"
    return images.reshape(len(images), features), (note,)


def resize_images(images: Tensor, shape: tuple[int, ...], resize: str, space: Space = MEMORY) -> Tensor:
    """Convert images to another number of channels, height and width.

    Color becomes gray by ITU-R 601 luma; gray is repeated to any number of channels.

    Args:
        images: uint8 [N, C, H, W].
        shape: the new (channels, height, width).
        resize: a name in :data:`RULES`.
        space: where the result is put.

    Returns:
        uint8 [N, *shape]; the argument itself if it already has that shape.

    Raises:
        UsageError: channels cannot be converted.
    """
    received = tuple(images.shape[1:])
    if received == shape:
        return images
    _check_channels(received[0], shape[0])
    rule = RULES[resize]
    step = _step(received, shape)
    resized = space.empty((len(images), *shape))
    for start in range(0, len(images), step):
        chunk = images[start : start + step]
        if shape[0] == 1 and received[0] == 3:
            chunk = _luma(chunk)
        resized[start : start + step] = rule(chunk, shape[1:], _BILINEAR)  # one channel broadcasts to all
    return resized


def resize_mask(mask: Tensor, size: tuple[int, ...], resize: str, outside: int) -> Tensor:
    """Cut or pad a mask as :func:`resize_images` does an image of its size, and keep the nearest classes.

    Args:
        mask: uint8 [height, width].
        size: the new height and width.
        resize: a name in :data:`RULES`.
        outside: the class of what is padded.

    Returns:
        uint8 [*size].
    """
    return RULES[resize](mask.expand(1, 1, -1, -1), size, Manner("nearest-exact", outside))[0, 0]


class Manner(NamedTuple):
    """How values are interpolated, and which value what is padded has."""

    mode: str
    outside: int


_BILINEAR: Final = Manner("bilinear", 0)


def _step(received: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Return how many images to resize at a time."""
    return max(1, _CHUNK_VALUES // max(math.prod(received), math.prod(shape)))


def resizing_memory(received: tuple[int, ...], shape: tuple[int, ...]) -> int:
    """Return the bytes that :func:`resize_images` takes at most for one image, besides the bytes of both.

    Interpolation works along the rows first, so between the two there are images of the old height and the
    new width.
    """
    channels = min(received[0], shape[0])
    pixels = received[1] * received[2] + received[1] * shape[2] + 2 * shape[1] * shape[2]
    return 4 * channels * pixels + (received[0] != channels) * received[1] * received[2]


def shrinkage(received: tuple[int, ...], size: tuple[int, ...], resize: str) -> float:
    """Return how many times smaller a rule makes images, along the axis where it is less.

    >>> shrinkage((2000, 3000), (200, 200), "crop"), shrinkage((2000, 3000), (200, 200), "pad")
    (10.0, 15.0)
    """
    kept = {"crop": _middle(received, size), "pad": received, "stretch": received}[resize]
    made = fitting(received, size) if resize == "pad" else size
    return min(kept[0] / made[0], kept[1] / made[1])


def resize_notes(
    what: str, received: tuple[int, ...], shape: tuple[int, ...], resize: str
) -> tuple[str, ...]:
    """Return what :func:`resize_images` does to images of the shape ``received``, which ``what`` names."""
    notes = []
    if received[0] == 3 and shape[0] == 1:
        notes.append(f"{what} with color reduced to gray (ITU-R 601 luma)")
    if received[1:] != shape[1:]:
        size = shape_text((min(received[0], shape[0]), *shape[1:]))
        notes.append(f"{what} {_done(received[1:], shape[1:], resize).format(size=size)}")
    if received[0] == 1 and shape[0] > 1:
        notes.append(f"{what} with gray repeated to {shape[0]} channels")
    return tuple(notes)


def _check_channels(received: int, wanted: int) -> None:
    if received not in (1, wanted) and (received, wanted) != (3, 1):
        raise usage_error(
            f"cannot convert images of {received} channels to {wanted}",
            expected=f"{wanted} channels",
            received=f"{received} channels",
            hint=f"write {received} as the first number of the spec's input",
        )


def _luma(images: Tensor) -> Tensor:
    """Return gray [N, 1, H, W] of color [N, 3, H, W]: 0.299 R + 0.587 G + 0.114 B, in fixed point."""
    gray = images.new_empty((len(images), 1, *images.shape[2:]))
    rows = max(1, _LUMA_VALUES // max(1, images[:, :, :1].numel()))
    for start in range(0, images.shape[2], rows):
        red, green, blue = images[:, :, start : start + rows].to(torch.int32).split(1, dim=1)
        gray[:, :, start : start + rows] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return gray


def _done(received: tuple[int, ...], size: tuple[int, ...], resize: str) -> str:
    """Return what a rule does to images of another size, with ``{size}`` for the new one."""
    if resize == "pad":
        shrunk = "shrunk (bilinear) and " if fitting(received, size) != received else ""
        return f"{shrunk}padded with zeros to {{size}}"
    middle = _middle(received, size)
    if middle == received:
        return "resized to {size} (bilinear)"
    if resize == "stretch":
        return "stretched to {size} (bilinear), which changes their aspect ratio"
    return (
        "cropped to the middle {size}"
        if middle == size
        else "cropped, the middle resized to {size} (bilinear)"
    )


def _stretched(images: Tensor, size: tuple[int, ...], how: Manner) -> Tensor:
    """Return images of another size, interpolated; where they shrink, bilinear with antialiasing."""
    if tuple(images.shape[2:]) == size:
        return images
    floats = images.to(torch.float32)
    antialias = how == _BILINEAR
    sized = functional.interpolate(floats, size=list(size), mode=how.mode, antialias=antialias)
    return sized.round_().clamp_(0, 255).to(torch.uint8)


def _cropped(images: Tensor, size: tuple[int, ...], how: Manner) -> Tensor:
    """Return the middle of images, resized; of an odd number of rows to cut off, the last comes after."""
    height, width = _middle(tuple(images.shape[2:]), size)
    top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
    return _stretched(images[:, :, top : top + height, left : left + width], size, how)


def _middle(received: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    """Return the largest size within ``received`` that has the aspect ratio of ``size``, to half a pixel.

    >>> _middle((480, 640), (224, 224)), _middle((28, 20), (7, 5)), _middle((3, 9), (2, 4))
    ((480, 480), (28, 20), (3, 6))
    """
    height = max(1, _ratio(received[1], size[0], size[1]))
    width = max(1, _ratio(received[0], size[1], size[0]))
    return min(received[0], height), min(received[1], width)


def _padded(images: Tensor, size: tuple[int, ...], how: Manner) -> Tensor:
    """Return images centered in zeros, or another value, shrunk first if they are larger.

    If the number of zeros along an axis is odd, the last one comes after.
    """
    images = _stretched(images, fitting(tuple(images.shape[2:]), size), how)
    height, width = size[0] - images.shape[2], size[1] - images.shape[3]
    pads = (width // 2, width - width // 2, height // 2, height - height // 2)
    return functional.pad(images, pads, value=how.outside)


def fitting(received: tuple[int, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    """Return the size that images have before they are padded: their own, or the largest that fits.

    >>> fitting((5, 9), (8, 9)), fitting((480, 640), (224, 224)), fitting((1, 1000), (224, 224))
    ((5, 9), (168, 224), (1, 224))
    """
    if received[0] <= size[0] and received[1] <= size[1]:
        return received
    height = max(1, _ratio(received[0], size[1], received[1]))
    width = max(1, _ratio(received[1], size[0], received[0]))
    return min(size[0], height), min(size[1], width)


def _ratio(value: int, numerator: int, denominator: int) -> int:
    """Return value * numerator / denominator, rounded to the nearest whole number, halves up."""
    return (2 * value * numerator + denominator) // (2 * denominator)


RULES: Final[Mapping[str, Callable[[Tensor, tuple[int, ...], Manner], Tensor]]] = {
    "crop": _cropped,
    "pad": _padded,
    "stretch": _stretched,
}
"""Each rule of :mod:`cnncli.recipe.data`: uint8 [N, C, *any size], size, manner -> uint8 [N, C, *size]."""
