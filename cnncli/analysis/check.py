"""Check a network against a budget."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cnncli.algebra import whole
from cnncli.analysis.costs.figures import Costs, Row
from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.graph import read_budget
from cnncli.language.sections import Budget, Quantity

_HEAVIEST: Final = 3

LIMITS: Final[Mapping[str, Quantity]] = {
    name: argument.reader
    for name, argument in Budget.arguments.items()
    if isinstance(argument.reader, Quantity)
}
"""The figures that a budget can limit, with the reader of each limit."""


class Verdict(NamedTuple):
    """One limit: the figure's name, the limit, the network's figure, and the heaviest layers.

    ``unused`` is the part of the figure that belongs to layers that lead to no output.
    """

    figure: str
    limit: int
    actual: int
    heaviest: tuple[tuple[str, int], ...]
    unused: int = 0

    @property
    def within(self) -> bool:
        """Whether the network is within the limit, which it may reach exactly."""
        return self.actual <= self.limit

    @property
    def excess(self) -> int:
        """By how much the limit is exceeded; negative if there is room left."""
        return self.actual - self.limit


def read(budget: str | Path | Mapping[str, int | str]) -> Budget:
    """Return a budget from a YAML file, or from limits such as ``{"params": "62k"}``.

    Raises:
        CnncliError: the file cannot be read, or a limit is unknown or not a number.
    """
    if isinstance(budget, Mapping):
        return Budget(**read_limits(budget, LIMITS))
    return read_budget(budget)


def read_limits(limits: Mapping[str, int | str], figures: Mapping[str, Quantity]) -> Mapping[str, int]:
    """Return limits as numbers; ``figures`` has a reader for each figure that can be limited.

    Raises:
        UsageError: a figure does not exist, or a limit is not a number.
    """
    read: dict[str, int] = {}
    for name, limit in limits.items():
        if name not in figures:
            expected = "a figure and its limit, such as params=1M"
            hint = did_you_mean(str(name), figures, "figures")
            raise usage_error(f"'{name}' cannot be limited", expected=expected, hint=hint)
        amount = figures[name].amount(str(limit))
        if amount is None:
            message = f"the limit of {name} is not a number"
            raise usage_error(message, expected=figures[name].expected, received=f"'{limit}'")
        read[name] = amount
    return read


def check(costs: Costs, budget: Budget) -> tuple[Verdict, ...]:
    """Return one verdict for each limit that the budget sets, without training-only layers."""
    limits = {name: getattr(budget, name) for name in Budget.arguments}
    deployed = [row for row in costs.rows if not row.node.training_only]
    return tuple(
        _verdict(name, limit, costs, deployed) for name, limit in limits.items() if limit is not None
    )


def _verdict(figure: str, limit: int, costs: Costs, rows: list[Row]) -> Verdict:
    if figure == "layers":
        return Verdict(figure, limit, len(rows), (), sum(row.node.unused for row in rows))
    weights = [(row.node.name, whole(getattr(row.figures, figure))) for row in rows]
    heaviest = sorted(weights, key=lambda pair: -pair[1])[:_HEAVIEST]
    actual, unused = (whole(getattr(each, figure)) for each in (costs.totals, costs.unused_totals))
    return Verdict(figure, limit, actual, tuple(pair for pair in heaviest if pair[1]), unused)
