"""How deep the layers of a network are, for learning rates that depend on it."""

from __future__ import annotations

from collections.abc import Mapping

from cnncli.graph.graph import Graph, Node
from cnncli.language.description import INPUT
from cnncli.recipe.optimizers import is_decayed


def depths(graph: Graph) -> Mapping[str, int]:
    """Return the depth of each node: the most layers with weights on a path from the input, with its own.

    Weights are parameters with more than one axis. Scales, shifts and biases have the depth of the weights
    before them, so a convolution and its normalization are one layer; on parallel branches the longer one
    counts. Layers before all weights have the depth 0.
    """
    found = {INPUT: 0}
    for node in graph.nodes:
        found[node.name] = max(found[name] for name in node.inputs) + _has_weights(node)
    del found[INPUT]
    return found


def shares(graph: Graph, decay: float) -> Mapping[str, float]:
    """Return the share of the learning rate of each node: ``decay`` to the power of (deepest - depth).

    ``deepest`` is the largest depth of a node with parameters that leads to an output, frozen or not, so that
    freezing a layer changes the rate of no other. K. Clark et al., "ELECTRA", 2020; after
    J. Howard and S. Ruder, "Universal language model fine-tuning for text classification", 2018, who divide
    the rate by 2.6 from each layer to the one before.
    """
    found = depths(graph)
    deepest = max((found[node.name] for node in learnable(graph)), default=0)
    return {name: decay ** max(deepest - depth, 0) for name, depth in found.items()}


def learnable(graph: Graph) -> tuple[Node, ...]:
    """Return the nodes with parameters that lead to an output."""
    return tuple(node for node in graph.nodes if node.parameters and not node.unused)


def _has_weights(node: Node) -> bool:
    return any(is_decayed(len(shape)) for shape in node.parameters.values())
