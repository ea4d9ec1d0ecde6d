"""torch.compile makes one graph of a network, with the same results."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from cnncli.network import Network
from tests.network.support import HEADS, RESIDUAL, SKIPS, example, graph_of, network_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fresh_compiler")]


def assert_same(network: Network, compiled: Any, x: Tensor) -> None:
    assert torch.allclose(compiled(x), network(x), atol=1e-6)


@pytest.mark.parametrize(
    ("text", "backend"), [(RESIDUAL, "aot_eager"), (SKIPS, "eager")], ids=["residual", "skips"]
)
def test_compiles_without_a_graph_break(text: str, backend: str) -> None:
    graph, network = graph_of(text), network_of(text)
    compiled = torch.compile(network, fullgraph=True, backend=backend)
    x = example(graph, 2)
    compiled(x).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    network.eval()
    assert_same(network, compiled, x)


def test_compiles_in_both_modes_with_heads() -> None:
    network = network_of(HEADS)
    compiled = torch.compile(network, fullgraph=True, backend="eager")
    x = torch.randn(2, 3, 8, 8)
    assert list(compiled(x)) == ["label", "aux"]
    network.eval()
    assert list(compiled(x)) == ["label"]


def test_compiles_for_sizes_that_change() -> None:
    text = """
input: [2, 15, 12]
layers:
  - {conv: {channels: 3, kernel: 3, stride: 2, padding: same, activation: relu}, name: a}
  - conv: {channels: 3, kernel: 3, padding: same, padding_mode: symmetric}
  - maxpool: {kernel: 2, padding: same}
  - concat: {branches: [a, identity], align: crop}
  - globalavgpool
"""
    network = network_of(text).eval()
    compiled = torch.compile(network, fullgraph=True, backend="eager", dynamic=True)
    for sizes in ((15, 12), (20, 31)):
        assert_same(network, compiled, torch.randn(2, 2, *sizes))
