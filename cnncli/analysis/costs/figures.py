"""The costs of a network: parameters, buffers, multiply-accumulates, operations, neurons, connections.

All figures are for one sample unless a batch is given; docs/counting.md defines what is counted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from cnncli.algebra import Dim, product, summed
from cnncli.diagnostics import LimitError
from cnncli.graph import Graph, Node
from cnncli.layers import Tensors
from cnncli.recipe.dtypes import DEFAULT_DTYPE, ITEMSIZES

BYTES_PER_NUMBER = ITEMSIZES[DEFAULT_DTYPE]

STEP_PASSES: Final = 3
"""Times the FLOPs of a forward pass that a step takes: the backward pass computes two products for each."""


class Figures(NamedTuple):
    """The figures of a node, or the sums for several.

    ``params``: learnable numbers; ``buffers``: numbers that are stored but not learned; ``macs``:
    multiply-accumulates; ``flops``: 2 x MACs plus all other arithmetic operations; ``neurons``: outputs of
    layers that sum weighted inputs; ``values``: all outputs; ``connections``: what every unit reads, and its
    bias (LeCun et al., 1998).
    """

    params: Dim = 0
    buffers: Dim = 0
    macs: Dim = 0
    flops: Dim = 0
    neurons: Dim = 0
    values: Dim = 0
    connections: Dim = 0

    @property
    def weights_size(self) -> Dim:
        """Bytes of parameters and buffers as 32-bit numbers."""
        return BYTES_PER_NUMBER * (self.params + self.buffers)


class Row(NamedTuple):
    """A node and its figures."""

    node: Node
    figures: Figures


class Costs(NamedTuple):
    """All rows, and their totals: of the deployed network, and of the network in training.

    The two differ by the training-only heads. ``unused_totals`` are those of nodes that lead to no output,
    which are part of both.
    """

    rows: tuple[Row, ...]
    totals: Figures
    training_totals: Figures
    unused_totals: Figures = Figures()

    def __repr__(self) -> str:
        return f"<Costs of {len(self.rows)} layers: {self.totals}>"


def costs(graph: Graph, batch: int = 1) -> Costs:
    """Compute the figures of every node and of the whole graph, for a batch."""
    with graph.decided():
        rows = tuple(Row(node, _times(batch, _placed_figures(node))) for node in graph.nodes)
    everything = deployed = total(row.figures for row in rows)
    if graph.has_training_only:
        deployed = total(row.figures for row in rows if not row.node.training_only)
    return Costs(rows, deployed, everything, total(row.figures for row in rows if row.node.unused))


def _placed_figures(node: Node) -> Figures:
    """Compute the figures of one node; an error of too much work is at the node."""
    try:
        return node_figures(node)
    except LimitError as error:
        raise error.at(node.name, node.location) from None


def node_figures(node: Node) -> Figures:
    """Compute the figures of one node, for one sample."""
    layer, shapes = node.layer, (node.input_shape, node.output_shape)
    macs = layer.macs(*shapes)
    return Figures(
        params=numbers(node.parameters),
        buffers=numbers(node.buffers),
        macs=macs,
        flops=2 * macs + layer.operations(*shapes),
        neurons=layer.neurons(*shapes),
        values=product(node.output_shape),
        connections=layer.connections(*shapes),
    )


def computes_weighted_sums(node: Node) -> bool:
    """Return whether a node computes weighted sums: convolution, fully connected, projection, capsules.

    These are what most papers count as layers. LeNet-5's paper also counts its subsampling and its output.
    """
    return node.layer.macs(node.input_shape, node.output_shape) != 0


def _times(batch: int, figures: Figures) -> Figures:
    """Multiply the figures that each sample adds to; parameters and buffers exist once."""
    if batch == 1:
        return figures
    params, buffers, *per_sample = figures
    return Figures(params, buffers, *(batch * each for each in per_sample))


def total(figures: Iterable[Figures]) -> Figures:
    """Add up each figure."""
    columns = list(zip(*figures, strict=True))
    return Figures(*map(summed, columns)) if columns else Figures()


def numbers(tensors: Tensors) -> Dim:
    """Return how many numbers these tensors contain."""
    return summed(product(shape) for shape in tensors.values())
