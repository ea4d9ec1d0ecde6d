"""Giving images a spec's input shape, as bytes, once, and saying in words what was done to them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.training.data.room import ensure_memory

FITS = ("resize", "pad")

_CHUNK_VALUES = 1 << 24  # values held as 32-bit floats at a time: 64 MiB


def text(shape: tuple[int, ...]) -> str:
    """``1x28x28``."""
    return "x".join(str(size) for size in shape)


def check_fit(fit: str) -> None:
    """Raise a UsageError unless ``fit`` is a way of fitting images."""
    if fit not in FITS:
        raise usage_error(
            f"there is no fit '{fit}'",
            expected="resize or pad",
            received=fit,
            hint=did_you_mean(fit, FITS),
        )


def conform(images: Tensor, shape: tuple[int, ...], fit: str) -> tuple[Tensor, tuple[str, ...]]:
    """Images of one size in a spec's input shape, and a note for each change.

    Images for a spec with a plain vector as its input are flattened; images [channels, height, width]
    are fitted; signals and volumes must have the very shape.

    Args:
        images: uint8 [N, *any shape].
        shape: the spec's input.
        fit: "resize" or "pad".

    Raises:
        UsageError: where the images cannot be given that shape.
    """
    received = tuple(images.shape[1:])
    if received == shape:
        return images, ()
    if len(shape) == 1:
        if math.prod(received) != shape[0]:
            raise usage_error(
                f"images of {text(received)} have {math.prod(received)} values, but the spec's input is a "
                f"vector of {shape[0]}",
                expected=f"{shape[0]} values",
                received=f"{math.prod(received)} values",
                hint=f"write input: [{math.prod(received)}], or give the spec an image as its input",
            )
        return images.reshape(len(images), shape[0]), (
            f"{text(received)} images flattened to {shape[0]} values",
        )
    if len(shape) == 3 and len(received) == 3:
        return fit_images(images, shape, fit), fit_notes(f"{text(received)} images", received, shape, fit)
    raise usage_error(
        f"the data has the shape {text(received)}, but the spec's input is {text(shape)}",
        expected=text(shape),
        received=text(received),
        hint="only images (channels, height, width) can be fitted to another size",
    )


def fit_images(images: Tensor, shape: tuple[int, ...], fit: str) -> Tensor:
    """Fit images to another number of channels, height and width.

    Color becomes gray by ITU-R 601 luma; gray is repeated to any number of channels. "resize" is bilinear
    (with antialiasing where it shrinks) and does not keep the aspect; "pad" puts the image into the
    middle of zeros, the odd one after.

    Args:
        images: uint8 [N, C, H, W].
        shape: (channels, height, width) wanted.
        fit: "resize" or "pad".

    Returns:
        uint8 [N, *shape]; the argument itself where it has that shape already.

    Raises:
        UsageError: for channels that cannot be converted, images too large to pad, too little memory.
    """
    check_fit(fit)
    received = tuple(images.shape[1:])
    if received == shape:
        return images
    _check_channels(received[0], shape[0])
    if fit == "pad":
        _check_pad(received[1:], shape[1:])
    ensure_memory(len(images) * math.prod(shape), f"{len(images)} images of {text(shape)}")
    fitted = torch.empty((len(images), *shape), dtype=torch.uint8)
    step = max(1, _CHUNK_VALUES // max(math.prod(received), math.prod(shape)))
    for start in range(0, len(images), step):
        chunk = images[start : start + step]
        if shape[0] == 1 and received[0] == 3:
            chunk = _luma(chunk)
        sized = _resized(chunk, shape[1:]) if fit == "resize" else _padded(chunk, shape[1:])
        fitted[start : start + step] = sized  # one channel broadcasts to all
    return fitted


def fit_notes(what: str, received: tuple[int, ...], shape: tuple[int, ...], fit: str) -> tuple[str, ...]:
    """What :func:`fit_images` does to images of the shape ``received``, in words that begin with ``what``."""
    notes = []
    if received[0] == 3 and shape[0] == 1:
        notes.append(f"{what} with color reduced to gray (ITU-R 601 luma)")
    if received[1:] != shape[1:]:
        size = text((min(received[0], shape[0]), *shape[1:]))
        how = f"resized to {size} (bilinear)" if fit == "resize" else f"padded with zeros to {size}"
        notes.append(f"{what} {how}")
    if received[0] == 1 and shape[0] > 1:
        notes.append(f"{what} with gray repeated to {shape[0]} channels")
    return tuple(notes)


def _check_channels(received: int, wanted: int) -> None:
    if received not in (1, wanted) and (received, wanted) != (3, 1):
        raise usage_error(
            f"images of {received} channels do not become images of {wanted}",
            expected=f"{wanted} channels",
            received=f"{received} channels",
            hint=f"write {received} as the first number of the spec's input",
        )


def _check_pad(received: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if any(size > room for size, room in zip(received, wanted, strict=True)):
        raise usage_error(
            f"images of {text(received)} are larger than the spec's input {text(wanted)}; pad cannot shrink",
            expected=f"at most {text(wanted)}",
            received=text(received),
            hint="use fit: resize",
        )


def _luma(images: Tensor) -> Tensor:
    """Gray [N, 1, H, W] of color [N, 3, H, W]: 0.299 R + 0.587 G + 0.114 B, rounded, in fixed point."""
    red, green, blue = images.to(torch.int32).split(1, dim=1)
    gray: Tensor = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16
    return gray.to(torch.uint8)


def _resized(images: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(images.shape[2:]) == size:
        return images
    floats = images.to(torch.float32)
    sized = functional.interpolate(floats, size=list(size), mode="bilinear", antialias=True)
    return sized.round_().clamp_(0, 255).to(torch.uint8)


def _padded(images: Tensor, size: tuple[int, ...]) -> Tensor:
    height, width = size[0] - images.shape[2], size[1] - images.shape[3]
    sides = (width // 2, width - width // 2, height // 2, height - height // 2)
    return functional.pad(images, sides)
