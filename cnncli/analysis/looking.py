"""Which layers of a network are looked at: by name, or by what they are."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import Final

from cnncli.algebra import whole_shape
from cnncli.analysis.space.receptive_field import Axis, Field, receptive_fields
from cnncli.diagnostics import did_you_mean, listing, usage_error
from cnncli.graph import Graph, Node
from cnncli.layers import EACH, shape_text

_MAP: Final = 3
"""Axes of a map: channels, height and width."""
_PART: Final = 2
"""A window covers at most the side of the image divided by this, if a layer is chosen for its windows."""


def node_named(graph: Graph, name: str) -> Node:
    """Return the node of a name.

    Raises:
        UsageError: there is none; names the nearest.
    """
    nodes = {node.name: node for node in graph.nodes}
    if name in nodes:
        return nodes[name]
    below = [each for each in nodes if each.startswith(f"{name}.")]
    hint = f"in it: {listing(below, 8)}" if below else did_you_mean(name, nodes, "layers")
    message = f"{graph.name} has no layer '{name}'"
    raise usage_error(
        message, expected="the name of a layer, as inspect lists them", received=name, hint=hint
    )


def hidden_layer(graph: Graph, head: str) -> Node:
    """Return the last hidden layer of a head: what its last layer with learned weighted sums reads.

    Layers that compute nothing, such as ``flatten`` and ``dropout``, are skipped: their values are those of
    the layer before.

    Raises:
        UsageError: that layer reads the image, or several layers lead to the head.
    """
    nodes = {node.name: node for node in graph.nodes}
    node = nodes.get(graph.outputs[head].node)
    while node is not None and not node.layer.joins and not _sums(node):
        node = nodes.get(node.inputs[0])
    hidden = None if node is None or node.layer.joins else nodes.get(node.inputs[0])
    while hidden is not None and not hidden.layer.joins and _computes_nothing(hidden):
        hidden = nodes.get(hidden.inputs[0])
    if hidden is None:
        raise usage_error(
            f"head '{head}' of {graph.name} has no last hidden layer",
            expected="the name of a layer",
            hint=f"layers: {listing([*nodes], 8)}",
        )
    return hidden


def is_map(node: Node) -> bool:
    """Return whether a node outputs maps, with more than one position."""
    shape = whole_shape(node.output_shape)
    return len(shape) == _MAP and prod(shape[1:]) > 1


def map_named(graph: Graph, name: str) -> Node:
    """Return the node of a name, which outputs maps.

    Raises:
        UsageError: there is none, or it outputs something else.
    """
    node = node_named(graph, name)
    if len(node.output_shape) != _MAP:
        maps = [each.name for each in graph.nodes if is_map(each)]
        raise usage_error(
            f"layer '{name}' has no maps",
            expected="channels, height and width",
            received=shape_text(node.output_shape),
            hint=f"the last one with maps: {maps[-1]}" if maps else "",
        )
    return node


def maps_before(graph: Graph, head: str) -> tuple[Node, ...]:
    """Return the nodes with maps that a head depends on, in order.

    Raises:
        UsageError: there are none.
    """
    needed = ancestors(graph, [graph.outputs[head].node])
    found = tuple(node for node in graph.nodes if node.name in needed and is_map(node))
    if not found:
        raise usage_error(
            f"{graph.name} has no layer with maps",
            expected="a layer that outputs channels, height and width",
            received=f"an input of {shape_text(graph.input)}",
        )
    return found


def windowed(graph: Graph, head: str, fields: dict[str, Field]) -> Node:
    """Return the last node with maps whose receptive field covers at most half of each side of the image.

    The first one, if there is none.
    """
    nodes, sides = maps_before(graph, head), whole_shape(graph.input[1:])

    def small(node: Node) -> bool:
        axes = fields[node.name].axes
        return bool(axes) and all(
            _PART * axis.size <= side for axis, side in zip(axes or (), sides, strict=True)
        )

    return next((node for node in reversed(nodes) if small(node)), nodes[0])


def steps(graph: Graph, head: str) -> tuple[Node, ...]:
    """Return the nodes with maps, without those that only an activation or a normalization reads."""
    nodes = maps_before(graph, head)
    readers: dict[str, list[Node]] = {}
    for node in graph.nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)
    read = {output.node for output in graph.outputs.values()}

    def is_inner(node: Node) -> bool:
        after = readers.get(node.name, [])
        return node.name not in read and len(after) == 1 and _is_pointwise(after[0])

    return tuple(node for node in nodes if not is_inner(node))


def ancestors(graph: Graph, names: Iterable[str]) -> frozenset[str]:
    """Return the names of all nodes that some depend on, and their own."""
    needed = set(names)
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return frozenset(needed)


def fields_of(graph: Graph) -> dict[str, Field]:
    """Return the receptive field of every node, by its name."""
    return dict(receptive_fields(graph))


def hulls(axes: tuple[Axis, ...], position: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return the first input position that an output reads along each axis, and the one after the last.

    They may lie outside of the input, where padding is. If nothing is read, both are 0.
    """
    found = []
    for axis, place in zip(axes, position, strict=True):
        hull = axis.reads(place)
        found.append((0, 0) if hull is None else (int(hull[0]), int(hull[1]) + 1))
    return tuple(found)


def _sums(node: Node) -> bool:
    """Return whether a node computes weighted sums, or distances from learned or fixed points."""
    macs = node.layer.macs(node.input_shape, node.output_shape)
    return macs != 0 or bool(node.buffers and not node.parameters)


def _computes_nothing(node: Node) -> bool:
    return not _sums(node) and node.layer.operations(node.input_shape, node.output_shape) == 0


def _is_pointwise(node: Node) -> bool:
    """Return whether every position of a node's output reads the same position of its one input."""
    if node.layer.joins or _sums(node) or node.input_shapes[0] != node.output_shape:
        return False
    extents = node.layer.extents(node.input_shape)
    from cnncli.layers.geometry.window import POINT  # noqa: PLC0415

    first = extents[0]
    return first is EACH or (isinstance(first, tuple) and all(window == POINT for window in first))
