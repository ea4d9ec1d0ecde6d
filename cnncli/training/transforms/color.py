"""Transforms of brightness and color. Results are clipped to values from 0 to 1."""

from __future__ import annotations

import torch
from torch import Tensor

from cnncli.recipe import transforms as kinds
from cnncli.training.transforms.registry import changes, for_images, within

_RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
"""Shares of gray (ITU-R BT.601), as Pillow has them."""


@changes(kinds.Brightness, draws=1)
def brightness(how: kinds.Brightness, images: Tensor, draws: Tensor) -> Tensor:
    """Blend images with black."""
    return blended(torch.zeros_like(images), images, within(draws[:, 0], 1 - how.by, 1 + how.by))


@changes(kinds.Contrast, draws=1)
def contrast(how: kinds.Contrast, images: Tensor, draws: Tensor) -> Tensor:
    """Blend images with their mean gray."""
    return blended(mean_gray(images), images, within(draws[:, 0], 1 - how.by, 1 + how.by))


@changes(kinds.Saturation, draws=1)
def saturation(how: kinds.Saturation, images: Tensor, draws: Tensor) -> Tensor:
    """Blend images [n, 3, height, width] with their gray."""
    return blended(gray(images), images, within(draws[:, 0], 1 - how.by, 1 + how.by))


@changes(kinds.Hue, draws=1)
def hue(how: kinds.Hue, images: Tensor, draws: Tensor) -> Tensor:
    """Turn the hue of images [n, 3, height, width], and keep saturation and value of the HSV model."""
    largest, smallest = images.amax(1, keepdim=True), images.amin(1, keepdim=True)
    chroma = largest - smallest
    red, green, blue = images.split(1, dim=1)
    # In sixths of the circle, from red; of gray it is of no consequence.
    sixth = torch.where(
        largest == red,
        green - blue,
        torch.where(largest == green, blue - red + 2 * chroma, red - green + 4 * chroma),
    ) / torch.where(chroma > 0, chroma, 1)
    turned = sixth + for_images(6 * within(draws[:, 0], -how.turn, how.turn), images)
    # A. R. Smith's model in one formula: each channel falls by the chroma as the hue moves away from it.
    away = (torch.tensor([5.0, 3.0, 1.0], device=images.device).reshape(3, 1, 1) + turned).remainder(6)
    return largest - chroma * torch.minimum(away, 4 - away).clamp(0, 1)


@changes(kinds.Grey, draws=1)
def grey(how: kinds.Grey, images: Tensor, draws: Tensor) -> Tensor:
    """Return images [n, 3, height, width] of which some have their gray in all channels."""
    return torch.where(for_images(draws[:, 0] < how.p, images), gray(images), images)


def blended(base: Tensor, images: Tensor, factors: Tensor) -> Tensor:
    """Return base + factor * (images - base), with one factor for each image."""
    return base.lerp(images, for_images(factors, images)).clamp_(0, 1)


def gray(images: Tensor) -> Tensor:
    """Return the gray [n, 1, height, width] of images [n, 3, height, width]."""
    return images[:, 0:1] * _RED + images[:, 1:2] * _GREEN + images[:, 2:3] * _BLUE


def mean_gray(images: Tensor) -> Tensor:
    """Return the mean gray of each image; of other than three channels the mean of all values."""
    colored = images.ndim == 4 and images.shape[1] == 3
    means = (gray(images) if colored else images).flatten(1).mean(1)
    return for_images(means, images)
