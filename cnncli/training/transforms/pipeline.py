"""The transforms of a recipe in their order, and the draws of every sample.

A draw depends on the seed, the epoch, the sample and the transform only: neither the size of a batch nor the
order of the samples, an interruption or the device changes what happens to a sample; only what it is mixed
with is the next one in its batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from typing import Final

import torch
from torch import Tensor

from cnncli.recipe.transforms import Crop, Mix, ResizedCrop, Transform, Warp
from cnncli.training.data.batches import derived_seed
from cnncli.training.data.feed import Alter, Views
from cnncli.training.transforms.copies import cropped, without
from cnncli.training.transforms.mixes import MIXES, mixed
from cnncli.training.transforms.registry import CHANGES
from cnncli.training.transforms.warps import MAPS, affine, together, warped

TRANSFORM: Final = "transform"
"""The purpose of the draws of what happens to training samples."""


class Pipeline:
    """Transforms that are applied one after another, to batches of images with values from 0 to 1."""

    def __init__(self, transforms: Sequence[Transform], purpose: str = TRANSFORM, *, margin: int = 0) -> None:
        """Prepare transforms; those for another ``purpose`` have other draws.

        Images have a ``margin``, in pixels, that those that come out do not have. The first transform that
        chooses a part of the image chooses one of that size; otherwise the margin is cut off in the end.
        """
        self._purpose = purpose
        self._margin = margin
        self._transforms = tuple(transforms)
        self._mixes = tuple(each for each in self._transforms if isinstance(each, Mix))
        alone = len(self._transforms) - len(self._mixes)
        assert self._transforms[alone:] == self._mixes, "what mixes samples comes last"
        self._steps = tuple(_steps(self._transforms[:alone]))

    def __len__(self) -> int:
        return len(self._transforms)

    def table(self, count: int, seed: int, epoch: int | str) -> Tensor:
        """Return the draws of an epoch, float32 [count, draws of all transforms], on the CPU.

        Row ``i`` is for sample ``i`` of the data. A transform that is written twice has other draws the
        second time, and transforms that are written before or after it do not change its draws.
        """
        parts, seen = [torch.empty(count, 0)], Counter[str]()
        for each in self._transforms:
            purpose = (self._purpose, each.keyword, seen[each.keyword], epoch)
            generator = torch.Generator().manual_seed(derived_seed(seed, *purpose))
            parts.append(torch.rand(count, draws_of(each), generator=generator))
            seen[each.keyword] += 1
        return torch.cat(parts, 1)

    def alter(self, count: int, seed: int, epoch: int | str) -> Alter:
        """Return what the transforms do to samples of these numbers in an epoch."""
        table = self.table(count, seed, epoch)
        return lambda views, index: self.views(views, table[index])

    def __call__(self, images: Tensor, draws: Tensor) -> Tensor:
        """Return images after all transforms; those that are given remain as they are.

        Args:
            images: float32 [n, *shape], values from 0 to 1.
            draws: float32 [n, draws of all transforms]: rows of :meth:`table`.
        """
        return self.views(Views(images), draws).images

    def views(self, views: Views, draws: Tensor) -> Views:
        """Return images after all transforms, with masks and pictures moved as the images are."""
        sizes = [sum(map(draws_of, step)) for step in (*self._steps, self._mixes)]
        *own, of_mixes = draws.split(sizes, dim=1)
        margin = self._margin
        for step, each in zip(self._steps, own, strict=True):
            change = _warp if type(step[0]) in MAPS else _change
            views = change(step, views, each, margin)
            margin = 0 if any(isinstance(one, Crop | ResizedCrop) for one in step) else margin
        views = middle(views, margin) if margin else views
        return mixed(self._mixes, views, of_mixes) if self._mixes else views


def moves_anything(transforms: Sequence[Transform]) -> bool:
    """Return whether a transform moves pixels, so that it moves masks and pictures too."""
    return any(map(_moves, transforms))


def _moves(transform: Transform) -> bool:
    if isinstance(transform, Mix):
        return MIXES[type(transform)].pastes
    return type(transform) in MAPS or CHANGES[type(transform)].move is not None


def draws_of(transform: Transform) -> int:
    """Return how many draws a transform takes for each image."""
    if isinstance(transform, Mix):
        return 1 + MIXES[type(transform)].draws
    kind = type(transform)
    return MAPS[kind].draws if kind in MAPS else CHANGES[kind].draws


def _steps(transforms: Sequence[Transform]) -> Iterator[tuple[Transform, ...]]:
    """Yield the transforms one by one, but neighbors that read the images together as one step."""
    for warps, group in groupby(transforms, key=lambda each: type(each) in MAPS):
        if not warps:
            yield from ((each,) for each in group)
            continue
        step: list[Transform] = []
        for each in group:
            if len({_fill(one) for one in (*step, each)} - {None}) > 1:
                yield tuple(step)
                step = []
            step.append(each)
        yield tuple(step)


def _fill(transform: Transform) -> float | None:
    """Return the value beyond the edges; None for a transform that reads none."""
    return transform.fill if isinstance(transform, Warp) else None


def middle(views: Views, margin: int) -> Views:
    """Return images and targets without their margin."""
    return _moved(views, without(views.images, margin), lambda targets: without(targets, margin))


def _warp(step: Sequence[Transform], views: Views, draws: Tensor, margin: int) -> Views:
    """Apply neighboring transforms by one reading of the images."""
    size = (views.images.shape[2], views.images.shape[3])
    matrices = []
    for each, rows in zip(step, draws.to(torch.float64).split([*map(draws_of, step)], dim=1), strict=True):
        matrices.append(MAPS[type(each)].matrix(each, rows, size))
        if margin and isinstance(each, ResizedCrop):
            smaller = (size[0] - 2 * margin, size[1] - 2 * margin)
            wide, high = (
                torch.full((len(rows),), size[axis] / smaller[axis], dtype=torch.float64) for axis in (1, 0)
            )
            matrices.append(affine(wide, 0.0, 0.0, 0.0, high, 0.0))
            size, margin = smaller, 0
    whole, fill = together(matrices), next((found for found in map(_fill, step) if found is not None), 0.0)
    return _moved(
        views, warped(views.images, whole, fill, size), lambda found: warped(found, whole, fill, size)
    )


def _change(step: Sequence[Transform], views: Views, draws: Tensor, margin: int) -> Views:
    (transform,) = step
    if margin and isinstance(transform, Crop):
        cut = partial(cropped, transform, draws=draws, margin=margin)
        return _moved(views, cut(views.images), cut)
    change = CHANGES[type(transform)]
    images, move = change.apply(transform, views.images, draws), change.move
    if move is None:
        return views._replace(images=images)
    return _moved(views, images, lambda targets: move(transform, targets, draws))


def _moved(views: Views, images: Tensor, move: Callable[[Tensor], Tensor]) -> Views:
    """Return images that were moved, and targets as they are moved; masks as [n, 1, height, width]."""
    masks = {name: move(each.unsqueeze(1)).squeeze(1) for name, each in views.masks.items()}
    pictures = {name: move(each) for name, each in views.pictures.items()}
    return views._replace(images=images, masks=masks, pictures=pictures)
