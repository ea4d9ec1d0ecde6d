"""Find the peak: at one moment if sizes are numbers, at one of several if they are unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property, reduce
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cnncli.algebra import Dim
from cnncli.analysis.memory.liveness import Bytes, inference
from cnncli.graph import Graph

if TYPE_CHECKING:
    from cnncli.algebra.bounds import Bounds

FORWARD: Final = "forward"
BACKWARD: Final = "backward"
STEP: Final = "step"

FEW: Final = 4
"""A peak is written as the maximum of at most this many formulas."""

_DOMINATING: Final = 8
"""Number of moments with which the others are compared; those that are the peak for an example come first."""


class Moment(NamedTuple):
    """A moment that may be the peak, and the memory that is live then.

    ``phase`` is ``forward``, ``backward`` or ``step``; ``node`` is the node that runs, and empty in the
    optimizer's step.
    """

    live: Bytes
    phase: str
    node: str = ""


def inference_moments(graph: Graph, itemsize: int) -> dict[str, tuple[Moment, ...]]:
    """Return the moments of every node during inference, without weights; the input's come first."""
    moments: dict[str, tuple[Moment, ...]] = {}
    for each in inference(graph, itemsize):
        moments[each.node] = (*moments.get(each.node, ()), Moment(each.live, FORWARD, each.node))
    return moments


class Peak(NamedTuple):
    """The most memory that is live at once, at one of ``moments``; which one may depend on the sizes.

    ``amounts`` are the bytes at each of ``moments``; the peak is the largest of them, whatever the sizes.
    """

    amounts: tuple[Dim, ...]
    moments: tuple[Moment, ...]

    def __call__(self, **sizes: Any) -> Any:
        """Return the bytes of the peak for sizes: whole numbers, or NumPy arrays of them.

        Raises:
            TypeError: an unknown has no size, or a size is not a whole number.
        """
        return reduce(_larger, (each if isinstance(each, int) else each(**sizes) for each in self.amounts))


def _larger(first: Any, second: Any) -> Any:
    """Return the larger of two numbers, or of each pair in two arrays."""
    return first + (second - first) * (second > first)


class Peaks:
    """The peaks of a network, for a batch."""

    def __init__(self, graph: Graph, batch: int) -> None:
        self._graph = graph
        self._batch = batch

    def of(self, moments: Iterable[Moment]) -> Peak:
        """Return the peak of some moments: the first largest, or all that are not proved to be smaller."""
        peak = self._of(moments, None)
        assert peak is not None
        return peak

    def of_few(self, moments: Iterable[Moment]) -> Peak | None:
        """Return the same, or None if more than :data:`FEW` moments remain."""
        return self._of(moments, FEW)

    def _of(self, moments: Iterable[Moment], most: int | None) -> Peak | None:
        by_amount: dict[Dim, Moment] = {}
        for moment in moments:
            by_amount.setdefault(moment.live.at(self._batch), moment)
        kept: Iterable[Dim] | None
        numbers = [amount for amount in by_amount if isinstance(amount, int)]
        if len(numbers) == len(by_amount):
            kept = [max(numbers)]
        else:
            kept = self._undominated([*by_amount], most) if len(by_amount) > 1 else by_amount
        if kept is None:
            return None
        amounts = tuple(kept)
        return Peak(amounts, tuple(by_amount[amount] for amount in amounts))

    def _undominated(self, amounts: Sequence[Dim], most: int | None) -> list[Dim] | None:
        """Return the amounts that may be the largest, in their order; None if there are more than ``most``.

        One that is the largest for some example sizes has to stay, and is likely to dominate others.
        """
        bounds = self._bounds
        columns = zip(*map(bounds.at_examples, amounts), strict=True)
        leading = dict.fromkeys(amounts[column.index(max(column))] for column in columns)
        kept: list[Dim] = []
        for amount in (*leading, *(each for each in amounts if each not in leading)):
            if not any(bounds.never_below(other, amount) for other in kept[:_DOMINATING]):
                kept = [other for other in kept if not bounds.never_below(amount, other)] + [amount]
            if most is not None and len(kept) > most:
                return None
        return [amount for amount in amounts if amount in kept]

    @cached_property
    def _bounds(self) -> Bounds:
        # Imported here because few commands need it.
        from cnncli.algebra.bounds import Bounds  # noqa: PLC0415

        assert self._graph.domain is not None, "amounts are formulas, so the graph has a domain"
        return Bounds(self._graph.domain, self._graph.unknowns)
