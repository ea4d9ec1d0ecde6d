"""Which moment is the fullest: one for sizes in numbers; where they are unknown, it may depend on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from cnncli.algebra import Dim
from cnncli.analysis.memory.liveness import Bytes, at_work
from cnncli.graph import Graph

if TYPE_CHECKING:
    from cnncli.algebra.bounds import Bounds

FORWARD: Final = "forward"
BACKWARD: Final = "backward"
STEP: Final = "step"

FEW: Final = 4
"""The largest of so many formulas is still read as one; of more, it depends on the size."""

_DOMINATING: Final = 8
"""With so many moments the others are compared: the largest somewhere come first."""


class Moment(NamedTuple):
    """A moment that may be the fullest, and all that is held then.

    ``phase`` is ``forward``, ``backward`` or ``step``; ``node`` says whose turn it is, and is empty in the
    optimizer's step.
    """

    held: Bytes
    phase: str
    node: str = ""


def working(graph: Graph, itemsize: int) -> dict[str, tuple[Moment, ...]]:
    """The moments of every node's turn outside of training, without weights; the input's are first."""
    moments: dict[str, tuple[Moment, ...]] = {}
    for turn in at_work(graph, itemsize):
        moments[turn.node] = (*moments.get(turn.node, ()), Moment(turn.alive, FORWARD, turn.node))
    return moments


class Peak(NamedTuple):
    """The most that is held at once: at one moment, or at one of several, by the sizes.

    ``amounts`` are the bytes at each of ``moments``; the peak is the largest of them, whatever the sizes.
    """

    amounts: tuple[Dim, ...]
    moments: tuple[Moment, ...]


class Peaks:
    """The peaks of a network, for a batch."""

    def __init__(self, graph: Graph, batch: int) -> None:
        self._graph = graph
        self._batch = batch

    def of(self, moments: Iterable[Moment]) -> Peak:
        """The fullest of some moments: the first one, or all that are not proved to be second."""
        peak = self._of(moments, None)
        assert peak is not None
        return peak

    def of_few(self, moments: Iterable[Moment]) -> Peak | None:
        """The same, but None as soon as more than a :data:`FEW` are left."""
        return self._of(moments, FEW)

    def _of(self, moments: Iterable[Moment], most: int | None) -> Peak | None:
        by_amount: dict[Dim, Moment] = {}
        for moment in moments:
            by_amount.setdefault(moment.held.at(self._batch), moment)
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
        """Those that may be the largest, in their order.

        One that is the largest somewhere cannot be left out, and is likely to be larger everywhere.
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
        # Imported here: what few commands need.
        from cnncli.algebra.bounds import Bounds  # noqa: PLC0415

        assert self._graph.domain is not None, "only numbers have no domain"
        return Bounds(self._graph.domain, self._graph.unknowns)
