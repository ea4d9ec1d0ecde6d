"""The table of shapes that leads to a failing layer."""

from __future__ import annotations

from collections.abc import Sequence

from cnncli.graph.graph import Node
from cnncli.language.description import INPUT, NodeSpec
from cnncli.layers import Shape, shape_text

_ROWS = 12
_BRANCHES = 8


def shape_table(size: Shape, nodes: Sequence[Node], failing: NodeSpec, shapes: Sequence[Shape]) -> str:
    """List names and output shapes of the layers that lead to ``failing``, whose inputs have ``shapes``."""
    rows = [(INPUT, shape_text(size))]
    rows += [(node.name, shape_text(node.output_shape)) for node in _leading_to(nodes, failing)]
    if len(rows) > _ROWS:
        hidden = len(rows) - _ROWS
        rows = [rows[0], (f"... {hidden} more", ""), *rows[-_ROWS + 1 :]]
    rows.append((failing.name, f"does not fit {' and '.join(map(shape_text, shapes[:_BRANCHES]))}"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {shape}".rstrip() for name, shape in rows)


def _leading_to(nodes: Sequence[Node], failing: NodeSpec) -> list[Node]:
    needed = set(failing.inputs)
    found: list[Node] = []
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
            found.append(node)
    return found[::-1]
