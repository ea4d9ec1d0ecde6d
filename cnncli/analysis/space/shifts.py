"""The shifts of the input under which a node's output is only translated: translation equivariance.

A convolution commutes with translations; with a stride s, only with those by multiples of s. The output of
a transposed convolution moves by s for each position its input moves. At a join, all branches must move by
the same distance. A fully connected layer has separate weights for every position and is not equivariant
(LeCun et al., Gradient-based learning applied to document recognition, 1998, section II A; Goodfellow, Bengio
and Courville, Deep learning, 2016, section 9.2). All of this applies away from the borders, where a shift
brings in what was outside before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import gcd, lcm
from typing import NamedTuple

from cnncli.algebra import whole
from cnncli.analysis.space.large import too_large
from cnncli.graph import Graph, Node
from cnncli.language.description import INPUT
from cnncli.layers import Reads, UnderShift
from cnncli.layers.geometry.axis import AnyWindow
from cnncli.layers.geometry.resampling import AdaptiveWindow
from cnncli.limits import MAX_EXACT


class Break(NamedTuple):
    """The first node on a path that is not equivariant to any shift, and why."""

    node: str
    reason: str


class Shift(NamedTuple):
    """How a node's output responds to a shift of the input along one axis.

    ``pixels`` is the smallest shift, in input positions, under which the output is only translated; its
    multiples are the others. ``moves`` is the number of positions by which the output then moves; 0 if it
    stays the same. ``broken`` is why there is no such shift; then ``pixels`` and ``moves`` have no meaning.
    """

    pixels: int
    moves: int
    broken: Break | None = None


class _Branch(NamedTuple):
    """An input of a node along an axis: its shift, the window that reads it, and its size."""

    shift: Shift
    window: AnyWindow | Reads
    n: int

    @property
    def same_everywhere(self) -> bool:
        """Whether all outputs read one constant position, which is compatible with any translation."""
        if self.shift.moves or isinstance(self.window, Reads):
            return False
        return self.window.cycle(self.n).advance == 0


def shifts(graph: Graph) -> Mapping[str, tuple[Shift, ...]]:
    """Return the shift of every node along every axis of the input, by its name.

    Raises:
        LimitError: one has too many digits.
    """
    rank = len(graph.input) - 1
    found = {INPUT: (Shift(1, 1),) * rank}
    for node in graph.nodes:
        found[node.name] = tuple(_along(node, axis, found) for axis in range(rank))
        if any(max(shift.pixels, shift.moves) > MAX_EXACT for shift in found[node.name]):
            raise too_large(node, "the shift of its output")
    return found


def _along(node: Node, axis: int, found: Mapping[str, tuple[Shift, ...]]) -> Shift:
    answers = [found[name][axis] for name in node.sources]
    broken = _first_broken(answers)
    if broken is not None:
        return broken
    if not any(answer.moves for answer in answers):
        return Shift(lcm(*(answer.pixels for answer in answers)), 0)
    # An output that moves has the axes of the input: a layer that removes them makes it stay or breaks it.
    branches = [
        _Branch(answer, extent if isinstance(extent, Reads) else extent[axis], whole(shape[axis + 1]))
        for answer, extent, shape in zip(
            answers, node.layer.extents(node.input_shape), node.input_shapes[: len(answers)], strict=True
        )
    ]
    return _meet(node, branches)


def _meet(node: Node, branches: Sequence[_Branch]) -> Shift:
    """Return the smallest shift under which all branches move by the same distance."""
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
    """Return how a node's output responds if only this branch is considered."""
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
        return _broken(node, "all its outputs read the same position")
    if advance == n and not window.even(n):
        return _broken(node, "its windows differ in length")
    times = advance // gcd(shift.moves, advance)
    return Shift(shift.pixels * times, shift.moves * times // advance * period)


def _under_all(node: Node, shift: Shift) -> Shift:
    """Return how an output that reads every position responds."""
    answer = node.layer.under_shift(node.input_shape)
    if answer is UnderShift.BREAKS:
        return _broken(node, "it depends on position")
    return shift if answer is UnderShift.MOVES else shift._replace(moves=0)


def _first_broken(answers: Sequence[Shift]) -> Shift | None:
    return next((answer for answer in answers if answer.broken is not None), None)


def _broken(node: Node, reason: str) -> Shift:
    return Shift(0, 0, Break(node.name, reason))
