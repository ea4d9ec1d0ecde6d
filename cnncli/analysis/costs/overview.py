"""The figures of a whole network, which tables with one row per network show."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.analysis.costs.depth import depth
from cnncli.analysis.costs.figures import Costs, costs
from cnncli.graph import Graph


class Overview(NamedTuple):
    """A network and its figures."""

    graph: Graph
    costs: Costs
    depth: int


def overview(graph: Graph, batch: int = 1) -> Overview:
    """Compute the figures of a network, for a batch."""
    return Overview(graph, costs(graph, batch), depth(graph))
