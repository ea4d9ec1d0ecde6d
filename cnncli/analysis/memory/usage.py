"""How much memory a network needs for inference and for training; docs/memory.md defines what is counted.

One walk over the graph answers for all batch sizes, since every amount consists of bytes that are needed once
and bytes for each sample; the largest batch that fits is a division. If sizes are unknown, amounts are
formulas.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cnncli.algebra import Dim, product, summed, whole
from cnncli.analysis.costs.figures import numbers
from cnncli.analysis.memory.liveness import Bytes, Training, in_bytes
from cnncli.analysis.memory.peaks import BACKWARD, FORWARD, STEP, Moment, inference_moments
from cnncli.graph import Graph, Node
from cnncli.graph.learning import Learning, Way, learning_of, tensors_of, without_frozen
from cnncli.layers.memory import room
from cnncli.recipe.recipe import Recipe


class Row(NamedTuple):
    """The memory of a layer.

    ``weights`` are the bytes of its parameters and buffers; ``inference`` the moments while it runs outside
    of training, with everything that is live except weights (empty for a layer that runs in training only);
    ``saved`` what autograd keeps for this layer and for no earlier one.
    """

    node: Node
    weights: Dim
    inference: tuple[Moment, ...]
    saved: Bytes


class Memory(NamedTuple):
    """The memory of a network, for one dtype and one optimizer.

    ``gradients`` and the optimizer's ``state`` are those of layers that lead to an output, ``average`` is
    that of the weights, ``image`` the network's input, ``saved`` what autograd keeps besides the input.
    """

    rows: tuple[Row, ...]
    weights: Dim
    buffers: Dim
    gradients: Dim
    state: Dim
    average: Dim
    image: Bytes
    saved: Bytes
    inference: tuple[Moment, ...]
    training: tuple[Moment, ...]

    def __repr__(self) -> str:
        return f"<Memory of {len(self.rows)} layers: weights {self.weights}, saved {self.saved}>"


def memory(graph: Graph, itemsize: int, settings: Recipe) -> Memory:
    """Compute the memory of a graph whose numbers have ``itemsize`` bytes, trained with ``settings``.

    Raises:
        SpecError: sizes are unknown, and the memory of a layer has no single formula for all of them.
    """
    kept, training = held(graph, itemsize, settings), training_of(graph, itemsize, settings)
    saved = training.saved()
    image = in_bytes(room(graph.input), itemsize)
    by_node = inference_moments(graph, itemsize)
    model = Bytes(kept.weights + kept.buffers)
    return Memory(
        rows=tuple(
            _row(node, itemsize, by_node.get(node.name, ()), saved[node.name]) for node in graph.nodes
        ),
        weights=kept.weights,
        buffers=kept.buffers,
        gradients=kept.gradients,
        state=kept.state,
        average=kept.average,
        image=image,
        saved=Bytes().plus(*saved.values()),
        inference=tuple(
            each._replace(live=each.live.plus(model)) for moments in by_node.values() for each in moments
        ),
        training=step_moments(training, kept, sliced=settings.accumulate > 1),
    )


class Held(NamedTuple):
    """The bytes that a training holds throughout, and the gradients, until the end of a step.

    ``average`` is a second copy of weights and buffers; ``scratch`` is what the optimizer allocates at
    each moment of its step that may be the peak.
    """

    weights: Dim
    buffers: Dim
    gradients: Dim
    state: Dim
    average: Dim
    scratch: tuple[Dim, ...]

    def passes(self, *, sliced: bool) -> Dim:
        """Return what is held in the two passes; of a slice with the gradients of those before it."""
        always = self.weights + self.buffers + self.state + self.average
        return always + self.gradients if sliced else always


def training_of(graph: Graph, itemsize: int, settings: Recipe) -> Training:
    """Return a step of a training with ``settings``, in numbers of ``itemsize`` bytes."""
    return Training(without_frozen(graph, learning_of(graph, settings)), itemsize)


def held(graph: Graph, itemsize: int, settings: Recipe) -> Held:
    """Return what a training holds, in numbers of ``itemsize`` bytes."""
    weights = itemsize * summed(numbers(node.parameters) for node in graph.nodes)
    buffers = itemsize * summed(numbers(node.buffers) for node in graph.nodes)
    learning = learning_of(graph, settings)
    ways = [*_ways(without_frozen(graph, learning), learning)]
    # What leads to no output gets no gradient, and torch's optimizers pass it over.
    return Held(
        weights=weights,
        buffers=buffers,
        gradients=itemsize * summed(count for _, count in ways),
        state=itemsize * summed(way.optimizer.state * count for way, count in ways),
        average=0 if settings.average is None else weights + buffers,
        scratch=tuple(itemsize * each for each in _scratch(ways)),
    )


def step_moments(training: Training, kept: Held, *, sliced: bool = False) -> tuple[Moment, ...]:
    """Return the moments of a step; if the batch is ``sliced``, those of a slice after the first one.

    The gradients of the slices before it are live then.
    """
    passes, step = kept.passes(sliced=sliced), Bytes(kept.passes(sliced=True)).plus(training.outputs())
    return (
        *(Moment(each.live.plus(Bytes(passes)), FORWARD, each.node) for each in training.forward()),
        *(
            Moment(each.live.plus(Bytes(passes)), BACKWARD, each.node)
            for each in training.backward(again=sliced)
        ),
        *(Moment(step.plus(Bytes(each)), STEP) for each in kept.scratch),
    )


def peak_moment(moments: Sequence[Moment], batch: int) -> Moment:
    """Return the first of the moments with the most live memory, for a batch."""
    return max(moments, key=lambda moment: bytes_at(moment.live, batch))


def bytes_at(amount: Bytes, batch: int) -> int:
    """Return the bytes for a batch, for a network whose sizes are numbers."""
    return whole(amount.at(batch))


class LargestBatch(NamedTuple):
    """The largest batch within a memory limit, its peak, and the peak with one sample more."""

    batch: int
    peak: int
    next_peak: int


def largest_batch(moments: Sequence[Moment], limit: int) -> LargestBatch:
    """Find the largest batch for which no moment needs more than ``limit`` bytes.

    If not even one sample fits, the batch is 0, and ``peak`` is that of no sample at all.
    """
    batch = min(_samples(moment, limit) for moment in moments)
    peak, next_peak = (bytes_at(peak_moment(moments, size).live, size) for size in (batch, batch + 1))
    return LargestBatch(batch, peak, next_peak)


def _samples(moment: Moment, limit: int) -> int:
    """Return for how many samples a moment stays within ``limit`` bytes."""
    once = bytes_at(moment.live, 0)
    # At every moment at least the input is live, so each sample takes some memory.
    each = bytes_at(moment.live, 1) - once
    return max((limit - once) // each, 0)


def _row(node: Node, itemsize: int, moments: tuple[Moment, ...], saved: Bytes) -> Row:
    return Row(node, itemsize * (numbers(node.parameters) + numbers(node.buffers)), moments, saved)


def _ways(graph: Graph, learning: Learning) -> Iterator[tuple[Way, Dim]]:
    """Yield how each tensor that gets a gradient is learned, and how many numbers it has."""
    for node in graph.nodes:
        if not node.unused:
            for name, shape in tensors_of(node).items():
                yield learning.way(name, len(shape)), product(shape)


def _scratch(ways: Sequence[tuple[Way, Dim]]) -> Iterator[Dim]:
    """Yield how many numbers are allocated at the moments of a step.

    Those for all tensors at once are an upper bound: torch updates tensors with the same settings together,
    and then the next ones.
    """
    amounts = [(way.optimizer.one_by_one, way.optimizer.scratch(way.decay) * count) for way, count in ways]
    yield summed(amount for alone, amount in amounts if not alone)
    singles = [amount for alone, amount in amounts if alone]
    known = [amount for amount in singles if isinstance(amount, int)]
    yield from ([max(known)] if known else [])
    yield from (amount for amount in singles if not isinstance(amount, int))
