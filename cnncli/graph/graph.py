"""The graph itself: frozen nodes in topological order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from cnncli.diagnostics import Location, Source
from cnncli.layers import Kind, Shape, Tensors


class Node(NamedTuple):
    """One layer in place: what it is, what it reads, what comes out for one sample.

    ``inputs`` are names of earlier nodes, or ``input``; ``training_only`` says that only heads for
    training need it.
    """

    name: str
    kind: str
    layer: Kind[Any]
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output: Shape
    parameters: Tensors
    buffers: Tensors
    location: Location
    training_only: bool = False

    @property
    def x(self) -> Any:
        """What the layer's rules take: the shapes of all branches for a join, else the one shape."""
        return self.input_shapes if self.layer.joins else self.input_shapes[0]


class Output(NamedTuple):
    """One output of the network: the node that gives it (or ``input``), and its shape."""

    node: str
    shape: Shape
    training_only: bool


class Graph(NamedTuple):
    """A network: nodes in an order in which each comes after all it reads.

    The input is no node. ``groups`` says for a prefix of dotted names what stands behind it (a
    block, a number of copies), for tables that fold.
    """

    name: str
    source: Source
    input: Shape
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Output]
    groups: Mapping[str, str]

    @property
    def has_training_only(self) -> bool:
        """Whether some nodes exist in training only."""
        return any(node.training_only for node in self.nodes)
