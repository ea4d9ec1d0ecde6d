"""The transforms of a recipe in their order, and the draws of every sample.

A draw depends on the seed, the epoch, the sample and the transform only: neither the size of a batch nor the
order of the samples, an interruption or the device changes what happens to a sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from cnncli.recipe.transforms import Transform
from cnncli.training.data.batches import derived_seed
from cnncli.training.transforms.registry import CHANGES


class Pipeline:
    """Transforms that are applied one after another, to batches of images with values from 0 to 1."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self._transforms = tuple(transforms)
        self._changes = tuple(CHANGES[type(each)] for each in transforms)

    def __len__(self) -> int:
        return len(self._transforms)

    def table(self, count: int, seed: int, epoch: int) -> Tensor:
        """Return the draws of an epoch, float32 [count, draws of all transforms], on the CPU.

        Row ``i`` is for sample ``i`` of the data. A transform that is written twice has other draws the
        second time, and transforms that are written before or after it do not change its draws.
        """
        parts, seen = [torch.empty(count, 0)], Counter[str]()
        for transform, change in zip(self._transforms, self._changes, strict=True):
            word = transform.keyword
            purpose = ("transform", word, seen[word], epoch)
            generator = torch.Generator().manual_seed(derived_seed(seed, *purpose))
            parts.append(torch.rand(count, change.draws, generator=generator))
            seen[word] += 1
        return torch.cat(parts, 1)

    def __call__(self, images: Tensor, draws: Tensor) -> Tensor:
        """Return images after all transforms; those that are given remain as they are.

        Args:
            images: float32 [n, *shape], values from 0 to 1.
            draws: float32 [n, draws of all transforms]: rows of :meth:`table`.
        """
        own = draws.split([change.draws for change in self._changes], dim=1)
        for transform, change, each in zip(self._transforms, self._changes, own, strict=True):
            images = change.apply(transform, images, each)
        return images
