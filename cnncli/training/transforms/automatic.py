"""Transforms that choose from a list of operations, for each image one of its own.

The operations and their largest strengths are those of the papers, computed as Pillow does. Distances are
shares of the image here, where the papers have pixels of images of 32x32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.limits import MAX_OPERATIONS
from cnncli.recipe import transforms as kinds
from cnncli.training.transforms.color import blended, gray, mean_gray
from cnncli.training.transforms.registry import changes, for_images, moves
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
    return operated(images, *_of_trivialaugment(draws), _WIDE, how.fill)


@moves(kinds.TrivialAugment)
def trivialaugment_targets(how: kinds.TrivialAugment, targets: Tensor, draws: Tensor) -> Tensor:
    """Move targets as the operation of their image does; operations on values leave them as they are."""
    return moved(targets, *_of_trivialaugment(draws), _WIDE, how.fill)


@changes(kinds.RandAugment, draws=2 * MAX_OPERATIONS)
def randaugment(how: kinds.RandAugment, images: Tensor, draws: Tensor) -> Tensor:
    """Apply operations drawn for each image, one after another, with the strength of the recipe."""
    for number in range(how.operations):
        images = operated(images, *_of_randaugment(how, draws, number), _ORDINARY, how.fill)
    return images


@moves(kinds.RandAugment)
def randaugment_targets(how: kinds.RandAugment, targets: Tensor, draws: Tensor) -> Tensor:
    """Move targets as the operations of their image do."""
    for number in range(how.operations):
        targets = moved(targets, *_of_randaugment(how, draws, number), _ORDINARY, how.fill)
    return targets


def _of_trivialaugment(draws: Tensor) -> tuple[Tensor, Tensor]:
    """Return the draw that chooses an operation, and its strength, [n] each."""
    return draws[:, 0], draws[:, 1] * _signs(draws[:, 2])


def _of_randaugment(how: kinds.RandAugment, draws: Tensor, number: int) -> tuple[Tensor, Tensor]:
    return draws[:, 2 * number], how.strength * _signs(draws[:, 2 * number + 1])


def operated(images: Tensor, draws: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    """Apply to each image the operation that its draw [n] chooses, with its strength [n]."""
    result = images.clone()
    for name, rows in _chosen(draws):
        there = rows.to(images.device)
        result[there] = OPERATIONS[name](images[there], strengths[rows], largest, fill)
    return result


def moved(targets: Tensor, draws: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    """Move each mask or picture as the operation that its draw [n] chooses does, if it moves anything."""
    result = targets.clone()
    for name, rows in _chosen(draws):
        if name in MATRICES:
            there = rows.to(targets.device)
            matrices = MATRICES[name](strengths[rows].double(), largest, targets.shape[2:])
            result[there] = warped(targets[there], matrices, fill)
    return result


def _chosen(draws: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield each operation with the rows whose draw chooses it."""
    chosen = (draws * len(OPERATIONS)).to(torch.int64).clamp(max=len(OPERATIONS) - 1)
    for number, name in enumerate(OPERATIONS):
        rows = (chosen == number).nonzero().flatten()
        if len(rows):
            yield name, rows


def _signs(draws: Tensor) -> Tensor:
    return torch.where(draws < 0.5, -1.0, 1.0)


def _identity(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
    del strengths, largest, fill
    return images


def _rotate(strengths: Tensor, largest: Largest, size: torch.Size) -> Tensor:
    del size
    return rotation(strengths * largest.degrees)


def _shear_x(strengths: Tensor, largest: Largest, size: torch.Size) -> Tensor:
    del size
    return affine(1.0, strengths * largest.slope, 0.0, 0.0, 1.0, 0.0)


def _shear_y(strengths: Tensor, largest: Largest, size: torch.Size) -> Tensor:
    del size
    return affine(1.0, 0.0, 0.0, strengths * largest.slope, 1.0, 0.0)


def _translate_x(strengths: Tensor, largest: Largest, size: torch.Size) -> Tensor:
    return affine(1.0, 0.0, -strengths * largest.share * size[1], 0.0, 1.0, 0.0)


def _translate_y(strengths: Tensor, largest: Largest, size: torch.Size) -> Tensor:
    return affine(1.0, 0.0, 0.0, 0.0, 1.0, -strengths * largest.share * size[0])


MATRICES: Final[dict[str, Callable[[Tensor, Largest, torch.Size], Tensor]]] = {
    "rotate": _rotate,
    "shear_x": _shear_x,
    "shear_y": _shear_y,
    "translate_x": _translate_x,
    "translate_y": _translate_y,
}
"""The operations that move pixels: strengths float64 [n], the largest ones and the size -> [n, 2, 3]."""


def _moving(name: str) -> Operation:
    """Return the operation that moves the pixels of images so."""

    def operation(images: Tensor, strengths: Tensor, largest: Largest, fill: float) -> Tensor:
        return warped(images, MATRICES[name](strengths.double(), largest, images.shape[2:]), fill)

    return operation


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
    "rotate": _moving("rotate"),
    "solarize": _solarize,
    "saturation": _saturation,
    "posterize": _posterize,
    "contrast": _contrast,
    "brightness": _brightness,
    "sharpness": _sharpness,
    "shear_x": _moving("shear_x"),
    "shear_y": _moving("shear_y"),
    "translate_x": _moving("translate_x"),
    "translate_y": _moving("translate_y"),
}
