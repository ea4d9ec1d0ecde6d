"""Networks at a glance: what one row says of each."""

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
    """The figures of a network, for ``batch`` samples together."""
    return Overview(graph, costs(graph, batch), depth(graph))
