"""The two memory figures shown with the costs: what autograd saves in training, and the inference peak."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.algebra import Dim
from cnncli.analysis.costs.figures import BYTES_PER_NUMBER, Costs
from cnncli.analysis.memory.liveness import Bytes, Training
from cnncli.analysis.memory.peaks import FEW, Peak, Peaks, inference_moments
from cnncli.diagnostics import SpecError
from cnncli.graph import Graph


class MemoryTotals(NamedTuple):
    """What autograd saves in training, and the inference peak; None if there is no formula."""

    saved: Dim | None
    peak: Peak | None
    why_not_saved: str = ""
    why_no_peak: str = ""


def memory_totals(graph: Graph, costs: Costs, batch: int) -> MemoryTotals:
    """Return the two figures for a batch."""
    saved, why_not_saved = _saved(graph, batch)
    peak, why_no_peak = _peak(graph, costs, batch)
    return MemoryTotals(saved, peak, why_not_saved, why_no_peak)


def _saved(graph: Graph, batch: int) -> tuple[Dim | None, str]:
    try:
        saved = Bytes().plus(*Training(graph, BYTES_PER_NUMBER).saved().values())
    except SpecError as error:
        return None, _why(error)
    return saved.at(batch), ""


def _peak(graph: Graph, costs: Costs, batch: int) -> tuple[Peak | None, str]:
    weights = Bytes(costs.training_totals.weights_size)
    try:
        by_node = inference_moments(graph, BYTES_PER_NUMBER)
    except SpecError as error:
        return None, _why(error)
    moments = (each._replace(live=each.live.plus(weights)) for own in by_node.values() for each in own)
    peak = Peaks(graph, batch).of_few(moments)
    return peak, f"the largest of more than {FEW} formulas (cnncli memory)"


def _why(error: SpecError) -> str:
    """Name the first layer without a single formula, and the condition it depends on."""
    fault = error.diagnostics[0]
    return f"{fault.message} ({fault.received})"
