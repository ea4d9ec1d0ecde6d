"""The memory of random networks, compared with torch, and the one known difference."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

from cnncli.analysis.memory.usage import bytes_at, memory, peak_moment
from cnncli.graph import Graph
from cnncli.network import build_network
from cnncli.recipe.recipe import Recipe
from tests.generate import random_graphs, random_spec
from tests.live_memory import Living, kept_by, near, tolerance_of
from tests.network.support import example, graph_of

BATCH = 2
SUITE = 60
CAMPAIGN = 10_000
PARTS = 4
"""The number of groups of random specs, which run in parallel."""


class Found(NamedTuple):
    """The bytes that torch saves for the backward pass, or has live in inference, and the prediction."""

    torch: int
    predicted: int


def saved_and_peak(graph: Graph) -> tuple[Found, Found]:
    network = build_network(graph)
    expected = memory(graph, 4, Recipe())
    image = example(graph, BATCH)
    beside = [image, *network.parameters(), *network.buffers()]
    kept = kept_by(lambda: network.train()(image), beside)
    with torch.no_grad(), Living(beside) as living:
        network.eval()(image)
    standing = bytes_at(expected.image._replace(once=expected.weights + expected.buffers), BATCH)
    peak = bytes_at(peak_moment(expected.inference, BATCH).live, BATCH) - standing
    return Found(kept.total, bytes_at(expected.saved, BATCH)), Found(living.peak, peak)


def compare_all(seeds: range) -> int:
    """Return how many of the specs were valid; all of them agreed."""
    valid = 0
    for seed, graph in random_graphs(seeds):
        for found in saved_and_peak(graph):
            assert near(found.predicted, found.torch, tolerance_of(graph)), (found, random_spec(seed))
        valid += 1
    return valid


@pytest.mark.slow
def test_random_networks() -> None:
    assert compare_all(range(SUITE)) > SUITE // 2


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(PARTS))
def test_many_random_networks(part: int) -> None:
    assert compare_all(range(1000 + part, 1000 + CAMPAIGN, PARTS)) > CAMPAIGN // PARTS // 2


def test_flatten_copies_what_a_convolution_made_of_normalized_channels() -> None:
    """``layernorm: {over: channels}`` outputs channels last in memory, and convolutions keep that layout."""
    for norm, copy in (("layernorm", 0), ("{layernorm: {over: channels}}", BATCH * 4 * 5 * 4 * 4)):
        convs = f"{{conv: {{channels: 4, kernel: 1}}}}, {norm}, {{conv: {{channels: 5, kernel: 3}}}}"
        graph = graph_of(f"input: [2, 6, 6]\nlayers: [{convs}, relu, flatten, linear: 3]\n")
        saved, peak = saved_and_peak(graph)
        assert saved.torch - saved.predicted == copy
        assert peak.torch == peak.predicted


def test_of_sizes_that_are_matched_nothing_is_saved() -> None:
    for size, mode in ((9, "crop"), (8, "crop"), (9, "nearest")):
        graph = graph_of(
            f"input: [2, {size}, {size}]\n"
            "layers:\n"
            "  - {conv: {channels: 4, kernel: 1}, name: wide}\n"
            "  - maxpool: 2\n"
            "  - convtranspose: {channels: 3, kernel: 2, stride: 2, output_padding: 1}\n"
            f"  - matchsize: {{branches: [identity, wide], mode: {mode}}}\n"
            "  - conv: {channels: 2, kernel: 3}\n"
        )
        for found in saved_and_peak(graph):
            assert found.torch == found.predicted, (size, mode)
