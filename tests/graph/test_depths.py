"""Depths of layers, and the learning rates that follow from them: found in the graph, without torch."""

from __future__ import annotations

import pytest

from cnncli.analysis.rates import LayerRate, rates
from cnncli.graph import Graph, open_text
from cnncli.graph.depths import depths, learnable
from cnncli.graph.learning import learning_of
from cnncli.recipe.optimizers import Muon
from tests.language.support import fault, pointed
from tests.specs.support import LARGE, NAMES, graph, opened

SPEC = """input: [1, 8, 8]
layers:
  - {conv: {channels: 4, kernel: 3, padding: same, norm: batch}, name: stem}
  - add:
      - [{conv: {channels: 4, kernel: 1}, name: short}]
      - [{conv: {channels: 4, kernel: 1}, name: middle}, {conv: {channels: 4, kernel: 1}, name: long}]
    name: sum
  - {globalavgpool: {}, name: pool}
  - {linear: 10, name: head}
train: {%s}
"""


def brute_force(graph: Graph) -> dict[str, int]:
    """Return the largest depths of nodes, pushed along all edges until nothing grows any more."""
    found = {node.name: 0 for node in graph.nodes}
    grows = True
    while grows:
        grows = False
        for node in graph.nodes:
            own = sum(1 for shape in node.parameters.values() if len(shape) > 1) > 0
            for name in node.inputs:
                longer = found.get(name, 0) + own
                if longer > found[node.name]:
                    found[node.name], grows = longer, True
    return found


@pytest.mark.parametrize("name", [each for each in NAMES if each not in LARGE])
def test_a_depth_is_the_longest_way_from_the_input(name: str) -> None:
    assert depths(graph(name)) == brute_force(graph(name))


def test_the_last_layer_of_a_residual_network_has_the_depth_in_its_name() -> None:
    assert depths(graph("resnet/resnet18"))["fc"] == 18
    assert depths(graph("resnet/resnet50"))["fc"] == 50
    assert depths(graph("vgg/vgg16"))["classifier.6"] == 16


def test_a_rate_is_multiplied_once_for_each_layer_that_follows() -> None:
    """lr * 0.5^(deepest - depth), as in Clark et al., 2020; a group's own rate is multiplied too."""
    found = open_text(SPEC % "layer_decay: 0.5, optimizer: {sgd: {lr: 0.8}}, groups: [{match: short, lr: 8}]")
    assert rates(found.graph, found.train) == (
        LayerRate("stem", 1, (0.8 / 8,)),
        LayerRate("stem_norm", 1, (0.8 / 8,)),
        LayerRate("short", 2, (8 / 4,)),
        LayerRate("middle", 2, (0.8 / 4,)),
        LayerRate("long", 3, (0.8 / 2,)),
        LayerRate("head", 4, (0.8,)),
    )


def test_frozen_layers_have_no_rate_and_change_those_of_no_others() -> None:
    group = "groups: [{match: stem, freeze: true}]"
    plain, frozen = (open_text(SPEC % f"layer_decay: 0.5{more}") for more in ("", f", {group}"))
    first, second, *rest = rates(frozen.graph, frozen.train)
    assert (first.rates, second.node) == ((), "stem_norm")
    assert rates(plain.graph, plain.train)[1:] == (second, *rest)


def test_both_optimizers_of_muon_are_slower_by_the_same_factor() -> None:
    name, decay = "resnet/resnet18", 0.9
    plain, found = (opened(name, "train.optimizer=muon", f"train.layer_decay={each}") for each in (1, decay))
    before, after = (learning_of(each.graph, each.train) for each in (plain, found))
    assert isinstance(found.train.optimizer, Muon)
    for tensor, axes, depth in (("conv1.weight", 4, 1), ("layer1.0.conv1.weight", 4, 2), ("fc.bias", 1, 18)):
        share = before.way(tensor, axes).lr * decay ** (18 - depth)
        assert after.way(tensor, axes).lr == pytest.approx(share, rel=1e-12)


def test_one_is_the_same_rate_for_all() -> None:
    found = open_text(SPEC % "layer_decay: 1")
    assert rates(found.graph, found.train) == ()
    assert learning_of(found.graph, found.train).own == {}
    assert [node.name for node in learnable(found.graph)][-1] == "head"


def test_it_has_no_effect_on_a_single_layer() -> None:
    found = fault("input: [1, 8, 8]\nlayers: [flatten, linear: 10]\ntrain: {layer_decay: 0.5}\n")
    assert found.message == "'layer_decay' has no effect on a network whose layers all have the same depth"
    assert pointed(found) == "0.5"


@pytest.mark.parametrize("value", ["0", "-1", "1.5"])
def test_it_is_a_number_above_0_and_at_most_1(value: str) -> None:
    assert fault(SPEC % f"layer_decay: {value}").message.startswith("'layer_decay'")
