"""The depth of a network, as most papers count it: the consecutive layers with learned weighted sums."""

from __future__ import annotations

from cnncli.analysis.costs.figures import computes_weighted_sums
from cnncli.graph import Graph
from cnncli.language.description import INPUT


def depth(graph: Graph) -> int:
    """Return the most layers with learned weighted sums on any path from the input to an output.

    Training-only outputs do not count. Parallel branches count once: a residual unit is as deep as its
    deepest branch.
    """
    reached = {INPUT: 0}
    for node in graph.nodes:
        reached[node.name] = max(reached[name] for name in node.inputs) + computes_weighted_sums(node)
    in_use = (output.node for output in graph.outputs.values() if not output.training_only)
    return max(reached[name] for name in in_use)
