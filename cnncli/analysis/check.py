"""Holding a network to a budget."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.analysis.costs.figures import Costs, Figures, Row
from cnncli.language.sections import Budget

_HEAVIEST = 3


class Verdict(NamedTuple):
    """One limit: the figure's name, the limit, what the network has, and the heaviest layers."""

    figure: str
    limit: int
    actual: int
    heaviest: tuple[tuple[str, int], ...]

    @property
    def within(self) -> bool:
        """Whether the limit holds; a network may be exactly as large as its limit."""
        return self.actual <= self.limit

    @property
    def excess(self) -> int:
        """By how much the limit is passed; negative where there is room."""
        return self.actual - self.limit


def check(costs: Costs, budget: Budget) -> tuple[Verdict, ...]:
    """One verdict for each limit that the budget sets, on the network as it is used."""
    limits = {name: getattr(budget, name) for name in Budget.arguments}
    deployed = [row for row in costs.rows if not row.node.training_only]
    return tuple(
        _verdict(name, limit, costs.totals, deployed) for name, limit in limits.items() if limit is not None
    )


def _verdict(figure: str, limit: int, totals: Figures, rows: list[Row]) -> Verdict:
    if figure == "layers":
        return Verdict(figure, limit, len(rows), ())
    weights = [(row.node.name, _number(row.figures, figure)) for row in rows]
    heaviest = sorted(weights, key=lambda pair: -pair[1])[:_HEAVIEST]
    return Verdict(figure, limit, _number(totals, figure), tuple(pair for pair in heaviest if pair[1]))


def _number(figures: Figures, name: str) -> int:
    value = getattr(figures, name)
    assert isinstance(value, int), f"{name} of an unknown size has no number"
    return value
