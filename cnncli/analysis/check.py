"""Check a network against a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cnncli.algebra import whole
from cnncli.analysis.costs.figures import Costs, costs
from cnncli.analysis.limited import DEPTH, LAYERS, LIMITS, amounts, batch_of, moments
from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.graph import Graph, read_budget
from cnncli.language.sections import Budget, Quantity
from cnncli.recipe.recipe import Recipe

if TYPE_CHECKING:
    from cnncli.analysis.memory.peaks import Moment

_HEAVIEST: Final = 3


class Verdict(NamedTuple):
    """One limit: the figure's name, the limit, the network's figure, and the heaviest layers.

    ``unused`` is the part of the figure that belongs to layers that lead to no output; None if there is no
    such part, as of a depth or a peak. ``batch`` is what a figure of memory is for; its heaviest layer is the
    one that runs at the peak.
    """

    figure: str
    limit: int
    actual: int
    heaviest: tuple[tuple[str, int], ...]
    unused: int | None = None
    batch: int | None = None

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


def check(graph: Graph, budget: Budget, settings: Recipe) -> tuple[Verdict, ...]:
    """Return one verdict for each limit that the budget sets, without training-only layers.

    ``settings`` have the batch and the optimizer of the memory of training.
    """
    limits = {name: getattr(budget, name) for name in Budget.arguments}
    found = costs(graph)
    return tuple(
        _verdict(name, limit, graph, found, settings) for name, limit in limits.items() if limit is not None
    )


def _verdict(figure: str, limit: int, graph: Graph, found: Costs, settings: Recipe) -> Verdict:
    batch = batch_of(figure, settings)
    if batch is not None:
        return _memory_verdict(figure, limit, batch, moments(figure, graph, settings))
    actual = max(map(whole, amounts(figure, graph, found, settings)))
    if figure == LAYERS:
        return Verdict(figure, limit, actual, (), sum(node.unused for node in graph.nodes))
    if figure == DEPTH:
        return Verdict(figure, limit, actual, ())
    rows = [row for row in found.rows if not row.node.training_only]
    weights = [(row.node.name, whole(getattr(row.figures, figure))) for row in rows]
    heaviest = sorted(weights, key=lambda pair: -pair[1])[:_HEAVIEST]
    unused = whole(getattr(found.unused_totals, figure))
    return Verdict(figure, limit, actual, tuple(pair for pair in heaviest if pair[1]), unused)


def _memory_verdict(figure: str, limit: int, batch: int, live: Sequence[Moment]) -> Verdict:
    """Return the verdict of a memory, with the layer that runs at the peak unless the optimizer does."""
    # Imported here because few budgets limit memory.
    from cnncli.analysis.memory.usage import bytes_at, peak_moment  # noqa: PLC0415

    peak = peak_moment(live, batch)
    actual = bytes_at(peak.live, batch)
    return Verdict(figure, limit, actual, ((peak.node, actual),) if peak.node else (), batch=batch)
