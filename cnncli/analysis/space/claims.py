"""What there is to measure about shifts, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from cnncli.analysis.space.receptive_field import receptive_fields
from cnncli.analysis.space.shifts import Shift, shifts
from cnncli.graph import Graph, Node

EXACT: Final = 1e-9
"""The largest deviation, as a share of the largest value, that rounding of 64-bit numbers is taken for."""


class Claim(NamedTuple):
    """What is predicted of a map along one axis, and the outputs ``clear`` of all borders, where it holds.

    ``void`` says why there is nothing to measure; empty where there is.
    """

    node: Node
    axis: int
    shift: Shift
    clear: range
    void: str

    @property
    def compared(self) -> int:
        """How many positions of the one view show what positions of the other do."""
        return 0 if self.void else len(self.clear) - self.shift.moves


class Found(NamedTuple):
    """A claim, and the largest deviation from it as a share of the largest value; None where it is void."""

    claim: Claim
    deviation: float | None

    @property
    def holds(self) -> bool:
        """Whether nothing but rounding was found."""
        return self.deviation is None or self.deviation <= EXACT


class Change(NamedTuple):
    """How far an output changes, along each axis, where the input moves by so many pixels.

    The length of the difference as a share of the output's own; None where no position is in both views.
    """

    pixels: int
    along: tuple[float | None, ...]


class Probe(NamedTuple):
    """All that was measured: the claims about every map in use, and the changes of every output."""

    found: tuple[Found, ...]
    changes: Mapping[str, tuple[Change, ...]]

    @property
    def holds(self) -> bool:
        """Whether every claim does."""
        return all(each.holds for each in self.found)


def claims(graph: Graph) -> Iterator[Claim]:
    """What is predicted of every map in use, axis by axis."""
    fields, answers = receptive_fields(graph), shifts(graph)
    for node in graph.nodes:
        if node.training_only or len(node.output) == 1:
            continue
        axes = fields[node.name].axes
        for axis, shift in enumerate(answers[node.name]):
            clear = axes[axis].clear if axes is not None else range(0)
            yield Claim(node, axis, shift, clear, _void(shift, clear, sees_all=axes is None))


def _void(shift: Shift, clear: range, *, sees_all: bool) -> str:
    if shift.broken is not None:
        return "none survives"
    if not shift.moves:
        return "stays the same"
    if sees_all:
        return "sees all borders"
    return "" if len(clear) > shift.moves else "no room"
