"""Segments: consecutive nodes of a schedule whose values are not saved, but computed again when needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.graph.graph import Graph
from cnncli.graph.schedule import schedule

TO: Final = ":"
"""Between the first and the last node of a segment, as it is written."""


class Segment(NamedTuple):
    """The nodes from ``start`` to before ``stop`` in the schedule of training."""

    start: int
    stop: int


def segments_of(graph: Graph, names: Iterable[str]) -> tuple[Segment, ...]:
    """Return the segments that names stand for: of a node, of a group of nodes, or ``FIRST:LAST``.

    Raises:
        UsageError: there is no such node, a group's nodes do not follow one another, or segments overlap.
    """
    nodes = [node.name for node in schedule(graph, training=True).nodes]
    found = sorted({name: _segment(nodes, name) for name in names}.items(), key=lambda item: item[1])
    for (before, one), (name, other) in pairwise(found):
        if other.start < one.stop:
            raise usage_error(
                f"'{before}' and '{name}' are recomputed twice",
                expected="segments without a common node",
                received=f"{nodes[other.start]} in both",
            )
    return tuple(segment for _, segment in found)


def segment_names(graph: Graph, segments: Iterable[Segment]) -> tuple[str, ...]:
    """Return how segments are written: the name of a node, or ``FIRST:LAST``."""
    nodes = [node.name for node in schedule(graph, training=True).nodes]
    return tuple(_name(nodes[start], nodes[stop - 1]) for start, stop in segments)


def _name(first: str, last: str) -> str:
    return first if first == last else f"{first}{TO}{last}"


def _segment(nodes: Sequence[str], name: str) -> Segment:
    first, given, last = name.partition(TO)
    if not given:
        return _together(nodes, name)
    segment = Segment(_place(nodes, first), _place(nodes, last) + 1)
    if segment.start >= segment.stop:
        raise usage_error(
            f"'{name}': {last} comes before {first}", expected="the first and the last node of a segment"
        )
    return segment


def _together(nodes: Sequence[str], name: str) -> Segment:
    """Return the segment of a node, or of the nodes of a group."""
    places = [*_members(nodes, name)]
    if not places:
        return Segment(place := _place(nodes, name), place + 1)
    segment = Segment(places[0], places[-1] + 1)
    between = [
        node for place, node in enumerate(nodes[slice(*segment)], segment.start) if place not in places
    ]
    if between:
        raise usage_error(
            f"'{name}' cannot be recomputed as a whole: other nodes run between its own",
            expected=f"FIRST{TO}LAST",
            received=between[0],
        )
    return segment


def _members(nodes: Sequence[str], name: str) -> Iterator[int]:
    return (place for place, node in enumerate(nodes) if node == name or node.startswith(f"{name}."))


def _place(nodes: Sequence[str], name: str) -> int:
    if name not in nodes:
        raise usage_error(
            f"there is no node '{name}' to recompute",
            expected="the name of a node or of a group of nodes",
            hint=did_you_mean(name, nodes),
        )
    return nodes.index(name)
