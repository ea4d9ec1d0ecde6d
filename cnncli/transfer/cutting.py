"""A spec cut at a node: the layers that lead to it, or those that it leads to, under their own names.

The names are those of the whole network, so its weights are those of the part.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cnncli.algebra import whole_shape
from cnncli.diagnostics import Diagnostic, UsageError, counted, listing
from cnncli.graph import Graph, Node
from cnncli.language.description import INPUT, OUTPUT
from cnncli.language.writer import plain_yaml
from cnncli.transfer.writing import entries, leading_to, node_named, others_of

UNTIL: Final = "until"
AFTER: Final = "after"
"""The sides of a cut."""

_EDGES: Final = 6
"""The edges that a message names at most."""


class Part(NamedTuple):
    """The text of a part of a spec, the node where it was cut, and what the part lacks.

    ``dropped`` are outputs that it has not, ``reset`` patterns for tensors that only the whole network has.
    """

    text: str
    node: str
    dropped: tuple[str, ...]
    reset: tuple[str, ...]


def cut(graph: Graph, name: str, side: str, source: str) -> Part:
    """Return the layers up to a node, or after it, as a spec.

    Args:
        graph: the network, with sizes in numbers.
        name: the name of a layer or a block.
        side: :data:`UNTIL` or :data:`AFTER`.
        source: the spec as it was named, for the first line of the text.

    Raises:
        UsageError: there is no such layer, nothing comes after it, or layers after it also read others.
    """
    node = node_named(graph, name)
    sections: dict[str, object]
    dropped: list[str] = []
    if side == UNTIL:
        what, kept, shape = f"up to {node.name}", leading_to(graph, node), graph.input
        sections = {"layers": entries(kept)}
    else:
        what, kept, shape = f"after {node.name}", _after(graph, node), node.output_shape
        _check_edges(graph, node, kept)
        heads = _heads(graph, node, kept)
        sections = {"layers": entries(_reading(each, node.name) for each in kept)}
        sections |= {"heads": heads} if heads else {}
        own = {node.name, *(each.name for each in kept)}
        dropped = [head for head, output in graph.outputs.items() if output.node not in own]
    lines = {"name": f"{graph.name}, {what}".replace("$", "$$"), "input": list(whole_shape(shape))}
    text = f"# The layers of {source} {what}.\n{plain_yaml(lines | sections)}"
    return Part(text, node.name, tuple(dropped), tuple(others_of(graph, kept)))


def _after(graph: Graph, node: Node) -> tuple[Node, ...]:
    """Return the nodes that depend on a node, in their order.

    Raises:
        UsageError: there are none.
    """
    depending = {node.name}
    for each in graph.nodes:
        if not depending.isdisjoint(each.inputs):
            depending.add(each.name)
    found = tuple(each for each in graph.nodes if each.name in depending and each.name != node.name)
    if not found:
        message = f"nothing comes after '{node.name}'"
        raise UsageError(Diagnostic("cut", message, node.location, "a layer that others read"))
    return found


def _check_edges(graph: Graph, node: Node, kept: tuple[Node, ...]) -> None:
    """Check that everything after a node reads it, and nothing else of what is before.

    Raises:
        UsageError: other edges would be cut, too.
    """
    inside = {node.name, *(each.name for each in kept)}
    edges = [f"{name} -> {each.name}" for each in kept for name in each.inputs if name not in inside]
    if edges:
        raise UsageError(
            Diagnostic(
                "cut",
                f"{graph.name} cannot be cut after '{node.name}' alone: "
                f"{counted(len(edges), 'other edge')} would be cut too: {listing(edges, _EDGES)}",
                node.location,
                "a layer through which everything after it passes",
            )
        )


def _reading(node: Node, cut_at: str) -> Node:
    """Return a node that reads the input instead of the node where a spec is cut."""
    return node._replace(inputs=tuple(INPUT if name == cut_at else name for name in node.inputs))


def _heads(graph: Graph, node: Node, kept: tuple[Node, ...]) -> dict[str, object]:
    """Return the outputs of a part as a spec contains them; none if the last layer is the only one.

    A network needs an output in inference: if there are only those of training, they are it.
    """
    own = {node.name: INPUT} | {each.name: each.name for each in kept}
    outputs = {name: output for name, output in graph.outputs.items() if output.node in own}
    if [*outputs] == [OUTPUT] and outputs[OUTPUT].node == kept[-1].name:
        return {}
    is_trained = all(output.training_only for output in outputs.values())
    return {
        name: {"from": own[output.node]}
        | ({"training_only": True} if output.training_only and not is_trained else {})
        for name, output in outputs.items()
    }
