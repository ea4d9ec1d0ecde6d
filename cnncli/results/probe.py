"""What is predicted about shifts, and what a forward pass measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from cnncli.analysis.space.claims import Claim

EXACT: Final = 1e-9
"""The largest relative deviation that is attributed to the rounding of 64-bit numbers."""


class Found(NamedTuple):
    """A claim and the largest deviation from it, relative to the largest value; None where it is void."""

    claim: Claim
    deviation: float | None

    @property
    def holds(self) -> bool:
        """Whether the deviation is due to rounding alone, if there is one."""
        return self.deviation is None or self.deviation <= EXACT


class Change(NamedTuple):
    """How much an output changes, along each axis, when the input is shifted by ``pixels``.

    The norm of the difference, relative to that of the output; None where the views share no position.
    """

    pixels: int
    along: tuple[float | None, ...]


class Probe(NamedTuple):
    """Everything that was measured: the claims about every map in use, and the changes of every output."""

    found: tuple[Found, ...]
    changes: Mapping[str, tuple[Change, ...]]

    def __repr__(self) -> str:
        return f"<Probe: {len(self.measured)} predictions measured, {len(self.wrong)} wrong>"

    @property
    def predicted(self) -> tuple[Found, ...]:
        """The claims that predict a shift; the others say that none is possible."""
        return tuple(each for each in self.found if each.claim.shift.broken is None)

    @property
    def measured(self) -> tuple[Found, ...]:
        """The predictions for which there is something to measure."""
        return tuple(each for each in self.predicted if each.deviation is not None)

    @property
    def wrong(self) -> tuple[Found, ...]:
        """The claims that do not hold."""
        return tuple(each for each in self.found if not each.holds)

    @property
    def holds(self) -> bool | None:
        """Whether every prediction holds; None if nothing was measured."""
        return not self.wrong if self.measured else None
