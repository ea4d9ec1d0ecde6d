"""The layers of a network that can be learned as restricted Boltzmann machines, one upon another.

A machine has visible units v, hidden units h, and the energy E(v, h) = -h'Wv - b'v - c'h. Given v, its hidden
units are independent, each 1 with the probability sigmoid(Wv + c): what ``linear`` with the activation
``sigmoid`` computes. So a stack of such layers that begins at the input can be learned one by one (Hinton,
Osindero and Teh, 2006).
"""

from __future__ import annotations

from typing import NamedTuple

from cnncli.algebra import whole
from cnncli.diagnostics import Diagnostic, SpecError
from cnncli.graph.graph import Graph, Node
from cnncli.language.description import INPUT
from cnncli.layers.activation import Sigmoid
from cnncli.layers.dense import Linear
from cnncli.layers.regularization import Dropout
from cnncli.layers.shaping import Flatten, Identity


class Machine(NamedTuple):
    """A layer with its numbers of visible and hidden units."""

    name: str
    visible: int
    hidden: int


def machines_of(graph: Graph) -> tuple[Machine, ...]:
    """Return the layers from the input on that are restricted Boltzmann machines: at least one.

    Raises:
        SpecError: the first layer with weights is not one.
    """
    found: list[Machine] = []
    linear: Node | None = None
    readers = _only_readers(graph)
    node = readers.get(INPUT)
    while node is not None:
        if isinstance(node.layer, Sigmoid) and linear is not None:
            found.append(Machine(linear.name, whole(linear.input_shape[0]), whole(linear.output_shape[0])))
            linear = None
        elif isinstance(node.layer, Linear) and linear is None and node.layer.bias:
            linear = node
        elif not isinstance(node.layer, Flatten | Identity | Dropout) or linear is not None:
            break
        node = readers.get(node.name)
    if not found:
        raise SpecError(_no_machine(node, linear or graph.nodes[0], after_linear=linear is not None))
    return tuple(found)


def _only_readers(graph: Graph) -> dict[str, Node]:
    """Return the node that reads a value, for each value that only one node reads."""
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in dict.fromkeys(node.inputs):
            readers.setdefault(name, []).append(node)
    return {name: found[0] for name, found in readers.items() if len(found) == 1}


def _no_machine(node: Node | None, before: Node, *, after_linear: bool) -> Diagnostic:
    """Return the error for a ``node`` that ends the search; None where nothing, or several layers, follow."""
    blamed = node or before
    if node is None:
        message = f"{before.name} is the last layer before an output or several layers"
    elif after_linear:
        message = f"{before.name} is followed by '{node.kind}'"
    else:
        message = f"{node.name}: '{node.kind}' is another kind of layer"
    return Diagnostic(
        "pretrain",
        f"{message}, and not learned by contrastive divergence",
        blamed.location,
        "first layers 'linear', with a bias, each with 'activation: sigmoid'",
        hint="'cnncli mirror' makes a decoder of layers of any kind, which learns without labels, too",
    )
