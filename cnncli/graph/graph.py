"""The graph: frozen nodes in topological order."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from cnncli.algebra import Condition, symbols_of
from cnncli.diagnostics import Diagnostic, Location, Source
from cnncli.layers import Kind, Shape, Tensors

if TYPE_CHECKING:
    from cnncli.algebra.deciding import Domain
    from cnncli.algebra.size_sets import SizeSet


class Node(NamedTuple):
    """One layer in the graph: its kind and arguments, its inputs, its output shape for one sample.

    ``inputs`` are names of earlier nodes, or ``input``; ``training_only`` is whether only training-only heads
    depend on it, ``unused`` whether no output does: it runs and is stored with the network all the same.
    """

    name: str
    kind: str
    layer: Kind[Any]
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    parameters: Tensors
    buffers: Tensors
    location: Location
    training_only: bool = False
    unused: bool = False

    def __repr__(self) -> str:
        return f"<Node {self.name}: {self.kind}, {self.input_shape} -> {self.output_shape}>"

    @property
    def input_shape(self) -> Any:
        """What the layer's rules take: the shapes of all branches for a join, else the one shape."""
        return self.input_shapes if self.layer.joins else self.input_shapes[0]

    @property
    def sources(self) -> tuple[str, ...]:
        """The inputs whose values the layer reads; of the others it reads the sizes only."""
        return self.inputs[: self.layer.sources]


class Output(NamedTuple):
    """One output of the network: the node that computes it (or ``input``), and its shape."""

    node: str
    shape: Shape
    training_only: bool


class Bound(NamedTuple):
    """A condition that a layer imposes on unknown sizes, and that holds for some of them only.

    ``sizes`` are those that satisfy it if it is on one symbol; None if it couples several. ``message`` is the
    error where it does not hold, ``expected`` what is required.
    """

    node: str
    condition: Condition
    sizes: SizeSet | None
    message: str
    expected: str
    location: Location

    def __repr__(self) -> str:
        return f"<Bound {self.node}: {self.condition}>"


class Graph(NamedTuple):
    """A network: nodes in an order in which each comes after all of its inputs.

    The input is not a node. ``groups`` maps prefixes of dotted names to what they are (a block, a number of
    copies), for tables that fold. ``bounds`` are the conditions that layers impose on symbols, in the layers'
    order; shapes and costs are valid where all of them hold. ``variables`` are the symbols that are variables
    of the spec, and ``domain`` contains the sizes that satisfy the bounds. ``notes`` are warnings and notes
    about the spec, which commands show with the network.
    """

    name: str
    source: Source
    input: Shape
    nodes: tuple[Node, ...]
    outputs: Mapping[str, Output]
    groups: Mapping[str, str]
    bounds: tuple[Bound, ...] = ()
    variables: tuple[str, ...] = ()
    domain: Domain | None = None
    notes: tuple[Diagnostic, ...] = ()

    def __repr__(self) -> str:
        return f"<Graph {self.name}: input {self.input}, {len(self.nodes)} nodes>"

    @property
    def unknowns(self) -> tuple[str, ...]:
        """The names of all symbols: those of the input size, then the variables."""
        sizes = (name for dim in self.input for name in sorted(symbols_of(dim)))
        return tuple(dict.fromkeys((*sizes, *self.variables)))

    def decided(self) -> AbstractContextManager[None]:
        """Return a context in which rules may use conditions that the bounds decide as truth values."""
        return self.domain.applied() if self.domain is not None else nullcontext()

    @property
    def has_training_only(self) -> bool:
        """Whether some nodes exist in training only."""
        return any(node.training_only for node in self.nodes)

    @property
    def has_unused(self) -> bool:
        """Whether some nodes lead to no output."""
        return any(node.unused for node in self.nodes)
