"""Compare each layer with a fully connected layer between the same two shapes."""

from __future__ import annotations

from typing import NamedTuple

from cnncli.algebra import product, summed, whole
from cnncli.analysis.costs.figures import computes_weighted_sums
from cnncli.graph import Graph, Node


class Comparison(NamedTuple):
    """The weights of a layer, and those of a fully connected layer, both without biases."""

    node: Node
    weights: int
    dense_weights: int

    @property
    def factor(self) -> float:
        """How many times fewer weights the layer has."""
        return self.dense_weights / self.weights


def compare(graph: Graph) -> tuple[Comparison, ...]:
    """Return one comparison for each layer that computes weighted sums.

    A fully connected layer has one weight for every pair of an input value and an output value.
    """
    return tuple(_comparison(node) for node in graph.nodes if computes_weighted_sums(node))


def _comparison(node: Node) -> Comparison:
    # Weights are tensors with more than one axis; biases, scales and shifts have one.
    weights = summed(product(shape) for shape in node.parameters.values() if len(shape) > 1)
    dense = product(node.input_shapes[0]) * product(node.output_shape)
    return Comparison(node, whole(weights), whole(dense))
