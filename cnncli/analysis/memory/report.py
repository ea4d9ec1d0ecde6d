"""The memory of a network for one batch, or the largest batch that fits."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.algebra import Dim
from cnncli.analysis.memory.peaks import Peak, Peaks
from cnncli.analysis.memory.usage import LargestBatch, Memory, largest_batch, memory
from cnncli.diagnostics import readable_bytes, usage_error
from cnncli.graph import Graph
from cnncli.language.sections import Quantity
from cnncli.layers import shape_text
from cnncli.recipe.dtypes import SMALLEST_DTYPE, itemsize
from cnncli.recipe.recipe import Recipe


class Fits(NamedTuple):
    """The largest batches in a memory of ``limit`` bytes."""

    limit: int
    inference: LargestBatch
    training: LargestBatch


class MemoryReport(NamedTuple):
    """A network's memory for a batch, and what it was computed for. All amounts are bytes."""

    graph: Graph
    memory: Memory
    batch: int
    dtype: str
    settings: Recipe
    peaks: Peaks
    fits: Fits | None = None

    def __repr__(self) -> str:
        optimizer = self.settings.optimizer.keyword
        return f"<MemoryReport {self.graph.name}: batch {self.batch}, {self.dtype}, {optimizer}>"

    @property
    def weights(self) -> Dim:
        """The parameters."""
        return self.memory.weights

    @property
    def saved(self) -> Dim:
        """What autograd keeps for the backward pass."""
        return self.memory.saved.at(self.batch)

    @property
    def inference_peak(self) -> Peak:
        """The most memory that is live at once in inference."""
        return self.peaks.of(self.memory.inference)

    @property
    def training_peak(self) -> Peak:
        """The most memory that is live at once in a training step."""
        return self.peaks.of(self.memory.training)


def memory_report(
    graph: Graph, settings: Recipe, batch: int, dtype: str, fit_into: int | str | None
) -> MemoryReport:
    """Return the memory for a batch; with ``fit_into`` the batch is the largest that fits into it.

    Raises:
        UsageError: an argument is wrong, or not even one sample fits.
        SpecError: sizes are unknown, and a layer's memory has no single formula.
    """
    bytes_per_number = itemsize(dtype)
    if fit_into is not None and graph.unknowns:
        raise usage_error(
            "the largest batch depends on the unknown sizes",
            expected="an input size in numbers",
            received=shape_text(graph.input),
            hint="the memory of a batch can be a formula: leave out the size to fit into",
        )
    found = memory(graph, bytes_per_number, settings)
    fits = _fits(found, room_of(fit_into)) if fit_into is not None else None
    samples = batch if fits is None else fits.training.batch or fits.inference.batch
    return MemoryReport(graph, found, samples, dtype, settings, Peaks(graph, samples), fits)


def room_of(memory: int | str) -> int:
    """Return an amount of memory in bytes: a number, or a text such as ``16GiB``.

    Raises:
        UsageError: it is not one.
    """
    reader = Quantity(of_bytes=True)
    amount = reader.amount(str(memory))
    if amount is None:
        raise usage_error(f"'{memory}' is not an amount of memory", expected=reader.expected)
    return amount


def _fits(found: Memory, room: int) -> Fits:
    fits = Fits(room, largest_batch(found.inference, room), largest_batch(found.training, room))
    if not fits.inference.batch and not fits.training.batch:
        use, train = (readable_bytes(each.next_peak, up=True) for each in fits[1:])
        raise usage_error(
            "not even one sample fits",
            expected=f"{use} for inference, {train} for training",
            received=readable_bytes(room),
            hint=f"a smaller input, or dtype {SMALLEST_DTYPE}",
        )
    return fits
