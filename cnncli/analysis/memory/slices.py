"""How a batch is computed so that a training step fits into memory: in slices, and with parts recomputed.

The update is that of the whole batch: the gradients of all slices add up before the optimizer's step. They
are live while the next slice runs, so a slice may be smaller than the largest batch that fits on its own.
Slices cost next to nothing, so parts of the network are recomputed only if the smallest slices do not fit,
or if the recipe asks for that first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

from cnncli.algebra import ceil_div, whole
from cnncli.analysis.memory.recompute import Room, fewest_operations, least_peak
from cnncli.analysis.memory.usage import bytes_at, held, training_of
from cnncli.analysis.memory.walk import Walk
from cnncli.diagnostics import counted, readable_bytes, usage_error
from cnncli.graph import Graph
from cnncli.graph.segments import Segment, segments_of
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.recompute import AUTO


class Manner(NamedTuple):
    """How a training computes, as far as its memory depends on it.

    Each of the ``processes`` has a share of every batch; ``others`` are the samples of smaller batches in an
    epoch. Layers compute in 16 bits if it ``is_mixed``: their values are counted in full nevertheless, and
    copies of the weights and of the inputs, so that a step needs no more (docs/memory.md).
    """

    processes: int = 1
    is_mixed: bool = False
    others: tuple[int, ...] = ()

    def slice_of(self, batch: int, slices: int) -> int:
        """Return the samples in the largest slice of a process's share of a batch.

        A slice has two samples or more, since batch normalization cannot use one; so has a share, or none.
        """
        least = batch // self.processes
        if least < _LEAST:
            return ceil_div(batch, max(1, batch // _LEAST))
        return ceil_div(ceil_div(batch, self.processes), max(1, min(slices, least // _LEAST)))


ALONE: Final = Manner()
_LEAST: Final = 2


class Way(NamedTuple):
    """A way to compute a batch: in slices, with segments that are computed again; its peak in bytes.

    ``size`` are the samples in the largest slice, ``flops`` those of a sample that are computed again.
    """

    size: int
    slices: int
    segments: tuple[Segment, ...]
    peak: int
    flops: int


class Ways:
    """The ways to compute a batch of a training with ``settings``, in numbers of ``itemsize`` bytes.

    Of several processes, those of the one with the largest share.
    """

    def __init__(
        self, graph: Graph, itemsize: int, settings: Recipe, batch: int, manner: Manner = ALONE
    ) -> None:
        self._training = training_of(graph, itemsize, settings)
        self._held = held(graph, itemsize, settings)
        self._batch, self._manner = batch, manner
        self.most = max(1, min(batch, settings.batch) // manner.processes // _LEAST)
        """The largest number of slices."""
        self.walk = cache(self._walk)

    def size(self, slices: int) -> int:
        """Return the samples in the largest slice of any batch."""
        return max(self._manner.slice_of(each, slices) for each in (self._batch, *self._manner.others))

    def _walk(self, slices: int) -> Walk:
        return Walk(self._training, self.size(slices), sliced=slices > 1)

    def way(self, slices: int, segments: Sequence[Segment] = ()) -> Way:
        """Return a way and its peak."""
        walk, beside = self.walk(slices), self.beside(slices)
        peaks = (live + more for live, more in zip(walk.peaks(segments), beside, strict=True))
        flops = sum(each.flops for each in walk.stretches(segments))
        return Way(self.size(slices), slices, tuple(segments), max(*peaks, self.step(slices)), flops)

    def beside(self, slices: int) -> Room:
        """Return what is live in the two passes of a slice, beside its own values.

        That is what the training holds, the inputs of the other slices, and copies in 16 bits.
        """
        image = self.walk(slices).image
        inputs = self.walk(1).image - image
        copies = ceil_div(whole(self._held.weights) + image, 2) if self._manner.is_mixed else 0
        more = whole(self._held.passes(sliced=slices > 1)) + inputs + copies
        return Room(more, more)

    def step(self, slices: int) -> int:
        """Return what is live after the passes: while gradients are added up, or in the optimizer's step."""
        walk, held = self.walk(slices), self._held
        inputs = self.walk(1).image - walk.image
        outputs = bytes_at(self._training.outputs(), self.size(slices))
        # Processes send copies of the gradients and of running statistics.
        sent = whole(held.gradients + held.buffers) if self._manner.processes > 1 else 0
        return whole(held.passes(sliced=True)) + max(sent, *map(whole, held.scratch)) + inputs + outputs


def step_peak(graph: Graph, itemsize: int, settings: Recipe, batch: int, manner: Manner = ALONE) -> int:
    """Return the peak of a step with a batch, in the slices and with the segments of the settings, in bytes.

    Raises:
        UsageError: ``settings.recompute`` names what cannot be recomputed.
        SpecError: a layer has no memory rule.
    """
    ways = Ways(graph, itemsize, settings, batch, manner)
    return ways.way(min(settings.accumulate, ways.most), segments_of(graph, settings.recompute)).peak


def choose(
    graph: Graph, itemsize: int, settings: Recipe, batch: int, limit: int, manner: Manner = ALONE
) -> Way:
    """Return the way to compute a batch with at most ``limit`` bytes that costs least.

    Raises:
        UsageError: there is none, or ``settings.recompute`` names what cannot be recomputed.
        SpecError: sizes are unknown, and the memory of a layer has no single formula.
    """
    ways = Ways(graph, itemsize, settings, batch, manner)
    first = settings.recompute == (AUTO,)
    given = () if first else segments_of(graph, settings.recompute)
    if not first and ways.way(ways.most, given).peak <= limit:
        return _fewest_slices(ways, given, limit)
    doubled = [2**number for number in range(ways.most.bit_length()) if 2**number < ways.most]
    for slices in (*(doubled if first else ()), *(() if given else (ways.most,))):
        beside = ways.beside(slices)
        room = Room(*(limit - more for more in beside))
        found = None if ways.step(slices) > limit else fewest_operations(ways.walk(slices), room)
        if found is not None:
            return _fewest_slices(ways, found.segments, limit)
    least = _least(ways, given)
    by = f" by {manner.processes} processes" if manner.processes > 1 else ""
    raise usage_error(
        f"a training step with a batch of {batch:,}{by} does not fit, even in {counted(ways.most, 'slice')}"
        + ("" if given else " with parts recomputed"),
        expected=f"at least {readable_bytes(least, up=True)}",
        received=readable_bytes(limit),
        hint="a smaller input, or a smaller train.batch, whose inputs are all in memory",
    )


def _fewest_slices(ways: Ways, segments: Sequence[Segment], limit: int) -> Way:
    """Return the fewest slices that fit; the largest number does."""
    whole_batch = ways.way(1, segments)
    if whole_batch.peak <= limit:
        return whole_batch
    least, most = 2, ways.most
    while least < most:
        middle = (least + most) // 2
        least, most = (least, middle) if ways.way(middle, segments).peak <= limit else (middle + 1, most)
    return ways.way(most, segments)


def _least(ways: Ways, given: Sequence[Segment]) -> int:
    """Return the smallest peak of all ways."""
    if given:
        return ways.way(ways.most, given).peak
    return max(ways.step(ways.most), least_peak(ways.walk(ways.most), ways.beside(ways.most)))
