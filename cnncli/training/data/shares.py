"""The share of each batch that this process computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from cnncli.training.data.feed import Alters, Batch, Feed
from cnncli.training.world import World


def shares(
    feed: Feed,
    order: Tensor,
    bounds: Sequence[tuple[int, int]],
    alters: Alters | None,
    world: World,
    *,
    mixes: bool,
) -> Iterator[Batch]:
    """Yield this process's samples of the batches of ``order`` between ``bounds``.

    If samples are mixed with the next one of their batch, the one after a share is transformed with it and
    then left out. The same is done for a share without samples, since not all transforms take none.
    """
    if world.size == 1:
        yield from feed.shuffled(order, bounds, alters)
        return
    places: list[int] = []
    own, kept = [], []
    for start, end in bounds:
        first, last = world.share(start, end)
        begun = len(places)
        places += range(first, last)
        if mixes or first == last:
            places.append(last if last < end else start)
        own.append((begun, len(places)))
        kept.append(last - first)
    batches = feed.shuffled(order[torch.tensor(places)], own, alters)
    for batch, count in zip(batches, kept, strict=True):
        yield batch.first(count)
