"""How deep a network is, as most papers count: the layers with learned weighted sums, one after another."""

from __future__ import annotations

from cnncli.analysis.costs.figures import computes_weighted_sums
from cnncli.graph import Graph
from cnncli.language.description import INPUT


def depth(graph: Graph) -> int:
    """The most layers that compute weighted sums on any way from the input to an output in use.

    Layers side by side count once: a residual unit is as deep as its branch, whatever its shortcut is.
    """
    reached = {INPUT: 0}
    for node in graph.nodes:
        reached[node.name] = max(reached[name] for name in node.inputs) + computes_weighted_sums(node)
    in_use = (output.node for output in graph.outputs.values() if not output.training_only)
    return max(reached[name] for name in in_use)
