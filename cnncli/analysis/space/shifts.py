"""Under which shifts of the input a node's output only moves: translation equivariance.

A convolution commutes with a translation; with a stride s it does so where the translation is a
multiple of s. A transposed convolution moves by s for each position its input moves. Where paths meet,
all of them must have moved alike. A fully connected layer has weights of its own for every position,
and no shift survives it (LeCun et al., Gradient-based learning applied to document recognition, 1998,
section II A; Goodfellow, Bengio and Courville, Deep learning, 2016, section 9.2). All of this holds
away from the borders, where a shift brings in what was outside before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd, lcm
from typing import NamedTuple

from cnncli.algebra import whole
from cnncli.graph import Graph, Node
from cnncli.language.description import INPUT
from cnncli.layers import Reads, UnderShift
from cnncli.layers.geometry.window import AdaptiveWindow, AnyWindow


class Break(NamedTuple):
    """The first node on the way that no shift survives, and why."""

    node: str
    reason: str


class Shift(NamedTuple):
    """How a node's output answers to a shift of the input along one axis.

    ``pixels``: the smallest shift, in input positions, under which nothing but positions changes; its
    multiples are the others. ``moves``: by how many positions the output moves then; 0: it stays the same.
    ``broken``: why there is no such shift; ``pixels`` and ``moves`` mean nothing then.
    """

    pixels: int
    moves: int
    broken: Break | None = None


class _Branch(NamedTuple):
    """An input of a node along an axis: its own answer, what reads it, and its size."""

    shift: Shift
    window: AnyWindow | Reads
    n: int

    @property
    def same_everywhere(self) -> bool:
        """Whether one position that stays the same stands for all: that moves with whatever moves."""
        if self.shift.moves or isinstance(self.window, Reads):
            return False
        return self.window.cycle(self.n).advance == 0


def shifts(graph: Graph) -> Mapping[str, tuple[Shift, ...]]:
    """The answer of every node along every axis of the input, by its name."""
    rank = len(graph.input) - 1
    found = {INPUT: (Shift(1, 1),) * rank}
    for node in graph.nodes:
        found[node.name] = tuple(_along(node, axis, found) for axis in range(rank))
    return found


def _along(node: Node, axis: int, found: Mapping[str, tuple[Shift, ...]]) -> Shift:
    answers = [found[name][axis] for name in node.inputs]
    broken = _first_broken(answers)
    if broken is not None:
        return broken
    if not any(answer.moves for answer in answers):
        return Shift(lcm(*(answer.pixels for answer in answers)), 0)
    # What moves has the axes of the input: whatever takes them away makes it stay, or breaks it.
    branches = [
        _Branch(answer, reading if isinstance(reading, Reads) else reading[axis], whole(shape[axis + 1]))
        for answer, reading, shape in zip(
            answers, node.layer.readings(node.input_shape), node.input_shapes, strict=True
        )
    ]
    return _meet(node, branches)


def _meet(node: Node, branches: Sequence[_Branch]) -> Shift:
    """A shift under which all branches move by the same distance."""
    answers = [_through(node, branch) for branch in branches]
    broken = _first_broken(answers)
    if broken is not None:
        return broken
    pixels = lcm(*(answer.pixels for answer in answers))
    distances = {
        answer.moves * pixels // answer.pixels
        for answer, branch in zip(answers, branches, strict=True)
        if not branch.same_everywhere
    }
    if len(distances) > 1:
        return _broken(node, "its branches move by different distances")
    return Shift(pixels, distances.pop())


def _through(node: Node, branch: _Branch) -> Shift:
    """How what a node makes of one branch answers."""
    shift, window, n = branch
    if window is Reads.ALL or window is Reads.EVERYWHERE:
        return _under_all(node, shift)
    if window is Reads.EACH or not shift.moves:
        return shift
    if window is Reads.SCRAMBLED:
        return _broken(node, "it rearranges positions")
    if isinstance(window, AdaptiveWindow) and window.size == 1:
        return shift._replace(moves=0)  # as global pooling does
    period, advance = window.cycle(n)
    if advance == 0:
        return _broken(node, "one position stands for all")
    if advance == n and not window.even(n):
        return _broken(node, "its windows differ in length")
    times = advance // gcd(shift.moves, advance)
    return Shift(shift.pixels * times, shift.moves * times // advance * period)


def _under_all(node: Node, shift: Shift) -> Shift:
    """How an output that reads every position answers."""
    answer = node.layer.under_shift(node.input_shape)
    if answer is UnderShift.BREAKS:
        return _broken(node, "it depends on position")
    return shift if answer is UnderShift.MOVES else shift._replace(moves=0)


def _first_broken(answers: Sequence[Shift]) -> Shift | None:
    return next((answer for answer in answers if answer.broken is not None), None)


def _broken(node: Node, reason: str) -> Shift:
    return Shift(0, 0, Break(node.name, reason))
