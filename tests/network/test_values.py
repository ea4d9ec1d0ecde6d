"""Values of nodes from the compiled graph, against those that hooks see."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cnncli.graph import Graph, open_text
from cnncli.network import build_network
from cnncli.network.values import values_of

SPEC = """
input: [3, 9, 9]
layers:
  - conv: {channels: 4, kernel: 3, activation: relu, norm: batch}
  - add: [[conv: {channels: 4, kernel: 1}], identity]
  - flatten
  - dropout
heads:
  output: [linear: 5]
  aux: {from: add1, layers: [globalavgpool, linear: 2], training_only: true}
"""


@pytest.fixture(scope="module")
def graph() -> Graph:
    return open_text(SPEC).graph


def hooked(network: nn.Module, names: list[str], x: Tensor) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}

    def keep(name: str) -> object:
        return lambda _, __, output: found.__setitem__(name, output)

    handles = [network.get_submodule(name).register_forward_hook(keep(name)) for name in names]  # type: ignore[arg-type]
    network(x)
    for handle in handles:
        handle.remove()
    return found


def test_they_are_those_that_hooks_see(graph: Graph) -> None:
    network, x = build_network(graph).eval(), torch.randn(2, 3, 9, 9)
    names = [node.name for node in graph.nodes if not node.training_only]
    expected = hooked(network, names, x)
    found = values_of(network, graph, [*names, "input"])(x)
    assert [*found] == [*names, "input"]
    assert torch.equal(found["input"], x)
    for name in names:
        assert torch.equal(found[name], expected[name]), name


def test_of_a_head_in_training_only_and_of_one_node(graph: Graph) -> None:
    network, x = build_network(graph).eval(), torch.randn(2, 3, 9, 9)
    last = graph.outputs["aux"].node
    alone = values_of(network, graph, [last])(x)[last]
    assert alone.shape == (2, 2)
    assert not network.training
    pooled = values_of(network, graph, ["add1"])(x)["add1"].mean((2, 3))
    torch.testing.assert_close(alone, network.get_submodule(last)(pooled))


def test_nothing_else_is_computed(graph: Graph) -> None:
    network = build_network(graph).eval()
    for node in graph.nodes:
        if node.name not in ("conv1", "conv1_norm"):
            network.get_submodule(node.name).register_forward_pre_hook(lambda *_: 1 / 0)
    x = torch.randn(2, 3, 9, 9)
    assert values_of(network, graph, ["conv1_norm"])(x)["conv1_norm"].shape == (2, 4, 7, 7)
    with pytest.raises(ZeroDivisionError):
        network(x)
