"""Transforms that mix every image with the next one of its batch, and how much of it remains.

The last image of a batch is mixed with the first, and a single one with itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import torch
from torch import Tensor

from cnncli.recipe import transforms as kinds
from cnncli.recipe.transforms import Mix
from cnncli.training.data.feed import Views
from cnncli.training.transforms.pixels import rectangles
from cnncli.training.transforms.registry import for_images

F = TypeVar("F", bound=Callable[..., Tensor])


class Way(NamedTuple):
    """How a transform mixes: ``own(transform, draws, images) -> weights`` is what remains of images.

    Weights are float32 from 0 to 1, [n, 1, *spatial], or [n, 1, ...] with one for the whole image. Where
    it ``pastes``, they are 0 or 1, so that masks can be pasted too.
    """

    draws: int
    own: Callable[[Any, Tensor, Tensor], Tensor]
    pastes: bool


MIXES: Final[dict[type[Mix], Way]] = {}


def mixes(kind: type[Mix], *, draws: int, pastes: bool) -> Callable[[F], F]:
    """Register how transforms of this kind mix images, with this number of draws for each."""

    def register(own: F) -> F:
        assert kind not in MIXES, kind
        MIXES[kind] = Way(draws, own, pastes)
        return own

    return register


@mixes(kinds.Mixup, draws=2, pastes=False)
def mixup(how: kinds.Mixup, draws: Tensor, images: Tensor) -> Tensor:
    """Return shares from a symmetric Beta distribution."""
    return for_images(beta(how.alpha, draws).to(images.dtype), images)


@mixes(kinds.CutMix, draws=4, pastes=True)
def cutmix(how: kinds.CutMix, draws: Tensor, images: Tensor) -> Tensor:
    """Return 0 in a rectangle whose share of the image, before its edges cut it off, is 1 - Beta."""
    sides = (1 - beta(how.alpha, draws[:, 2:])).sqrt()
    return (~rectangles(draws[:, :2], sides, images)).to(images)


def beta(alpha: float, draws: Tensor) -> Tensor:
    """Return numbers of the distribution Beta(alpha, alpha), float64 [n], from draws [n, 2].

    From R. Bailey, "Polar generation of random variates with the t-distribution", 1994: t of 2 alpha degrees
    of freedom is sqrt(2 alpha (u^(-1/alpha) - 1)) cos(2 pi v), and 1/2 + t / (2 sqrt(2 alpha + t^2)) has the
    distribution that is wanted. It is written so that no power is too large, and nothing near 0 is lost.
    """
    power = (1 - draws[:, 0].double()) ** (1 / alpha)
    cosine = (2 * math.pi * draws[:, 1].double()).cos()
    rest = power / (power + (1 - power) * cosine**2)  # 1 - t^2 / (2 alpha + t^2)
    smaller = rest / (2 * (1 + (1 - rest).clamp(min=0).sqrt()))
    return torch.where(cosine < 0, smaller, 1 - smaller)


def mixed(transforms: Sequence[Mix], views: Views, draws: Tensor) -> Views:
    """Mix each image with the next one by at most one of the transforms, and its targets as they need it.

    Pictures are mixed as images are. Masks are pasted where images are; of images that are blended, both
    masks are kept.

    Args:
        transforms: those at the end of a recipe's list, at least one.
        views: of a batch, after all other transforms.
        draws: float32 [n, draws of all of them]; the first one chooses among them.
    """
    chosen, images = choice([each.p for each in transforms], draws[:, 0]), views.images
    own, pasted = for_images(torch.ones(len(images)), images), torch.zeros(len(images), dtype=torch.bool)
    columns = draws.split([1 + MIXES[type(each)].draws for each in transforms], dim=1)
    for number, (how, each) in enumerate(zip(transforms, columns, strict=True)):
        way, here = MIXES[type(how)], chosen == number
        own = torch.where(for_images(here, images), way.own(how, each[:, 1:], images), own)
        pasted |= here & way.pastes
    masks, partner_masks = {}, {}
    for name, mask in views.masks.items():
        pastes, partner = for_images(pasted, mask), mask.roll(-1, 0)
        masks[name] = torch.where(pastes & (own.squeeze(1) == 0), partner, mask) if pasted.any() else mask
        partner_masks[name] = torch.where(pastes, masks[name], partner)
    return Views(
        images=_blended(images, own),
        masks=masks,
        pictures={name: _blended(each, own) for name, each in views.pictures.items()},
        share=own.flatten(1).mean(1),
        partner_masks=partner_masks,
    )


def choice(probabilities: Sequence[float], draws: Tensor) -> Tensor:
    """Return the number of the transform that each draw [n] chooses, int64 [n]; the number of all for none.

    Probabilities that add up to more than 1 are divided by their sum.
    """
    total = max(1.0, math.fsum(probabilities))
    edges = (torch.tensor(probabilities, dtype=torch.float64) / total).cumsum(0)
    if math.fsum(probabilities) >= 1:
        edges[-1] = 1  # whatever was rounded
    return torch.searchsorted(edges, draws.double(), right=True)


def _blended(images: Tensor, own: Tensor) -> Tensor:
    """Return own * image + (1 - own) * the next image."""
    return images.roll(-1, 0).lerp(images, own).clamp_(0, 1)
