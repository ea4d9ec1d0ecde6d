"""Which samples are in each batch."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor


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


def slice_bounds(count: int, slices: int) -> list[tuple[int, int]]:
    """Return the start and the end of each slice of a batch: their sizes differ by one at most.

    There are no slices of one sample in a batch of several, for the same reason.
    """
    slices = max(1, min(slices, count // 2))
    return [(count * number // slices, count * (number + 1) // slices) for number in range(slices)]
