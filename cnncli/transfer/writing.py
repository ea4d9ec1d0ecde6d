"""A part of a graph written as a spec again: every node by itself, under its full name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.graph import Graph, Node
from cnncli.graph.learning import names_within
from cnncli.language.description import INPUT
from cnncli.language.fields import Record
from cnncli.language.shorthand import SHORTHAND
from cnncli.layers import Kind


def node_named(graph: Graph, name: str) -> Node:
    """Return the node whose output a name means: that of everything written under it, as in a spec.

    Raises:
        UsageError: the network has no such name.
    """
    nodes = {node.name: node for node in graph.nodes}
    found = nodes.get(name)
    if found is None:
        within = [node for node in graph.nodes if node.name.startswith(f"{name}.")]
        if not within:
            known = [*nodes, *graph.groups]
            raise usage_error(
                f"{graph.name} has no layer '{name}'",
                expected="the name of a layer or a block, as 'cnncli inspect' shows them",
                hint=did_you_mean(name, known, "layers", omits=True),
            )
        return within[-1]
    for word in SHORTHAND:
        following = nodes.get(f"{name}_{word}")
        if following is not None and following.inputs == (found.name,):
            found = following
    return found


def leading_to(graph: Graph, last: Node) -> tuple[Node, ...]:
    """Return the nodes that a node is computed from, and the node itself, in their order."""
    needed = {last.name}
    for node in reversed(graph.nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return tuple(node for node in graph.nodes if node.name in needed)


def changed(record: Record) -> dict[str, object]:
    """Return arguments or settings that differ from their defaults, as a spec contains them."""
    usual = {name: declared.default for name, declared in record.arguments.items()}
    return {name: value for name, value in record.plain().items() if vars(record)[name] != usual[name]}


def others_of(graph: Graph, part: Sequence[Node]) -> list[str]:
    """Return the other layers with weights, or the blocks around them that are not of a part."""
    own = {node.name for node in part}
    within = {each for name in own for each in names_within(name)}
    others = (node for node in graph.nodes if node.name not in own and (node.parameters or node.buffers))
    found = (
        next(each for each in reversed([*names_within(node.name)]) if each not in within) for node in others
    )
    return list(dict.fromkeys(found))


def entry(name: str, layer: Kind[Any], inputs: Sequence[str], previous: str) -> dict[str, object]:
    """Return one node as a spec contains it; ``previous`` is the one written before it."""
    arguments = changed(layer)
    found: dict[str, object] = {layer.keyword: arguments, "name": name}
    if layer.joins:
        found[layer.keyword] = {"branches": list(inputs)} | arguments
    elif [*inputs] != [previous]:
        (found["from"],) = inputs
    return found


def entries(nodes: Iterable[Node]) -> list[dict[str, object]]:
    """Return nodes as a spec contains them, one after another."""
    found, previous = [], INPUT
    for node in nodes:
        found.append(entry(node.name, node.layer, node.inputs, previous))
        previous = node.name
    return found
