"""How much memory a network takes, at work and in training: docs/memory.md says what is counted.

One walk over the graph answers for all batches, since every amount is so many bytes once and so many for
each sample; the largest batch that fits is a division. Where sizes are unknown, amounts are formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from cnncli.algebra import Dim, product, summed, whole
from cnncli.analysis.costs.figures import numbers
from cnncli.analysis.memory.liveness import Bytes, Training, in_bytes
from cnncli.analysis.memory.peaks import BACKWARD, FORWARD, STEP, Moment, working
from cnncli.graph import Graph, Node
from cnncli.language.sections import Train
from cnncli.layers.memory.spaces import room

ITEMSIZES: Final = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
"""Bytes of a number, by the name that torch has for its type."""


class Row(NamedTuple):
    """A layer.

    ``weights`` are the bytes of its parameters and buffers, ``working`` the moments of its turn outside of
    training (all that is alive then but weights; no moments where it has no turn), ``saved`` what autograd
    keeps because of it and of no layer before it.
    """

    node: Node
    weights: Dim
    working: tuple[Moment, ...]
    saved: Bytes


class Memory(NamedTuple):
    """The memory of a network, in one type of numbers and with one optimizer.

    ``state`` is the optimizer's, ``image`` the network's input, ``saved`` what autograd keeps beside it.
    """

    rows: tuple[Row, ...]
    weights: Dim
    buffers: Dim
    gradients: Dim
    state: Dim
    image: Bytes
    saved: Bytes
    inference: tuple[Moment, ...]
    training: tuple[Moment, ...]


def memory(graph: Graph, itemsize: int, settings: Train) -> Memory:
    """The memory of a graph whose numbers have ``itemsize`` bytes, trained as ``settings`` say.

    Raises:
        SpecError: sizes are unknown, and the memory of a layer has no one formula for all of them.
    """
    weights = itemsize * summed(numbers(node.parameters) for node in graph.nodes)
    buffers = itemsize * summed(numbers(node.buffers) for node in graph.nodes)
    state = _copies(settings) * weights
    training = Training(graph, itemsize)
    saved = training.saved()
    image = in_bytes(room(graph.input), itemsize)
    turns = working(graph, itemsize)
    held = Bytes(weights + buffers)
    forward, backward = held.plus(Bytes(weights + state)), held.plus(Bytes(state))
    stepping = Bytes(weights + state + itemsize * _stepping(graph, settings)).plus(held, training.outputs())
    return Memory(
        rows=tuple(_row(node, itemsize, turns.get(node.name, ()), saved[node.name]) for node in graph.nodes),
        weights=weights,
        buffers=buffers,
        gradients=weights,
        state=state,
        image=image,
        saved=Bytes().plus(*saved.values()),
        inference=tuple(
            each._replace(held=each.held.plus(held)) for moments in turns.values() for each in moments
        ),
        training=(
            *(Moment(turn.alive.plus(forward), FORWARD, turn.node) for turn in training.forward()),
            *(Moment(turn.alive.plus(backward), BACKWARD, turn.node) for turn in training.backward()),
            Moment(stepping, STEP),
        ),
    )


def fullest(moments: Sequence[Moment], batch: int) -> Moment:
    """The first of the moments at which most is held, for a batch."""
    return max(moments, key=lambda moment: bytes_at(moment.held, batch))


def bytes_at(amount: Bytes, batch: int) -> int:
    """The bytes for a batch, of a network whose sizes are numbers."""
    return whole(amount.at(batch))


def largest_batch(moments: Sequence[Moment], limit: int) -> int:
    """The most samples at once for which no moment holds more than ``limit`` bytes; 0 if there is none."""
    room_for = []
    for moment in moments:
        once = bytes_at(moment.held, 0)
        each = bytes_at(moment.held, 1) - once
        # At each moment at least the input is there, so that none takes nothing for a sample.
        room_for.append(max((limit - once) // each, 0))
    return min(room_for)


class Fit(NamedTuple):
    """The most samples at once that fit into a memory; the most that is held then, and with one more."""

    batch: int
    peak: int
    next_peak: int


def fit(moments: Sequence[Moment], limit: int) -> Fit:
    """The largest batch for which no moment holds more than ``limit`` bytes.

    It is 0 where not even one sample fits; ``peak`` is then that of no sample at all.
    """
    batch = largest_batch(moments, limit)
    peak, next_peak = (bytes_at(fullest(moments, size).held, size) for size in (batch, batch + 1))
    return Fit(batch, peak, next_peak)


def _row(node: Node, itemsize: int, turn: tuple[Moment, ...], saved: Bytes) -> Row:
    return Row(node, itemsize * (numbers(node.parameters) + numbers(node.buffers)), turn, saved)


def _copies(settings: Train) -> int:
    """How many numbers the optimizer keeps for each parameter: AdamW two means, SGD its direction if any."""
    return 2 if settings.optimizer == "adamw" else int(settings.momentum != 0)


def _stepping(graph: Graph, settings: Train) -> Dim:
    """How many numbers the optimizer makes for its step, where torch treats all parameters at once.

    AdamW takes the roots of one of its means; SGD adds weight decay to copies of the gradients of matrices
    and kernels (cnncli/training/optimization/optimizers.py).
    """
    shapes = (shape for node in graph.nodes for shape in node.parameters.values())
    if settings.optimizer != "adamw":
        shapes = (shape for shape in shapes if len(shape) > 1 and settings.weight_decay)
    return summed(map(product, shapes))
