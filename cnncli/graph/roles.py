"""What nodes are for: outputs of the deployed network, training-only outputs, or none at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cnncli.algebra import product, summed
from cnncli.diagnostics import Diagnostic, counted
from cnncli.graph.graph import Node, Output


def mark(nodes: Sequence[Node], outputs: Mapping[str, Output]) -> tuple[Node, ...]:
    """Mark the nodes on which only training-only heads depend, and those that lead to no output."""
    deployed = _ancestors(nodes, {output.node for output in outputs.values() if not output.training_only})
    training = _ancestors(nodes, {output.node for output in outputs.values() if output.training_only})
    return tuple(
        node
        if node.name in deployed
        else node._replace(training_only=node.name in training, unused=node.name not in training)
        for node in nodes
    )


def _ancestors(nodes: Sequence[Node], wanted: set[str]) -> set[str]:
    needed = set(wanted)
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return needed


def warnings(nodes: Sequence[Node]) -> Iterator[Diagnostic]:
    """Yield a warning for each part of the network that leads to no output, at its first layer."""
    for part in _parts([node for node in nodes if node.unused]):
        first, last, others = part[0], part[-1], len(part) - 1
        who = f"{first.name} and {counted(others, 'other layer')} lead" if others else f"{first.name} leads"
        yield Diagnostic(
            "no-output",
            f"{who} to no output{_weight(part)}",
            first.location,
            hint=f"remove {'them' if others else 'it'}, or use '{last.name}' in a layer or a head",
            level="warning",
        )


def _parts(unused: Sequence[Node]) -> list[list[Node]]:
    """Return the nodes in groups that are connected with one another, each in the order of the network."""
    part_of: dict[str, list[Node]] = {}
    for node in unused:
        parts = {id(part_of[name]): part_of[name] for name in node.inputs if name in part_of}
        own = max(parts.values(), key=len, default=[])
        for part in parts.values():
            if part is not own:
                own += part
                part_of.update((each.name, own) for each in part)
        own.append(node)
        part_of[node.name] = own
    place = {node.name: number for number, node in enumerate(unused)}
    parts = {id(part): part for part in part_of.values()}
    return [sorted(part, key=lambda node: place[node.name]) for part in parts.values()]


def _weight(part: Sequence[Node]) -> str:
    """Return the parameters of some nodes as the end of a message; empty if there are none."""
    count = summed(product(shape) for node in part for shape in node.parameters.values())
    if isinstance(count, int):
        return f": {counted(count, 'parameter')}" if count else ""
    return f": {count} parameters"
