"""Which images are in each batch, and how a batch gets to the network, normalized.

The images stay in memory as bytes, on the device if they fit; a batch is one gather and one affine map. No
Python code runs per image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

import torch
from torch import Tensor

from cnncli.training.data.dataset import Split
from cnncli.training.data.normalization import Normalization
from cnncli.training.device import BACKENDS

_LARGEST: Final = 255

Alter: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""Changes images, float32 [n, *shape] from 0 to 1, that have these numbers, int64 [n] on the CPU."""


def derived_seed(seed: int, *purpose: object) -> int:
    """Return a seed of 63 bits for one purpose, unrelated to those for other purposes."""
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """Return the order of the images in an epoch, int64 [count]; only ``seed`` and ``epoch`` determine it."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    return torch.randperm(count, generator=generator)


def batch_bounds(count: int, batch: int) -> list[tuple[int, int]]:
    """Return the start and the end of each batch in the order of an epoch.

    All images are used; the last batch has the remaining ones. A single remaining image is added to the batch
    before it, since batch normalization cannot use one value for each channel. So only a batch size of 1, or
    data of one image, results in batches of one.
    """
    if count <= batch:
        return [(0, count)]
    starts = list(range(0, count, batch))
    if batch > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


def fits(nbytes: int, device: torch.device) -> bool:
    """Return whether to keep ``nbytes`` of data on the device: at most half of its free memory."""
    free = BACKENDS[device.type].free_memory(device)
    return free is None or nbytes <= free // 2


class Feed:
    """A split that yields batches of normalized float32 images and their labels."""

    def __init__(
        self, split: Split, normalization: Normalization, device: torch.device, *, keep: bool
    ) -> None:
        """Move the bytes of ``split`` to ``device`` if ``keep``; otherwise each batch is moved on its own."""
        self._home = device if keep else torch.device("cpu")
        self._device = device
        self._images = split.images.to(self._home)
        self._labels = split.labels.to(self._home)
        self._scale, self._shift = normalization.affine(split.images.ndim - 1, device)

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def image_values(self) -> int:
        """The number of values of one image."""
        return self._images[0].numel()

    def shuffled(
        self, order: Tensor, bounds: list[tuple[int, int]], alter: Alter | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of ``order`` between ``bounds``: images [n, *shape] and labels [n].

        ``alter`` changes images before they are normalized.
        """
        at_home = order.to(self._home)
        for start, end in bounds:
            index = at_home[start:end]
            images = self._images.index_select(0, index).to(self._device, non_blocking=True)
            labels = self._labels.index_select(0, index).to(self._device, non_blocking=True)
            if alter is not None:
                images = alter(images.to(torch.float32).div_(_LARGEST), order[start:end])
                yield images.mul(self._scale * _LARGEST).add_(self._shift), labels
            else:
                yield self._normalized(images), labels

    def in_order(self, bounds: list[tuple[int, int]]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches between ``bounds`` in the order of the data."""
        for start, end in bounds:
            images = self._images[start:end].to(self._device, non_blocking=True)
            labels = self._labels[start:end].to(self._device, non_blocking=True)
            yield self._normalized(images), labels

    def _normalized(self, images: Tensor) -> Tensor:
        """Return bytes as float32 numbers of mean 0 and deviation 1."""
        return images.to(torch.float32).mul_(self._scale).add_(self._shift)
