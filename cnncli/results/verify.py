"""The figures of the analysis, compared with those of torch and torchinfo."""

from __future__ import annotations

from typing import NamedTuple


class Compared(NamedTuple):
    """One figure of a node, or of the whole network (``total``): ours, theirs, and why they differ."""

    name: str
    figure: str
    ours: int | str
    theirs: int | str
    explanation: str = ""

    @property
    def agrees(self) -> bool:
        """Whether the figures are the same."""
        return self.ours == self.theirs


class Verification(NamedTuple):
    """How many figures were compared, those that differ, and all totals."""

    compared: int
    differences: tuple[Compared, ...]
    totals: tuple[Compared, ...]

    def __repr__(self) -> str:
        count, unexplained = len(self.differences), len(self.unexplained)
        return f"<Verification: {self.compared} compared, {count} differ, {unexplained} unexplained>"

    @property
    def unexplained(self) -> tuple[Compared, ...]:
        """The differences without a known reason."""
        rows = (*self.differences, *self.totals)
        return tuple(row for row in rows if not row.agrees and not row.explanation)

    @property
    def ok(self) -> bool:
        """Whether every difference is explained."""
        return not self.unexplained
