"""What is predicted of shifts, and what a forward pass measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from cnncli.analysis.space.shifts import Shift
from cnncli.graph import Node

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
