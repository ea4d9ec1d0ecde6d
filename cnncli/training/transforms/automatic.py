"""Transforms that choose from a list of operations, for each image one of its own.

The operations and their largest strengths are those of the papers, computed as Pillow does. Distances are
shares of the image here, where the papers have pixels of images of 32x32.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.limits import MAX_OPERATIONS
from cnncli.recipe import transforms as kinds
from cnncli.training.transforms.color import blended, gray, mean_gray
from cnncli.training.transforms.registry import changes, for_images
from cnncli.training.transforms.warps import affine, rotation, warped


class Largest(NamedTuple):
    """The largest strengths: degrees, slope, share of a side, distance of a factor from 1, bits removed."""

    degrees: float
    slope: float
    share: float
    factor: float
    bits: int


_ORDINARY: Final = Largest(30, 0.3, 10 / 32, 0.9, 4)
_WIDE: Final = Largest(135, 0.99, 1.0, 0.99, 6)

Operation = Callable[[Tensor, Tensor, Largest, float], Tensor]
"""Takes images [n, channels, height, width], strengths [n] from -1 to 1, the largest ones, and the fill."""


@changes(kinds.TrivialAugment, draws=3)
def trivialaugment(how: kinds.TrivialAugment, images: Tensor, draws: Tensor) -> Tensor:
    """Apply an operation with a strength, both drawn for each image."""
    strengths = draws[:, 1] * _signs(draws[:, 2])
    return operated(images, draws[:, 0], strengths, _WIDE, how.fill)


@changes(kinds.RandAugment, draws=2 * MAX_OPERATIONS)
def randaugment(how: kinds.RandAugment, images: Tensor, draws: Tensor) -> Tensor:
    """Apply operations drawn for each image, one after another, with the strength of the recipe."""
    for number in range(how.operations):
        chosen, sign = draws[:, 2 * number], draws[:, 2 * number + 1]
        images = operated(images, chosen, how.strength * _signs(sign), _ORDINARY, how.fill)
    return images


def operated(images: Tensor, draws: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    """Apply to each image the operation that its draw [n] chooses, with its strength [n]."""
    known = tuple(OPERATIONS.values())
    chosen = (draws * len(known)).to(torch.int64).clamp(max=len(known) - 1)
    result = images.clone()
    for number, operation in enumerate(known):
        rows = (chosen == number).nonzero().flatten()
        if len(rows):
            there = rows.to(images.device)
            result[there] = operation(images[there], strengths[rows], largest, fill)
    return result


def _signs(draws: Tensor) -> Tensor:
    return torch.where(draws < 0.5, -1.0, 1.0)


def _identity(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    del strengths, largest, fill
    return images


def _rotate(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    return warped(images, rotation(strengths.double() * largest.degrees), fill)


def _shear_x(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    return warped(images, affine(1.0, strengths.double() * largest.slope, 0.0, 0.0, 1.0, 0.0), fill)


def _shear_y(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    return warped(images, affine(1.0, 0.0, 0.0, strengths.double() * largest.slope, 1.0, 0.0), fill)


def _translate_x(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    right = strengths.double() * largest.share * images.shape[3]
    return warped(images, affine(1.0, 0.0, -right, 0.0, 1.0, 0.0), fill)


def _translate_y(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    down = strengths.double() * largest.share * images.shape[2]
    return warped(images, affine(1.0, 0.0, 0.0, 0.0, 1.0, -down), fill)


def _brightness(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    del fill
    return blended(torch.zeros_like(images), images, 1 + strengths * largest.factor)


def _contrast(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    del fill
    return blended(mean_gray(images), images, 1 + strengths * largest.factor)


def _saturation(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    """Change colors; images without them remain as they are."""
    del fill
    return blended(gray(images), images, 1 + strengths * largest.factor) if images.shape[1] == 3 else images


def _sharpness(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    """Blend images with smoothed ones, whose outermost pixels are those of the image."""
    del fill
    smooth = images.clone()
    if min(images.shape[2:]) > 2:
        means = functional.avg_pool2d(images, 3, stride=1)
        smooth[:, :, 1:-1, 1:-1] = (9 * means + 4 * images[:, :, 1:-1, 1:-1]) / 13
    return blended(smooth, images, 1 + strengths * largest.factor)


def _posterize(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    """Keep the highest bits of bytes."""
    del fill
    removed = (strengths.abs() * largest.bits).round().to(torch.int32)
    bytes_ = images.mul(255).round_().to(torch.int32)
    steps = for_images(2**removed, images)
    return (bytes_ // steps * steps).to(images.dtype).div_(255)


def _solarize(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    """Invert values from a threshold on, which is lower for larger strengths."""
    del largest, fill
    return torch.where(images >= for_images(1 - strengths.abs(), images), 1 - images, images)


def _autocontrast(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    """Stretch each channel to the whole range, unless it has one value only."""
    del strengths, largest, fill
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    return torch.where(high > low, (images - low) / (high - low).clamp(min=1e-6), images)


def _equalize(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    """Give each channel, as bytes, a histogram that is as even as possible."""
    del strengths, largest, fill
    channels = images.mul(255).round_().to(torch.int64).flatten(0, 1).flatten(1)
    ones = torch.ones_like(channels)
    counts = torch.zeros(len(channels), 256, dtype=torch.int64, device=images.device)
    counts.scatter_add_(1, channels, ones)
    of_the_last = counts.gather(1, channels.amax(1, keepdim=True))
    step = (channels.shape[1] - of_the_last) // 255
    before = counts.cumsum(1) - counts
    table = ((before + step // 2) // step.clamp(min=1)).clamp(max=255)
    even = torch.where(step > 0, table.gather(1, channels), channels)
    return even.reshape(images.shape).to(images.dtype).div_(255)


OPERATIONS: Final[dict[str, Operation]] = {
    "identity": _identity,
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "rotate": _rotate,
    "solarize": _solarize,
    "saturation": _saturation,
    "posterize": _posterize,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
