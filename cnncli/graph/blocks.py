"""Blocks: segments of a schedule that compute the same function, each with its own weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnncli.graph.graph import Node
from cnncli.graph.schedule import Schedule
from cnncli.graph.segments import Segment
from cnncli.layers.kind import Elementwise


def blocks_of(order: Schedule) -> Mapping[Segment, int]:
    """Return segments that cover a schedule, each with the number of the first one that is equal to it.

    Groups of nodes with equal layers, shapes and connections are segments; so are the stretches between them.
    An elementwise layer at the end of a group belongs to the segment after it: what a segment reads is saved
    for the backward pass, from which a compiler computes such a layer again, without saving anything for it.
    """
    last = _last_uses(order)
    first: dict[Any, int] = {}
    covering = _covering(_repeated(order, last), len(order.nodes))
    return {
        segment: first.setdefault(_content(order, segment, last), number)
        for number, segment in enumerate(covering)
    }


def _repeated(order: Schedule, last: Mapping[str, int]) -> list[Segment]:
    """Return the longest groups of which there are equal ones."""
    groups = sorted(_groups(order.nodes), key=lambda each: (each.start - each.stop, each.start))
    equal: dict[Any, list[Segment]] = {}
    for group in groups:
        equal.setdefault(_content(order, group, last), []).append(group)
    chosen: list[Segment] = []
    taken: set[int] = set()
    for some in equal.values():
        free = [each for each in some if taken.isdisjoint(range(*each))]
        if len(free) > 1:
            chosen += free
            taken.update(*(range(*each) for each in free))
    return chosen


def _groups(nodes: Sequence[Node]) -> set[Segment]:
    """Return the groups of nodes that follow one another, without elementwise layers at their ends."""
    places: dict[str, list[int]] = {}
    for place, node in enumerate(nodes):
        path = node.name.split(".")
        for length in range(1, len(path)):
            places.setdefault(".".join(path[:length]), []).append(place)
    together = [each for each in places.values() if each[-1] - each[0] + 1 == len(each)]
    cut = {Segment(_before(nodes, each[0]), _before(nodes, each[-1] + 1)) for each in together}
    return {each for each in cut if each.start < each.stop}


def _before(nodes: Sequence[Node], place: int) -> int:
    """Return the place before the elementwise layers that end at a place."""
    while place and isinstance(nodes[place - 1].layer, Elementwise):
        place -= 1
    return place


def _covering(segments: Sequence[Segment], count: int) -> Iterator[Segment]:
    """Yield segments in their order, and the stretches between them."""
    place = 0
    for segment in (*sorted(segments), Segment(count, count)):
        if place < segment.start:
            yield Segment(place, segment.start)
        if segment.start < segment.stop:
            yield segment
        place = segment.stop


def _content(order: Schedule, segment: Segment, last: Mapping[str, int]) -> tuple[Any, ...]:
    """Return what equal segments have in common: layers, shapes, and connections by number."""
    numbers: dict[str, int] = {}
    content: list[Any] = []
    for node in order.nodes[slice(*segment)]:
        read = tuple(numbers.setdefault(name, len(numbers)) for name in node.inputs)
        numbers[node.name] = len(numbers)
        content.append((node.layer, node.input_shapes, read, last[node.name] >= segment.stop))
    return tuple(content)


def _last_uses(order: Schedule) -> Mapping[str, int]:
    """Return the place of the last node that reads a value; an output is read after all of them."""
    last = {node.name: place for place, node in enumerate(order.nodes)}
    for place, node in enumerate(order.nodes):
        last |= dict.fromkeys(node.inputs, place)
    return last | dict.fromkeys(order.outputs.values(), len(order.nodes))
