"""The parts of images that excite a channel most: as large as its receptive field.

M. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks", 2014, figure 2. Of every
image the position with the largest value counts, so the patches of a channel are from different images.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cnncli.results.training import Reading
from cnncli.training.kept_memory import memory_kept
from cnncli.training.looking.images import Images
from cnncli.training.looking.opened import Opened


class Excited(NamedTuple):
    """The largest values of channels, [channels, k], largest first, with where they are.

    ``images`` are the numbers of the images, int64 [channels, k], of equal values the lower one first;
    ``positions`` are those in a map, row by row, of equal values the first one; ``labels`` are the classes of
    the images, -1 without one.
    """

    values: Tensor
    images: Tensor
    positions: Tensor
    labels: Tensor


def most_excited(
    opened: Opened, layer: str, channels: Sequence[int], images: Images, most: int, reading: Reading = None
) -> Excited:
    """Return the images that excite channels of a layer most; none is kept while others are read."""
    values = opened.values([layer])
    chosen = torch.tensor(channels, dtype=torch.int64, device=opened.device)
    best = Excited(torch.empty(0), torch.empty(0), torch.empty(0), torch.empty(0))
    with memory_kept(opened.device):
        for batch in images.batches(reading):
            with torch.inference_mode():
                found = values(batch.inputs)[layer].index_select(1, chosen)
                maps = found.flatten(2) if found.ndim > 2 else found.unsqueeze(2)
                largest, positions = (each.cpu() for each in maps.max(2))
            numbers = torch.arange(batch.start, batch.start + len(maps)).unsqueeze(1).expand_as(largest)
            labels = batch.labels.unsqueeze(1).expand_as(largest)
            best = _merged(best, Excited(largest, numbers, positions, labels), most)
    return Excited(*(each.T.contiguous() for each in best))


def _merged(before: Excited, now: Excited, most: int) -> Excited:
    """Return the largest of both, each [n, channels]; of equal values those before come first."""
    if not before.values.numel():
        joined = now
    else:
        joined = Excited(*(torch.cat(pair) for pair in zip(before, now, strict=True)))
    order = joined.values.sort(dim=0, descending=True, stable=True).indices[:most]
    return Excited(*(each.gather(0, order) for each in joined))
