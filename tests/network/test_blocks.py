"""Equal blocks of a network are compiled once, with the results of the network itself."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from cnncli.graph import open_text
from cnncli.graph.blocks import blocks_of
from cnncli.graph.schedule import schedule
from cnncli.network import Network, build_network
from cnncli.network.compiled import compile_network
from tests.network.support import HEADS, RESIDUAL

pytestmark = [
    pytest.mark.usefixtures("fresh_compiler"),
    # The compiler asks every tensor that comes in for its gradient, and hides the warning about it.
    pytest.mark.filterwarnings("ignore:The .grad attribute"),
]

UNITS = """
input: [3, 8, 8]
vars: {n: 3}
defaults: {conv: {kernel: 3, padding: half, bias: false}}
blocks:
  unit:
    args: {channels: , stride: 1}
    layers:
      - add:
          - - {conv: {channels: channels, stride: stride, norm: batch, activation: relu}}
            - {conv: {channels: channels, norm: batch}}
          - {shortcut: {channels: channels, stride: stride, mode: pad}}
      - relu
layers:
  - {conv: 4, name: stem}
  - relu
  - {unit: 4, repeat: n, name: layer1}
  - {unit: 8, first: {stride: 2}, repeat: n, name: layer2}
  - globalavgpool
  - linear: 10
"""
"""Stem, equal units, the first of the second stage, equal units again, head: five different parts."""


def built(text: str, n: int | None = None) -> Network:
    torch.manual_seed(0)
    overrides = () if n is None else (f"n={n}",)
    return build_network(open_text(text, overrides=overrides).graph, in_blocks=True)


def graphs() -> int:
    """Return how many graphs torch has compiled since the last call."""
    found = counters["stats"]["unique_graphs"]
    counters.clear()
    return found


def step(network: nn.Module, call: object, x: Tensor) -> dict[str, Tensor]:
    """Return everything that a training step computes: outputs, gradients, running statistics."""
    outputs = call(x)  # type: ignore[operator]
    outputs.square().sum().backward()
    gradients = {name: each.grad for name, each in network.named_parameters() if each.grad is not None}
    return {"": outputs.detach(), **gradients, **dict(network.named_buffers())}


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 6])
def test_equal_units_are_compiled_once(n: int) -> None:
    graphs()
    network = built(UNITS, n)
    compile_network(network, "eager")(torch.randn(2, 3, 8, 8))
    assert graphs() == 5


@pytest.mark.slow
def test_a_step_is_that_of_the_network() -> None:
    compiled = built(UNITS, 2)
    plain = deepcopy(compiled)
    names = [*compiled.state_dict()]
    call = compile_network(compiled, "aot_eager")
    for batch in (4, 3):
        x = torch.randn(batch, 3, 8, 8).contiguous(memory_format=torch.channels_last)
        theirs, ours = step(plain, plain, x), step(compiled, call, x)
        assert ours.keys() == theirs.keys()
        for name, each in theirs.items():
            torch.testing.assert_close(ours[name], each, msg=name)
    assert [*compiled.state_dict()] == names
    compiled.eval()
    with torch.no_grad():
        torch.testing.assert_close(call(x), plain.eval()(x))


@pytest.mark.slow
def test_frozen_units_are_others() -> None:
    network = built(UNITS, 4)
    for name in ("stem", "layer1.0", "layer1.1"):
        network.get_submodule(name).requires_grad_(False)
    graphs()
    compile_network(network, "eager")(torch.randn(2, 3, 8, 8))
    assert graphs() == 7, "layer1 has three: frozen, learned after frozen ones, learned after learned ones"


def test_units_with_other_arguments_or_shapes_are_not_equal() -> None:
    text = """
input: [2, 12, 12]
blocks:
  one:
    args: {dilation: 1}
    layers: [{conv: {channels: 2, kernel: 3, padding: same, dilation: dilation}}, {batchnorm: }]
layers:
  - {one: 1, name: a}
  - {one: 2, name: b}
  - {one: 1, name: c}
  - maxpool: 2
  - {one: 1, name: d}
  - {one: 1, name: e}
"""
    order = schedule(open_text(text).graph, training=True)
    numbers = [number for segment, number in blocks_of(order).items() for _ in range(*segment)]
    named = dict(zip((node.name.partition(".")[0] for node in order.nodes), numbers, strict=True))
    assert named["a"] == named["c"] != named["b"]
    assert named["d"] == named["e"] != named["a"]


@pytest.mark.slow
def test_what_is_read_from_the_inside_of_a_unit_is_computed_by_it() -> None:
    tail = "heads:\n  label: [globalavgpool, {linear: 10}]\n"
    aux = "  aux: {from: layer1.1.conv1, layers: [globalavgpool, {linear: 5}], training_only: true}\n"
    network = built(UNITS.partition("  - globalavgpool")[0] + tail + aux)
    call = compile_network(network, "eager")
    x = torch.randn(2, 3, 8, 8)
    for training, parts in ((True, 6), (False, 5)):
        network.train(training)
        graphs()
        theirs, ours = deepcopy(network)(x), call(x)
        assert graphs() == parts
        ours, theirs = ({"label": each} if isinstance(each, Tensor) else each for each in (ours, theirs))
        assert [*ours] == [*theirs]
        for name, each in theirs.items():
            torch.testing.assert_close(ours[name], each)


@pytest.mark.campaign
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_equal_units_draw_numbers_of_their_own() -> None:
    text = """
input: [1, 64, 64]
blocks:
  unit: {layers: [{dropout: 0.5}, {conv: {channels: 1, kernel: 1, bias: false}}]}
layers:
  - {unit: , repeat: 2, name: units}
"""
    network = built(text)
    torch.nn.init.ones_(network.get_parameter("units.0.conv1.weight"))
    torch.nn.init.ones_(network.get_parameter("units.1.conv1.weight"))
    graphs()
    outputs = compile_network(network)(torch.ones(4, 1, 64, 64))
    assert isinstance(outputs, Tensor)
    assert graphs() == 1 + 1, "the input has no gradient, the output of the first unit has"
    assert abs((outputs != 0).float().mean() - 0.25) < 0.02


def test_blocks_cover_a_schedule_once() -> None:
    for text in (UNITS, RESIDUAL, HEADS):
        order = schedule(open_text(text).graph, training=True)
        assert [place for each in blocks_of(order) for place in range(*each)] == [*range(len(order.nodes))]
