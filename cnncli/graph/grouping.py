"""The nodes of a graph as a tree of groups, and what a group does as one module.

A group is what the nodes have in common whose names share a prefix. If its nodes follow one another, it is
called as one module; otherwise it only contains modules, which are called one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from cnncli.graph.graph import Graph, Node
from cnncli.graph.schedule import schedule
from cnncli.language.description import INPUT
from cnncli.layers import Shape


class Group(NamedTuple):
    """A prefix of names, the parts below it by the next part of their names, and all nodes in order."""

    path: str
    parts: Mapping[str, Part]
    nodes: tuple[Node, ...]
    callable: bool


Part: TypeAlias = Group | Node


class Step(NamedTuple):
    """What computes values: a node or a group as one module, with the path of parts that leads to it.

    ``targets`` are the nodes whose outputs are read later.
    """

    path: tuple[str, ...]
    part: Part
    inputs: tuple[str, ...]
    targets: tuple[str, ...]


class Order(NamedTuple):
    """The nodes in the order of computation, those for training only last, and who reads what."""

    places: Mapping[str, int]
    readers: Mapping[str, frozenset[int]]
    shapes: Mapping[str, Shape]

    def read_outside(self, nodes: Sequence[Node]) -> tuple[str, ...]:
        """Return the nodes whose output something else reads."""
        own = {self.places[node.name] for node in nodes}
        return tuple(node.name for node in nodes if self.readers[node.name] - own)


def order_of(graph: Graph) -> tuple[tuple[Node, ...], Order]:
    """Return the nodes of a graph in an order in which those for training only come last."""
    inference = schedule(graph, training=False).nodes
    nodes = (*inference, *(node for node in graph.nodes if node.training_only))
    places = {node.name: place for place, node in enumerate(nodes)}
    readers: dict[str, set[int]] = {name: set() for name in (INPUT, *places)}
    for node in nodes:
        for name in node.inputs:
            readers[name].add(places[node.name])
    for output in graph.outputs.values():
        readers[output.node].add(len(nodes))
    shapes = {INPUT: graph.input} | {node.name: node.output_shape for node in nodes}
    return nodes, Order(places, {name: frozenset(each) for name, each in readers.items()}, shapes)


def tree(nodes: Sequence[Node], order: Order) -> Group:
    """Return the group of all nodes."""
    return _group("", nodes, order)


def _group(path: str, nodes: Sequence[Node], order: Order) -> Group:
    start = len(path) + 1 if path else 0
    members: dict[str, list[Node]] = {}
    for node in nodes:
        members.setdefault(node.name[start:].split(".", 1)[0], []).append(node)
    parts: dict[str, Part] = {}
    for name, each in members.items():
        whole = f"{path}.{name}" if path else name
        alone = len(each) == 1 and each[0].name == whole
        parts[name] = each[0] if alone else _group(whole, each, order)
    return Group(path, parts, tuple(nodes), _is_callable(nodes, order))


def _is_callable(nodes: Sequence[Node], order: Order) -> bool:
    """Return whether nodes can be computed together: one after another, all in training only or none."""
    places = [order.places[node.name] for node in nodes]
    together = max(places) - min(places) + 1 == len(places)
    alike = len({node.training_only for node in nodes}) == 1
    return together and alike and bool(order.read_outside(nodes))


def steps(group: Group, order: Order) -> tuple[Step, ...]:
    """Return what computes the values of a group, in order."""
    found = sorted(_units(group, ()), key=lambda each: order.places[_first(each[1]).name])
    return tuple(Step(path, part, _inputs(part), _targets(part, order)) for path, part in found)


def _units(group: Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Part]]:
    for name, part in group.parts.items():
        if isinstance(part, Group) and not part.callable:
            yield from _units(part, (*path, name))
        else:
            yield (*path, name), part


def _first(part: Part) -> Node:
    return part.nodes[0] if isinstance(part, Group) else part


def _inputs(part: Part) -> tuple[str, ...]:
    if not isinstance(part, Group):
        return part.inputs
    own = {node.name for node in part.nodes}
    return tuple(dict.fromkeys(name for node in part.nodes for name in node.inputs if name not in own))


def _targets(part: Part, order: Order) -> tuple[str, ...]:
    nodes = part.nodes if isinstance(part, Group) else (part,)
    return order.read_outside(nodes)


def is_chain(group: Group, order: Order) -> bool:
    """Return whether modules alone, called one after another, compute a group."""
    found = steps(group, order)
    if not group.callable or any(len(step.path) > 1 or _joins(step.part) for step in found):
        return False
    if [step.path[0] for step in found] != list(group.parts):
        return False
    links = pairwise(found)
    linked = all(one.targets == other.inputs and _reads_all(one, other, order) for one, other in links)
    return linked and len(found[0].inputs) == 1 and len(found[-1].targets) == 1


def _joins(part: Part) -> bool:
    return not isinstance(part, Group) and part.layer.joins


def _reads_all(one: Step, other: Step, order: Order) -> bool:
    """Return whether nothing but the next step reads the one value of a step."""
    nodes = other.part.nodes if isinstance(other.part, Group) else (other.part,)
    inside = {order.places[node.name] for node in nodes}
    return len(one.targets) == 1 and order.readers[one.targets[0]] <= inside
