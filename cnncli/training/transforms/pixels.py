"""Transforms that cover, smooth, disturb and shrink images."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.recipe import transforms as kinds
from cnncli.training.transforms.registry import changes, for_images

_REACH: Final = 3
"""Standard deviations after which a Gaussian is cut off."""


@changes(kinds.Erase, draws=2)
def erase(how: kinds.Erase, images: Tensor, draws: Tensor) -> Tensor:
    """Cover the pixels of images [n, channels, height, width] whose centers are in a rectangle."""
    sides = torch.full((len(images),), how.size)
    return torch.where(rectangles(draws, sides, images), how.fill, images)


def rectangles(places: Tensor, sides: Tensor, images: Tensor) -> Tensor:
    """Return which pixels have their centers in a rectangle, bool [n, 1, height, width].

    Args:
        places: of the middle of each rectangle, [n, 2], as shares of height and width.
        sides: of each rectangle, [n], as shares of height and width.
        images: [n, channels, height, width].
    """
    covered = torch.ones(1, dtype=torch.bool, device=images.device)
    for axis in (0, 1):
        size = images.shape[2 + axis]
        first = ((places[:, axis] - sides / 2) * size).unsqueeze(1)
        centers = torch.arange(size) + 0.5
        inside = (centers >= first) & (centers < first + (sides * size).unsqueeze(1))
        covered = covered & inside.to(images.device).reshape(-1, 1, *((size, 1) if axis == 0 else (1, size)))
    return covered


@changes(kinds.Blur, draws=1)
def blur(how: kinds.Blur, images: Tensor, draws: Tensor) -> Tensor:
    """Convolve images [n, channels, height, width] with Gaussians of their own; edges are continued."""
    reach = max(1, math.ceil(_REACH * how.sigma))
    sigma = (how.sigma * draws).to(torch.float64).clamp(min=1e-3)
    weights = torch.exp(-((torch.arange(-reach, reach + 1) / sigma) ** 2) / 2)
    weights = (weights / weights.sum(1, keepdim=True)).to(images)
    for axis, pad in ((2, (0, 0, reach, reach)), (3, (reach, reach, 0, 0))):
        padded = functional.pad(images, pad, mode="replicate")
        size = images.shape[axis]
        images = torch.zeros_like(images)
        for place, weight in enumerate(weights.unbind(1)):
            images.addcmul_(padded.narrow(axis, place, size), for_images(weight, images))
    return images.clamp_(0, 1)


@changes(kinds.Noise, draws=2)
def noise(how: kinds.Noise, images: Tensor, draws: Tensor) -> Tensor:
    """Add normal numbers, each a function of the draws of the image and of the place in it."""
    numbers = normal(draws, images[0].numel(), images.device).reshape(images.shape)
    return numbers.mul_(how.std).add_(images).clamp_(0, 1)


@changes(kinds.Shrink, draws=0)
def shrink(how: kinds.Shrink, images: Tensor, draws: Tensor) -> Tensor:
    """Resize images [n, channels, height, width] bicubically, with antialiasing, as Pillow does."""
    del draws
    size = [side // how.factor for side in images.shape[2:]]
    small = functional.interpolate(images, size=size, mode="bicubic", antialias=True)
    return small.clamp_(0, 1)  # cubic weights are negative beyond an edge


def normal(draws: Tensor, count: int, device: torch.device) -> Tensor:
    """Return standard normal numbers [n, count] that are a function of draws [n, 2].

    A table of draws for every value of every image would be larger than the data. So the draws of an image
    are the key of a hash, and the inverse of the normal distribution is applied to the hash of each place.
    """
    first, second = (draws * (1 << 24)).to(torch.int32).unsqueeze(2).unbind(1)
    places = torch.arange(count, dtype=torch.int32, device=device)
    hashed = scrambled(scrambled(places + scrambled(first).to(device)) + second.to(device))
    # Of 24 bits, the middle of its interval: never 0 or 1.
    uniform = hashed.bitwise_and_(0xFFFFFF).to(torch.float32).add_(0.5).div_(1 << 24)
    result: Tensor = torch.special.ndtri(uniform)
    return result


def scrambled(numbers: Tensor) -> Tensor:
    """Return a hash of 32-bit integers: C. Wellons, "Prospecting for Hash Functions" (lowbias32), 2018."""
    hashed = numbers.clone()
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B - (1 << 32)), (16, 1)):
        # torch fills with the sign; the hash is defined with zeros.
        hashed.bitwise_xor_((hashed >> shift).bitwise_and_((1 << (32 - shift)) - 1)).mul_(factor)
    return hashed
