"""Transforms that copy values to other places, exactly.

Each has two ways that give the same: one index for the whole batch, and a copy for each image, which is
faster for large images on a CPU (``benchmarks/transforms.py``).
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.recipe import transforms as kinds
from cnncli.training.data.targets import NO_CLASS
from cnncli.training.transforms.registry import changes, for_images, moves

_VALUES_TO_INDEX: Final = 4_096
"""Values of an image up to which one index for the batch is faster on a CPU."""


def one_by_one_is_faster(images: Tensor) -> bool:
    """Return whether a copy for each image is faster than one index for the batch."""
    return images.device.type == "cpu" and images[0].numel() > _VALUES_TO_INDEX


@changes(kinds.Flip, draws=1)
def flip(how: kinds.Flip, images: Tensor, draws: Tensor) -> Tensor:
    """Return images [n, channels, height, width] of which some are mirrored."""
    flipped = mirrored_one_by_one if one_by_one_is_faster(images) else mirrored
    return flipped(images, draws[:, 0] < how.p, -1 if how.direction == "horizontal" else -2)


moves(kinds.Flip)(flip)


def mirrored(images: Tensor, chosen: Tensor, axis: int) -> Tensor:
    """Mirror the images for which ``chosen``, bool [n] on the CPU, is true; for small ones."""
    return torch.where(for_images(chosen, images), images.flip(axis), images)


def mirrored_one_by_one(images: Tensor, chosen: Tensor, axis: int) -> Tensor:
    """Do the same as :func:`mirrored`; for large images on a CPU."""
    result = torch.empty_like(images)
    for target, image, flips in zip(result, images, chosen.tolist(), strict=True):
        target.copy_(image.flip(axis) if flips else image)
    return result


@changes(kinds.Crop, draws=2)
def crop(how: kinds.Crop, images: Tensor, draws: Tensor) -> Tensor:
    """Return images, or masks, of the same size from places in the padded ones, all equally likely."""
    return cropped(how, images, draws, margin=0)


def cropped(how: kinds.Crop, images: Tensor, draws: Tensor, margin: int) -> Tensor:
    """Return images, or masks, that are smaller by a margin, from places in the padded ones."""
    places = 2 * (how.padding + margin) + 1
    # A draw just below 1, multiplied in float32, can be rounded up.
    corners = (draws * places).to(torch.int64).clamp(max=places - 1)
    cut = cut_one_by_one if one_by_one_is_faster(images) else cut_out
    return cut(images, corners, how.padding, how.fill if images.is_floating_point() else NO_CLASS, margin)


moves(kinds.Crop)(crop)


def without(images: Tensor, margin: int) -> Tensor:
    """Return the middle of images [..., height, width], without a margin on every side."""
    height, width = (size - 2 * margin for size in images.shape[-2:])
    return images[..., margin : margin + height, margin : margin + width]


def cut_out(images: Tensor, corners: Tensor, padding: int, fill: float, margin: int = 0) -> Tensor:
    """Cut images out of padded ones by an index into a view of all that could be; for small ones.

    Args:
        images: [n, channels, height, width].
        corners: int64 [n, 2] on the CPU, the first row and the first column in the padded image.
        padding: rows and columns on each side.
        fill: the value of the padding.
        margin: rows and columns on each side that the result does not have.
    """
    padded = functional.pad(images, (padding,) * 4, value=fill)
    height, width = (size - 2 * margin for size in images.shape[2:])
    possible = padded.unfold(2, height, 1).unfold(3, width, 1)
    rows, columns = corners.to(images.device).unbind(1)
    return possible[torch.arange(len(images), device=images.device), :, rows, columns]


def cut_one_by_one(images: Tensor, corners: Tensor, padding: int, fill: float, margin: int = 0) -> Tensor:
    """Do the same as :func:`cut_out`; for large images on a CPU."""
    height, width = (size - 2 * margin for size in images.shape[2:])
    result = images.new_full((*images.shape[:2], height, width), fill)
    for target, image, (row, column) in zip(result, images, (corners - padding).tolist(), strict=True):
        seen = image[:, max(row, 0) : row + height, max(column, 0) : column + width]
        top, left = max(-row, 0), max(-column, 0)
        target[:, top : top + seen.shape[1], left : left + seen.shape[2]] = seen
    return result
