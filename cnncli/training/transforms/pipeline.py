"""The transforms of a recipe in their order, and the draws of every sample.

A draw depends on the seed, the epoch, the sample and the transform only: neither the size of a batch nor the
order of the samples, an interruption or the device changes what happens to a sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

import torch
from torch import Tensor

from cnncli.recipe.transforms import Transform, Warp
from cnncli.training.data.batches import derived_seed
from cnncli.training.transforms.registry import CHANGES
from cnncli.training.transforms.warps import MAPS, together, warped


class Pipeline:
    """Transforms that are applied one after another, to batches of images with values from 0 to 1."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self._transforms = tuple(transforms)
        self._steps = tuple(_steps(self._transforms))

    def __len__(self) -> int:
        return len(self._transforms)

    def table(self, count: int, seed: int, epoch: int) -> Tensor:
        """Return the draws of an epoch, float32 [count, draws of all transforms], on the CPU.

        Row ``i`` is for sample ``i`` of the data. A transform that is written twice has other draws the
        second time, and transforms that are written before or after it do not change its draws.
        """
        parts, seen = [torch.empty(count, 0)], Counter[str]()
        for each in self._transforms:
            purpose = ("transform", each.keyword, seen[each.keyword], epoch)
            generator = torch.Generator().manual_seed(derived_seed(seed, *purpose))
            parts.append(torch.rand(count, draws_of(each), generator=generator))
            seen[each.keyword] += 1
        return torch.cat(parts, 1)

    def __call__(self, images: Tensor, draws: Tensor) -> Tensor:
        """Return images after all transforms; those that are given remain as they are.

        Args:
            images: float32 [n, *shape], values from 0 to 1.
            draws: float32 [n, draws of all transforms]: rows of :meth:`table`.
        """
        own = draws.split([sum(map(draws_of, step)) for step in self._steps], dim=1)
        for step, each in zip(self._steps, own, strict=True):
            images = _warp(step, images, each) if type(step[0]) in MAPS else _change(step, images, each)
        return images


def draws_of(transform: Transform) -> int:
    """Return how many draws a transform takes for each image."""
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


def _warp(step: Sequence[Transform], images: Tensor, draws: Tensor) -> Tensor:
    """Apply neighboring transforms by one reading of the images."""
    size = (images.shape[2], images.shape[3])
    own = draws.to(torch.float64).split([*map(draws_of, step)], dim=1)
    matrices = [MAPS[type(each)].matrix(each, rows, size) for each, rows in zip(step, own, strict=True)]
    fill = next((found for found in map(_fill, step) if found is not None), 0.0)
    return warped(images, together(matrices), fill)


def _change(step: Sequence[Transform], images: Tensor, draws: Tensor) -> Tensor:
    (transform,) = step
    return CHANGES[type(transform)].apply(transform, images, draws)
