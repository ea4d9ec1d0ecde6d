"""The lecture's comparison: what a fully connected layer between the same two shapes would need."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.algebra import Dim, product
from cnncli.analysis.costs.figures import computes_weighted_sums
from cnncli.graph import Graph, Node


class Comparison(NamedTuple):
    """The weights of a layer, and those of a fully connected one; biases are left out of both."""

    node: Node
    weights: int
    dense_weights: int

    @property
    def factor(self) -> float:
        """How many times fewer weights the layer has."""
        return self.dense_weights / self.weights


def compare(graph: Graph) -> tuple[Comparison, ...]:
    """One entry for each layer that computes weighted sums.

    A fully connected layer has a weight from every input value to every output value.
    """
    return tuple(_comparison(node) for node in graph.nodes if computes_weighted_sums(node))


def _comparison(node: Node) -> Comparison:
    # Weights are tensors with more than one axis; biases, scales and shifts have one.
    weights: Dim = 0
    for shape in node.parameters.values():
        weights = weights + (product(shape) if len(shape) > 1 else 0)
    dense = product(node.input_shapes[0]) * product(node.output)
    assert isinstance(weights, int)
    assert isinstance(dense, int)
    return Comparison(node, weights, dense)
