"""Which images make up each batch, and bringing them to the network normalized.

The images stay in memory as bytes, on the device where they fit; a batch is one gather and one affine map.
No Python runs for a single image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor

from cnncli.training.data.dataset import Split
from cnncli.training.data.normalization import Normalization


def derived_seed(seed: int, *purpose: object) -> int:
    """A seed of 63 bits for one purpose, unrelated to those for others."""
    digest = hashlib.sha256(repr((seed, *purpose)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """The order in which an epoch takes the images, int64 [count]: settled by ``seed`` and ``epoch``."""
    generator = torch.Generator().manual_seed(derived_seed(seed, "order", epoch))
    return torch.randperm(count, generator=generator)


def batch_bounds(count: int, batch: int) -> list[tuple[int, int]]:
    """Where each batch begins and ends in the order of an epoch.

    All images are used; the last batch holds what is left over. A single image left over joins the batch
    before it, because batch normalization cannot learn from one value for each channel. Only a batch size of
    1, or data of one image, gives batches of one.
    """
    if count <= batch:
        return [(0, count)]
    starts = list(range(0, count, batch))
    if batch > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


def fits(nbytes: int, device: torch.device) -> bool:
    """Whether data of so many bytes should live on the device; half of the free memory is the network's."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return nbytes <= free // 2


class Feed:
    """A split ready to be trained or evaluated on: batches of normalized float32 images and their labels."""

    def __init__(
        self, split: Split, normalization: Normalization, device: torch.device, *, keep: bool
    ) -> None:
        """Put the bytes of ``split`` where they stay, on ``device`` or, unless ``keep``, in main memory.

        From there each batch travels to ``device`` on its own.
        """
        self._home = device if keep else torch.device("cpu")
        self._device = device
        self._images = split.images.to(self._home)
        self._labels = split.labels.to(self._home)
        self._scale, self._shift = normalization.affine(split.images.ndim - 1, device)

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def image_values(self) -> int:
        """How many numbers one image has."""
        return self._images[0].numel()

    def shuffled(self, order: Tensor, bounds: list[tuple[int, int]]) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of ``order`` between ``bounds``: images [n, *shape] and labels [n]."""
        order = order.to(self._home)
        for start, end in bounds:
            index = order[start:end]
            yield self._batch(self._images.index_select(0, index), self._labels.index_select(0, index))

    def in_order(self, bounds: list[tuple[int, int]]) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches between ``bounds`` in the order of the data."""
        for start, end in bounds:
            yield self._batch(self._images[start:end], self._labels[start:end])

    def _batch(self, images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        images = images.to(self._device, non_blocking=True)
        labels = labels.to(self._device, non_blocking=True)
        return images.to(torch.float32).mul_(self._scale).add_(self._shift), labels
