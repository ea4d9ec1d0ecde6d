"""How a batch is computed so that a training step fits into memory: in slices, and with parts recomputed.

The update is that of the whole batch: the gradients of all slices add up before the optimizer's step. They
are live while the next slice runs, so a slice may be smaller than the largest batch that fits on its own.
Slices cost next to nothing, so parts of the network are recomputed only if the smallest slices do not fit,
or if the recipe asks for that first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from cnncli.algebra import ceil_div, whole
from cnncli.analysis.memory.recompute import Room, fewest_operations, least_peak
from cnncli.analysis.memory.usage import bytes_at, held, training_of
from cnncli.analysis.memory.walk import Walk
from cnncli.diagnostics import counted, readable_bytes, usage_error
from cnncli.graph import Graph
from cnncli.graph.segments import Segment, segments_of
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.recompute import AUTO


class Way(NamedTuple):
    """A way to compute a batch: in slices, with segments that are computed again; its peak in bytes.

    ``flops`` are those of a sample that are computed again.
    """

    batch: int
    slices: int
    segments: tuple[Segment, ...]
    peak: int
    flops: int

    @property
    def size(self) -> int:
        """The samples in the largest slice."""
        return ceil_div(self.batch, self.slices)


class Ways:
    """The ways to compute a batch of a training with ``settings``, in numbers of ``itemsize`` bytes."""

    def __init__(self, graph: Graph, itemsize: int, settings: Recipe, batch: int) -> None:
        self._training = training_of(graph, itemsize, settings)
        self._held = held(graph, itemsize, settings)
        self._batch = batch
        # Batch normalization cannot use one sample, so a slice has two or more.
        self.most = max(1, batch // 2)
        """The largest number of slices."""
        self.walk = cache(self._walk)

    def _walk(self, slices: int) -> Walk:
        return Walk(self._training, ceil_div(self._batch, slices), sliced=slices > 1)

    def way(self, slices: int, segments: Sequence[Segment] = ()) -> Way:
        """Return a way and its peak."""
        walk, beside = self.walk(slices), self.beside(slices)
        peaks = (live + more for live, more in zip(walk.peaks(segments), beside, strict=True))
        flops = sum(each.flops for each in walk.stretches(segments))
        return Way(self._batch, slices, tuple(segments), max(*peaks, self.step(slices)), flops)

    def beside(self, slices: int) -> Room:
        """Return what is live in the two passes of a slice, beside its own values.

        That is what the training holds, and the inputs of the other slices.
        """
        inputs = self.walk(1).image - self.walk(slices).image
        more = whole(self._held.passes(sliced=slices > 1)) + inputs
        return Room(more, more)

    def step(self, slices: int) -> int:
        """Return what is live in the optimizer's step."""
        walk = self.walk(slices)
        inputs = self.walk(1).image - walk.image
        outputs = bytes_at(self._training.outputs(), ceil_div(self._batch, slices))
        return whole(self._held.passes(sliced=True)) + max(map(whole, self._held.scratch)) + inputs + outputs


def step_peak(graph: Graph, itemsize: int, settings: Recipe, batch: int) -> int:
    """Return the peak of a step with a batch, in the slices and with the segments of the settings, in bytes.

    Raises:
        UsageError: ``settings.recompute`` names what cannot be recomputed.
        SpecError: a layer has no memory rule.
    """
    ways = Ways(graph, itemsize, settings, batch)
    return ways.way(min(settings.accumulate, ways.most), segments_of(graph, settings.recompute)).peak


def choose(graph: Graph, itemsize: int, settings: Recipe, batch: int, limit: int) -> Way:
    """Return the way to compute a batch with at most ``limit`` bytes that costs least.

    Raises:
        UsageError: there is none, or ``settings.recompute`` names what cannot be recomputed.
        SpecError: sizes are unknown, and the memory of a layer has no single formula.
    """
    ways = Ways(graph, itemsize, settings, batch)
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
    raise usage_error(
        f"a training step with a batch of {batch:,} does not fit, even in {counted(ways.most, 'slice')}"
        + ("" if given else " with parts recomputed"),
        expected=f"at least {readable_bytes(least)}",
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
