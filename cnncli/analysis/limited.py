"""The figures that a budget can limit and ``cnncli fit`` can keep to, one definition for both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from cnncli.algebra import Dim, ceil_div
from cnncli.analysis.costs.depth import depth
from cnncli.analysis.costs.figures import BYTES_PER_NUMBER, Costs
from cnncli.graph import Graph
from cnncli.language.sections import Budget, Quantity
from cnncli.recipe.recipe import Recipe

if TYPE_CHECKING:
    from cnncli.analysis.memory.peaks import Moment

LAYERS: Final = "layers"
DEPTH: Final = "depth"
MEMORY: Final = "memory"
TRAINING_MEMORY: Final = "training_memory"

LIMITS: Final[Mapping[str, Quantity]] = {
    name: argument.reader
    for name, argument in Budget.arguments.items()
    if isinstance(argument.reader, Quantity)
}
"""The figures, with the reader of each limit."""


def amounts(figure: str, graph: Graph, costs: Costs, settings: Recipe) -> tuple[Dim, ...]:
    """Return the formulas or numbers whose maximum a figure is.

    Raises:
        SpecError: sizes are unknown, and the memory of a layer has no single formula.
    """
    if figure == LAYERS:
        return (layers(graph),)
    if figure == DEPTH:
        with graph.decided():
            return (depth(graph),)
    batch = batch_of(figure, settings)
    if batch is None:
        return (getattr(costs.totals, figure),)
    from cnncli.analysis.memory.peaks import Peaks  # noqa: PLC0415 - as in moments

    return Peaks(graph, batch).of(moments(figure, graph, settings)).amounts


def layers(graph: Graph) -> int:
    """Return the number of layers: all nodes, without those that exist in training only."""
    return sum(not node.training_only for node in graph.nodes)


def batch_of(figure: str, settings: Recipe) -> int | None:
    """Return the batch that a figure of memory is for; None for any other figure.

    Inference is measured for one sample, as all costs are; training for the batch of the settings, or for a
    slice of it.
    """
    return {MEMORY: 1, TRAINING_MEMORY: ceil_div(settings.batch, settings.accumulate)}.get(figure)


def moments(figure: str, graph: Graph, settings: Recipe) -> Sequence[Moment]:
    """Return the moments of inference or of a training step, in 32-bit numbers."""
    # Imported here because few budgets limit memory.
    from cnncli.analysis.memory.liveness import Bytes  # noqa: PLC0415
    from cnncli.analysis.memory.usage import memory  # noqa: PLC0415

    found = memory(graph, BYTES_PER_NUMBER, settings)
    if figure == MEMORY:
        return found.inference
    samples = settings.batch - ceil_div(settings.batch, settings.accumulate)
    others = Bytes(samples * found.image.each)
    return [each._replace(live=each.live.plus(others)) for each in found.training]
