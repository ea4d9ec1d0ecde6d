"""The search for segments to recompute, against all choices; the walk, against the moments of a step."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cnncli.analysis.memory.liveness import Training
from cnncli.analysis.memory.recompute import Room, fewest_operations, least_peak
from cnncli.analysis.memory.usage import bytes_at
from cnncli.analysis.memory.walk import Walk
from cnncli.diagnostics import UsageError
from cnncli.graph import Graph, open_spec
from cnncli.graph.segments import Segment, segment_names, segments_of
from tests.network.support import HEADS, RESIDUAL, SKIPS, graph_of

CHAIN = """
input: [2, 8, 8]
layers:
  - {conv: {channels: 8, kernel: 3, padding: same}}
  - batchnorm
  - relu
  - {conv: {channels: 4, kernel: 3}}
  - sigmoid
  - maxpool: 2
  - {conv: {channels: 16, kernel: 3}}
  - relu
  - flatten
"""
BRANCHES = """
input: [2, 6, 6]
layers:
  - {conv: {channels: 4, kernel: 1}, name: one}
  - relu
  - add: [identity, [{conv: {channels: 4, kernel: 1}}, batchnorm]]
  - relu
  - concat: [identity, one]
  - tanh
"""


def walk_of(graph: Graph, batch: int = 5, *, sliced: bool = False) -> Walk:
    return Walk(Training(graph, 4), batch, sliced=sliced)


@pytest.mark.parametrize("sliced", [False, True])
@pytest.mark.parametrize("name", ["lenet5", "capsnet_reconstruction", "googlenet", "faster_rcnn", "unet"])
def test_without_segments_it_is_a_plain_step(name: str, *, sliced: bool) -> None:
    graph = open_spec(name).graph
    training = Training(graph, 4)
    moments = (training.forward(), training.backward(again=sliced))
    peaks = tuple(max(bytes_at(each.live, 5) for each in own) for own in moments)
    assert walk_of(graph, sliced=sliced).peaks(()) == peaks


def every_choice(start: int, stop: int) -> Iterator[tuple[Segment, ...]]:
    """All choices of segments between two places."""
    if start == stop:
        yield ()
        return
    yield from every_choice(start + 1, stop)
    for end in range(start + 1, stop + 1):
        yield from ((Segment(start, end), *rest) for rest in every_choice(end, stop))


@pytest.mark.parametrize("text", [CHAIN, BRANCHES])
def test_no_other_segments_are_better(text: str) -> None:
    walk = walk_of(graph_of(text))
    choices: dict[int, int] = {}
    for segments in every_choice(0, len(walk)):
        cost = sum(each.flops for each in walk.stretches(segments))
        peak = max(walk.peaks(segments))
        choices[peak] = min(cost, choices.get(peak, cost))
    most = max(walk.peaks(()))
    least = least_peak(walk, Room(0, 0))
    assert least == min(choices)
    costs = []
    for limit in sorted({*choices, most, (least + most) // 2}):
        found = fewest_operations(walk, Room(limit, limit))
        assert found is not None
        assert max(walk.peaks(found.segments)) <= limit
        assert found.flops == min(cost for peak, cost in choices.items() if peak <= limit)
        costs.append(found.flops)
    assert costs == sorted(costs, reverse=True)
    assert costs[0] > costs[-1] == 0
    assert fewest_operations(walk, Room(least - 1, least - 1)) is None
    assert fewest_operations(walk, Room(most, most)) == ((), 0)


def test_what_is_held_beside_counts_in_its_pass() -> None:
    walk = walk_of(graph_of(RESIDUAL))
    forward, backward = walk.peaks(())
    assert fewest_operations(walk, Room(forward, backward)) == ((), 0)
    for room in (Room(forward - 1, 2 * backward), Room(2 * forward, backward - 1)):
        found = fewest_operations(walk, room)
        assert found is not None
        peaks = walk.peaks(found.segments)
        assert peaks[0] <= room.forward
        assert peaks[1] <= room.backward
        assert found.segments
    assert least_peak(walk, Room(10**9, 0)) == 10**9 + least_peak(walk, Room(0, -(10**9)))


def test_names_of_segments() -> None:
    graph = graph_of(RESIDUAL)
    nodes = [node.name for node in graph.nodes]
    segments = segments_of(graph, ["layer1.1", "stem:maxpool1", "linear1"])
    assert segments[0] == Segment(0, 2)
    assert [nodes[place] for place in range(*segments[1])] == [n for n in nodes if n.startswith("layer1.1.")]
    assert segments[2] == Segment(len(nodes) - 1, len(nodes))
    names = segment_names(graph, segments)
    assert names[0] == "stem:maxpool1"
    assert names[2] == "linear1"
    assert segments_of(graph, names) == segments


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["layr1.1"], "there is no node 'layr1.1' to recompute"),
        (["linear1:stem"], "'linear1:stem': stem comes before linear1"),
        (["layer1", "layer1.1"], "'layer1' and 'layer1.1' are recomputed twice"),
    ],
)
def test_names_that_are_none(names: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        segments_of(graph_of(RESIDUAL), names)
    assert caught.value.diagnostics[0].message == message


@pytest.mark.parametrize("text", [SKIPS, HEADS])
def test_a_smaller_limit_takes_more_operations(text: str) -> None:
    walk = walk_of(graph_of(text))
    most, least = max(walk.peaks(())), least_peak(walk, Room(0, 0))
    found = fewest_operations(walk, Room(least, least))
    assert found is not None
    assert max(walk.peaks(found.segments)) == least < most
