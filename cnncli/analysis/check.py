"""Check a network against a budget."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cnncli.algebra import whole
from cnncli.analysis.costs.figures import Costs, Figures, Row
from cnncli.graph import read_budget
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
        """Whether the network is within the limit, which it may reach exactly."""
        return self.actual <= self.limit

    @property
    def excess(self) -> int:
        """By how much the limit is exceeded; negative if there is room left."""
        return self.actual - self.limit


def read(budget: str | Path | Budget) -> Budget:
    """Return a budget, read from a YAML file if a path is given.

    Raises:
        CnncliError: the file cannot be read, or a limit is unknown or not a number.
    """
    return budget if isinstance(budget, Budget) else read_budget(budget)


def check(costs: Costs, budget: Budget) -> tuple[Verdict, ...]:
    """Return one verdict for each limit that the budget sets, without training-only layers."""
    limits = {name: getattr(budget, name) for name in Budget.arguments}
    deployed = [row for row in costs.rows if not row.node.training_only]
    return tuple(
        _verdict(name, limit, costs.totals, deployed) for name, limit in limits.items() if limit is not None
    )


def _verdict(figure: str, limit: int, totals: Figures, rows: list[Row]) -> Verdict:
    if figure == "layers":
        return Verdict(figure, limit, len(rows), ())
    weights = [(row.node.name, whole(getattr(row.figures, figure))) for row in rows]
    heaviest = sorted(weights, key=lambda pair: -pair[1])[:_HEAVIEST]
    return Verdict(figure, limit, whole(getattr(totals, figure)), tuple(pair for pair in heaviest if pair[1]))
