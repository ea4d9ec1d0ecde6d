"""Networks of which the backward pass computes segments again: bit for bit the same, and less memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from random import Random

import pytest
import torch
from torch import Tensor

from cnncli.algebra import whole_shape
from cnncli.analysis.memory.liveness import Training
from cnncli.analysis.memory.walk import Walk
from cnncli.graph import Graph, open_spec
from cnncli.graph.segments import Segment
from cnncli.network import Network, build_network
from tests.live_memory import Living
from tests.network.support import HEADS, SKIPS, graph_of
from tests.specs.test_memory import beside, loss_of

BATCH = 8
CHANCE = """
input: [2, 8, 8]
layers:
  - {conv: {channels: 8, kernel: 3, padding: same}}
  - batchnorm
  - relu
  - dropout: 0.3
  - add: [identity, [{conv: {channels: 8, kernel: 3, padding: same}}, batchnorm, {droppath: 0.5}]]
  - batchnorm
  - noise: 0.2
  - {conv: {channels: 4, kernel: 3, stride: 2}}
  - batchnorm
  - relu
  - maxpool: 2
  - flatten
  - linear: 3
"""
MATCHED = """
input: [2, 9, 9]
layers:
  - {conv: {channels: 8, kernel: 1}, name: wide}
  - conv: {channels: 6, kernel: 3, stride: 2, activation: relu}
  - convtranspose: {channels: 4, kernel: 3, stride: 2, output_padding: 1}
  - {matchsize: {branches: [identity, wide], mode: crop}}
  - relu
  - {matchsize: {branches: [identity, input], mode: exact}}
  - conv: {channels: 2, kernel: 3}
"""
GRAPHS: dict[str, Callable[[], Graph]] = {
    "lenet5": lambda: open_spec("lenet5").graph,
    "small_resnet": lambda: open_spec("small_resnet").graph,
    "resnet18": lambda: open_spec("resnet18", size=(3, 32, 32)).graph,
    "joins": lambda: graph_of(SKIPS.partition("  - medianpool")[0]),
    "heads": lambda: graph_of(HEADS),
    "matched": lambda: graph_of(MATCHED),
}


def some_segments(count: int, seed: int) -> list[Segment]:
    """Segments of all lengths, some right after one another."""
    draw = Random(seed)  # noqa: S311 - nothing here is a secret
    segments, place = [], 0
    while place < count:
        start = draw.randint(place, place + 2)
        stop = min(count, start + draw.choice((1, 2, 4, 9, 30)))
        segments += [Segment(start, stop)] if start < stop else []
        place = max(stop, place + 1)
    return segments


def trained(graph: Graph, again: Sequence[Segment]) -> tuple[Network, Tensor]:
    """A network after three steps, and torch's random numbers then."""
    torch.manual_seed(5)
    network = build_network(graph, again=again).train()
    optimizer = torch.optim.SGD(network.parameters(), 0.05, momentum=0.9)
    for _ in range(3):
        optimizer.zero_grad()
        loss_of(network(torch.randn(BATCH, *whole_shape(graph.input))).tanh()).backward()
        optimizer.step()
    return network, torch.get_rng_state()


@pytest.mark.parametrize("seed", [0, 2, 4])
def test_weights_statistics_and_random_numbers_are_the_same(seed: int) -> None:
    graph = graph_of(CHANCE)
    segments = some_segments(len(graph.nodes), seed)
    (network, numbers), (plain, others) = trained(graph, segments), trained(graph, ())
    assert len(segments) > 1
    assert torch.equal(numbers, others)
    for (name, mine), its in zip(network.state_dict().items(), plain.state_dict().values(), strict=True):
        assert torch.equal(mine, its), name
    image = torch.ones(1, *whole_shape(graph.input))
    assert torch.equal(network.eval()(image), plain.eval()(image))


def test_a_network_with_segments_can_be_copied() -> None:
    graph = graph_of(CHANCE)
    network = build_network(graph, again=[Segment(1, 5)]).train()
    image = torch.ones(2, *whole_shape(graph.input))
    other = copy.deepcopy(network)
    torch.manual_seed(1)
    expected = network(image)
    torch.manual_seed(1)
    assert torch.equal(other(image), expected)


def measured(graph: Graph, again: Sequence[Segment]) -> tuple[int, int]:
    """The most that lives in the forward and in the backward pass, except weights and their buffers."""
    network = build_network(graph, again=again).train()
    image = torch.zeros(BATCH, *whole_shape(graph.input))
    with Living(beside(network, image)) as living:
        outputs = network(image)
        forward = living.restart()
        loss = loss_of(outputs)
        living.restart()
        loss.backward()
        return forward + image.nbytes, living.restart() + image.nbytes


@pytest.mark.parametrize("name", GRAPHS)
def test_the_peaks_are_those_of_torch(name: str) -> None:
    graph = GRAPHS[name]()
    walk = Walk(Training(graph, 4), BATCH)
    _, own = measured(graph, ())
    # What torch needs for the gradients of weights beyond what is counted, with and without segments.
    beyond = abs(own - walk.peaks(())[1])
    for seed in range(2):
        segments = some_segments(len(walk), seed)
        forward, backward = measured(graph, segments)
        assert walk.peaks(segments)[0] == forward
        assert walk.peaks(segments)[1] == pytest.approx(backward, abs=beyond + 0.002 * backward)


def test_segments_need_less_memory() -> None:
    graph = GRAPHS["small_resnet"]()
    half = len(graph.nodes) // 2
    less = measured(graph, [Segment(0, half), Segment(half, len(graph.nodes))])
    assert less[0] < measured(graph, ())[0] / 2
    assert less[1] < measured(graph, ())[1]
