"""The outputs of a network as training sees them, read from its graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from cnncli.algebra import whole_shape
from cnncli.graph import Graph, Node
from cnncli.recipe.criteria import DEFAULT_CRITERION


class Head(NamedTuple):
    """An output: its shape for one sample, the name of its criterion, and whether it is for training only."""

    shape: tuple[int, ...]
    criterion: str = DEFAULT_CRITERION
    training_only: bool = False


Heads: TypeAlias = Mapping[str, Head]
"""Every output by its name; a network without heads has one, ``output``."""


def heads_of(graph: Graph) -> Heads:
    """Return the heads of a network, in the order of its outputs."""
    nodes = {node.name: node for node in graph.nodes}
    return {
        name: Head(whole_shape(out.shape), _criterion(nodes.get(out.node), nodes), out.training_only)
        for name, out in graph.outputs.items()
    }


def main_head(heads: Heads) -> str:
    """Return the name of the head whose accuracy is reported: the first one in inference."""
    return next(name for name, head in heads.items() if not head.training_only)


def _criterion(node: Node | None, nodes: Mapping[str, Node]) -> str:
    """Return the criterion of the last layer that computes anything.

    Layers that only move values, such as ``reshape``, or act in training only, such as ``dropout``, are
    skipped.
    """
    while node is not None and not node.layer.joins and _computes_nothing(node):
        node = nodes.get(node.inputs[0])
    return DEFAULT_CRITERION if node is None else node.layer.criterion


def _computes_nothing(node: Node) -> bool:
    return node.layer.operations(node.input_shape, node.output_shape) == 0
