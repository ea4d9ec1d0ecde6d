"""Values of named nodes, from the plan of the compiled graph: no hook is ever added to a module."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from torch import Tensor

from cnncli.graph import Graph
from cnncli.graph.schedule import schedule
from cnncli.language.description import INPUT
from cnncli.network.network import Network, Plan, calls

Values: TypeAlias = Callable[[Tensor], Mapping[str, Tensor]]
"""From a batch of inputs, [n, *input], to the values of nodes by their names, each [n, *shape]."""


def values_of(network: Network, graph: Graph, names: Sequence[str]) -> Values:
    """Return what computes the values of nodes, and nothing that they do not depend on.

    Nodes of training-only heads can be among them. The mode of the network is not changed.

    Args:
        network: that of the graph (:func:`~cnncli.network.network.build_network`).
        graph: the graph.
        names: those of nodes; ``input`` is what goes in.
    """
    needed = set(names)
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    nodes = [node for node in schedule(graph, training=True).nodes if node.name in needed]
    plan = Plan(
        tuple((node.name, node.inputs) for node in nodes),
        frozenset(node.name for node in nodes if node.layer.joins),
        # Under other names than the nodes', since a single output of a certain name comes without its name.
        tuple((f"value {name}", name) for name in dict.fromkeys(names)),
    )
    compute = calls("values", plan)

    def values(x: Tensor) -> Mapping[str, Tensor]:
        found = compute(network, x)
        return {name: found[f"value {name}"] for name in names}

    assert INPUT not in {node.name for node in nodes}
    return values
