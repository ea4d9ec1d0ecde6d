"""Which segments are computed again in the backward pass, so that a step fits with the fewest operations.

A search through the schedule, from its first node to its last: at each place a node alone, for which
everything is saved, or a segment from there to a later place. What has been decided before matters through
the bytes kept and the kept values that are still to be read (:mod:`cnncli.analysis.memory.walk`). Of the
ways that agree in the latter, one that keeps no fewer bytes and computes no less again than another is
dropped, so the way that remains is the best of all, for any graph.

Two limits keep that fast; a network that exceeds one gets a good way instead of the best one: segments of
more than a few nodes begin and end at :data:`~cnncli.limits.MAX_CUTS` places at most, those where the fewest
values are still to be read, and at each place :data:`~cnncli.limits.MAX_WAYS` ways are followed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

from cnncli.analysis.memory.walk import Stretch, Walk
from cnncli.graph.segments import Segment
from cnncli.limits import MAX_CUTS, MAX_WAYS

_FEW: Final = 8
"""Nodes of a segment that may begin and end anywhere: several times those of a layer with its activation."""


class Room(NamedTuple):
    """The most bytes that may be live in the forward and in the backward pass of a walk."""

    forward: int
    backward: int


class Recomputed(NamedTuple):
    """Segments that are computed again, and the FLOPs of that for a sample."""

    segments: tuple[Segment, ...]
    flops: int


class _Way(NamedTuple):
    """What was decided up to a place: bytes that are kept, and what it costs; linked to what was before."""

    kept: int
    cost: int
    segment: Segment | None = None
    before: _Way | None = None


_Weigh: TypeAlias = "Callable[[_Way, Stretch], int | None]"
"""What a way costs after another stretch; None if that does not fit."""


def fewest_operations(walk: Walk, room: Room) -> Recomputed | None:
    """Return the segments that fit with the fewest FLOPs; None if no segments do."""

    def weigh(way: _Way, stretch: Stretch) -> int | None:
        fits = way.kept + stretch.forward <= room.forward and way.kept + stretch.backward <= room.backward
        return way.cost + stretch.flops if fits else None

    found = _search(walk, weigh)
    return None if found is None else _needed(walk, room, tuple(_segments(found)))


def _needed(walk: Walk, room: Room, segments: tuple[Segment, ...]) -> Recomputed:
    """Return those of the segments without which a step would not fit: some cost nothing, so came along."""
    for segment in segments:
        others = tuple(each for each in segments if each != segment)
        if all(live <= most for live, most in zip(walk.peaks(others), room, strict=True)):
            segments = others
    return Recomputed(segments, sum(each.flops for each in walk.stretches(segments)))


def least_peak(walk: Walk, held: Room) -> int:
    """Return the smallest peak of all segments, where ``held`` is live in addition in each pass."""

    def weigh(way: _Way, stretch: Stretch) -> int:
        forward, backward = held.forward + stretch.forward, held.backward + stretch.backward
        return max(way.cost, way.kept + forward, way.kept + backward)

    found = _search(walk, weigh)
    assert found is not None, "everything fits"
    return found.cost


def _search(walk: Walk, weigh: _Weigh) -> _Way | None:
    """Return the way through all nodes that costs least; None if none fits."""
    ways: list[dict[frozenset[str], list[_Way]]] = [{} for _ in range(len(walk) + 1)]
    ways[0][frozenset()] = [_Way(0, 0)]
    all_stops = _stops(walk)
    for place in range(len(walk)):
        stops = all_stops[place]
        for known, arrived in ways[place].items():
            kept = _best(arrived)
            options: list[tuple[Segment | None, Stretch | None]] = [(None, walk.plain(place, known))]
            segments = (Segment(place, stop) for stop in stops)
            options += ((segment, walk.recomputed(segment, known)) for segment in segments)
            for segment, stretch in options:
                if stretch is None:
                    continue
                stop = place + 1 if segment is None else segment.stop
                reached = ways[stop].setdefault(stretch.known, [])
                for way in kept:
                    cost = weigh(way, stretch)
                    if cost is not None:
                        reached.append(_Way(way.kept + stretch.kept, cost, segment, way))
        ways[place].clear()
    return min(
        (way for reached in ways[-1].values() for way in reached), key=lambda way: way.cost, default=None
    )


def _best(ways: Sequence[_Way]) -> list[_Way]:
    """Return the ways that no other one is better than, the fewest bytes first, of many only some."""
    best: list[_Way] = []
    for way in sorted(ways, key=lambda way: (way.kept, way.cost)):
        if not best or way.cost < best[-1].cost:
            best.append(way)
    if len(best) <= MAX_WAYS:
        return best
    return [best[number * (len(best) - 1) // (MAX_WAYS - 1)] for number in range(MAX_WAYS)]


def _stops(walk: Walk) -> list[list[int]]:
    """Return for each place where segments that begin there may end."""
    cuts = _cuts(walk)
    ends, every = [*_ends(walk, cuts)], [*_ends(walk, range(len(walk) + 1))]
    return [
        [
            *(stop for stop in every if place < stop <= place + _FEW),
            *(stop for stop in ends if place in cuts and stop > place + _FEW),
        ]
        for place in range(len(walk))
    ]


def _cuts(walk: Walk) -> list[int]:
    """Return the places at which long segments may begin and end."""
    places = [*range(1, len(walk))]
    if len(places) > MAX_CUTS:
        # Of places alike, those far from the others: the bits of their number in reverse order.
        by_need = sorted(places, key=lambda place: (len(walk.pending[place]), f"{place:020b}"[::-1]))
        places = sorted(by_need[:MAX_CUTS])
    return [0, *places, len(walk)]


def _ends(walk: Walk, places: Sequence[int]) -> Iterator[int]:
    """Yield the places at which segments may end: more nodes for which nothing is saved make none better."""
    for before, stop in pairwise(places):
        if any(step.is_saving for step in walk.steps[before:stop]):
            yield stop


def _segments(way: _Way) -> Iterator[Segment]:
    links = []
    link: _Way | None = way
    while link is not None:
        links.append(link.segment)
        link = link.before
    return (segment for segment in reversed(links) if segment is not None)
