"""Group the layers of a network into stages, one for each resolution.

Stages contain only the layers that shape a network: not those that are elementwise, rearrange values, or pass
them on unchanged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from cnncli.algebra import whole
from cnncli.analysis.costs.figures import computes_weighted_sums
from cnncli.graph import Graph, Node
from cnncli.language.description import INPUT
from cnncli.layers.geometry.axis import AnyWindow
from cnncli.layers.geometry.resampling import AdaptiveWindow, Resampled, Spread

_LEFT_OUT: Final = frozenset({"activation", "regularization"})
"""Families of kinds that no stage contains."""


class Stage(NamedTuple):
    """The layers at one resolution, and those that change it."""

    layers: Sequence[Node]
    ends: Sequence[Node]


class Stages(NamedTuple):
    """The stages in order from the input, and the layers on vectors after the last map."""

    maps: Sequence[Stage]
    vectors: Sequence[Node]


def stages(graph: Graph) -> Stages:
    """Return the stages of a network, without training-only heads."""
    nodes = [node for node in graph.nodes if not node.training_only]
    levels, before_maps = _levels(nodes), _before_maps(nodes)
    layers, ends = defaultdict[int, list[Node]](list), defaultdict[int, list[Node]](list)
    vectors: list[Node] = []
    for node in filter(_belongs_to_a_stage, nodes):
        leaves = _changes_resolution(node)
        here = levels[node.name] - leaves
        follows = len(node.output_shape) == 1 and node.name not in before_maps
        place = vectors if follows else ends[here] if leaves else layers[here]
        place.append(node)
    count = max((*layers, *ends), default=-1) + 1
    return Stages([Stage(layers[each], ends[each]) for each in range(count)], vectors)


def axes(node: Node) -> list[tuple[AnyWindow, int]]:
    """Return window and input size along each axis; empty for joins and for layers without windows.

    The sizes must be known: from formulas it may not be decidable whether a size changes.
    """
    extent = node.layer.extents(node.input_shape)[0]
    if node.layer.joins or not isinstance(extent, tuple):
        return []
    return [(window, whole(n)) for window, n in zip(extent, node.input_shapes[0][1:], strict=True)]


def _levels(nodes: Sequence[Node]) -> Mapping[str, int]:
    """Return how often the resolution changes up to the output of each node, at most over all paths."""
    levels = {INPUT: 0}
    for node in nodes:
        levels[node.name] = max(levels[name] for name in node.inputs) + _changes_resolution(node)
    return levels


def _before_maps(nodes: Sequence[Node]) -> frozenset[str]:
    """Return the nodes on which a later map depends, such as vectors that weight channels."""
    found: set[str] = set()
    for node in reversed(nodes):
        if len(node.output_shape) > 1 or node.name in found:
            found.update(node.inputs)
    return frozenset(found)


def _belongs_to_a_stage(node: Node) -> bool:
    """Return whether a node is more than elementwise, a rearrangement, or a pooling without effect."""
    family = node.layer.family
    if family in _LEFT_OUT:
        return False
    if computes_weighted_sums(node):
        return True
    if family == "shaping":
        before, after = node.input_shapes[0][1:], node.output_shape[1:]
        return bool(before) and bool(after) and before != after
    return family != "pooling" or not _passes_on(node)


def _passes_on(node: Node) -> bool:
    """Return whether a pooling is the identity: one window per position, which reads only that position."""
    along = axes(node)
    return bool(along) and all(
        window.placements(n) == n
        and window.reach(0, n) == (0, 0)
        and window.reach(n - 1, n) == (n - 1, n - 1)
        for window, n in along
    )


def _changes_resolution(node: Node) -> bool:
    """Return whether a node has a stride or resizes; losing a border does not count as a change."""
    return any(
        window.placements(n) != n
        if isinstance(window, AdaptiveWindow | Spread | Resampled)
        else window.stride > 1
        for window, n in axes(node)
    )
