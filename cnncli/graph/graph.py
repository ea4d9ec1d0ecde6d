"""The graph itself: frozen nodes in topological order."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from cnncli.algebra import Condition, symbols_of
from cnncli.diagnostics import Location, Source
from cnncli.layers import Kind, Shape, Tensors

if TYPE_CHECKING:
    from cnncli.algebra.deciding import Domain
    from cnncli.algebra.size_sets import SizeSet


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


class Bound(NamedTuple):
    """What a layer asks of sizes that are not known: a condition that holds for some of them only.

    ``sizes`` are those that satisfy it, where it is on one symbol; None where it couples several.
    ``message`` says what goes wrong where it does not hold, ``expected`` what is asked.
    """

    node: str
    condition: Condition
    sizes: SizeSet | None
    message: str
    expected: str
    location: Location


class Graph(NamedTuple):
    """A network: nodes in an order in which each comes after all it reads.

    The input is no node. ``groups`` says for a prefix of dotted names what stands behind it (a
    block, a number of copies), for tables that fold. ``bounds`` are what the layers ask of sizes that are
    symbols, in their order; shapes and costs hold wherever all of them do. ``variables`` are the spec's own
    variables among the symbols, and ``domain`` is what the bounds leave of all of them.
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

    @property
    def unknowns(self) -> tuple[str, ...]:
        """The names of all symbols: those of the input's sizes, then the variables."""
        sizes = (name for dim in self.input for name in sorted(symbols_of(dim)))
        return tuple(dict.fromkeys((*sizes, *self.variables)))

    def decided(self) -> AbstractContextManager[None]:
        """Within it, rules may use as truth values what is decided for all sizes that the bounds leave."""
        return self.domain.applied() if self.domain is not None else nullcontext()

    @property
    def has_training_only(self) -> bool:
        """Whether some nodes exist in training only."""
        return any(node.training_only for node in self.nodes)
