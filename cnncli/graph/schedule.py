"""The order in which a network runs its nodes, and when their values are freed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cnncli.graph.graph import Graph, Node
from cnncli.language.description import INPUT


class Schedule(NamedTuple):
    """The nodes in the order in which they run, and for each output's name the node that computes it."""

    nodes: tuple[Node, ...]
    outputs: Mapping[str, str]

    def released(self) -> Mapping[str, tuple[str, ...]]:
        """Return for each node the values, ``input`` included, that are not needed after it has run."""
        last = {INPUT: INPUT} | {node.name: node.name for node in self.nodes}
        for node in self.nodes:
            last |= dict.fromkeys(node.inputs, node.name)
        kept = set(self.outputs.values())
        released: dict[str, list[str]] = {}
        for name, user in last.items():
            if name not in kept:
                released.setdefault(user, []).append(name)
        return {user: tuple(names) for user, names in released.items()}


def schedule(graph: Graph, *, training: bool) -> Schedule:
    """Return the schedule; outside of training, nodes that only training-only heads need do not run."""
    nodes = tuple(node for node in graph.nodes if training or not node.training_only)
    outputs = {
        name: output.node for name, output in graph.outputs.items() if training or not output.training_only
    }
    return Schedule(nodes, outputs)
