"""Networks to be set side by side: what one row says of each."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.analysis.costs import Costs, costs
from cnncli.analysis.depth import depth
from cnncli.graph import Graph


class Network(NamedTuple):
    """A network and its figures."""

    graph: Graph
    costs: Costs
    depth: int


def network(graph: Graph, batch: int = 1) -> Network:
    """The figures of a network, for ``batch`` samples together."""
    return Network(graph, costs(graph, batch), depth(graph))
