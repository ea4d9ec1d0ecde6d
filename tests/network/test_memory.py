"""Memory on random networks, compared with torch, and the one difference that is known."""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch

from cnncli.analysis.memory.usage import bytes_at, memory, peak_moment
from cnncli.diagnostics import CnncliError
from cnncli.graph import Graph, open_text
from cnncli.language.sections import Train
from cnncli.network import build_network
from tests.generate import random_spec
from tests.live_memory import Living, kept_by, near, tolerance_of
from tests.network.support import example, graph_of

BATCH = 2


class Found(NamedTuple):
    """Bytes that torch keeps for the backward pass, or holds in inference, and what is predicted."""

    torch: int
    predicted: int


def saved_and_peak(graph: Graph) -> tuple[Found, Found]:
    network = build_network(graph)
    expected = memory(graph, 4, Train())
    image = example(graph, BATCH)
    beside = [image, *network.parameters(), *network.buffers()]
    kept = kept_by(lambda: network.train()(image), beside)
    with torch.no_grad(), Living(beside) as living:
        network.eval()(image)
    standing = bytes_at(expected.image._replace(once=expected.weights + expected.buffers), BATCH)
    peak = bytes_at(peak_moment(expected.inference, BATCH).live, BATCH) - standing
    return Found(kept.total, bytes_at(expected.saved, BATCH)), Found(living.peak, peak)


@pytest.mark.parametrize("seed", range(60))
def test_random_networks(seed: int) -> None:
    text = random_spec(seed)
    try:
        graph = open_text(text).graph
    except CnncliError:
        return  # shapes that do not fit, as people write them
    for found in saved_and_peak(graph):
        assert near(found.predicted, found.torch, tolerance_of(graph)), (found, text)


@pytest.mark.campaign
def test_many_random_networks() -> None:
    for seed in range(1000, 11_000):
        test_random_networks(seed)


def test_flatten_copies_what_a_convolution_made_of_normalized_channels() -> None:
    """``layernorm: {over: channels}`` passes on channels side by side, and a convolution keeps that order."""
    for norm, copy in (("layernorm", 0), ("{layernorm: {over: channels}}", BATCH * 4 * 5 * 4 * 4)):
        convs = f"{{conv: {{channels: 4, kernel: 1}}}}, {norm}, {{conv: {{channels: 5, kernel: 3}}}}"
        graph = graph_of(f"input: [2, 6, 6]\nlayers: [{convs}, relu, flatten, linear: 3]\n")
        saved, peak = saved_and_peak(graph)
        assert saved.torch - saved.predicted == copy
        assert peak.torch == peak.predicted
