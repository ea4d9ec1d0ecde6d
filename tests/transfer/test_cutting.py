"""Parts of specs: at every node the layers are those of the whole network, and so is what they compute."""

from __future__ import annotations

import pytest
import torch

from cnncli.diagnostics import UsageError
from cnncli.graph import Graph, Node, open_text
from cnncli.language.description import INPUT
from cnncli.network import build_network
from cnncli.transfer.cutting import AFTER, UNTIL, cut
from tests.specs.support import LARGE, NAMES, graph

SOME = 2
"""The nodes of each spec in every run of the tests; in campaigns all of them."""


def places(whole: Graph, count: int | None) -> list[Node]:
    step = 1 if count is None else max(1, len(whole.nodes) // count)
    return [*whole.nodes[step // 2 :: step]]


def part_of(whole: Graph, node: str, side: str) -> Graph:
    return open_text(cut(whole, node, side, "net.yaml").text).graph


def check_until(whole: Graph, node: Node) -> None:
    part = part_of(whole, node.name, UNTIL)
    (last,) = part.outputs.values()
    assert (last.node, last.shape) == (node.name, node.output_shape)
    assert part.input == whole.input
    assert same(part, whole)
    assert {each.name for each in part.nodes} == ancestors(whole, node.name)


def ancestors(whole: Graph, name: str) -> set[str]:
    """A node with everything that it is computed from, back to the input."""
    inputs = {each.name: each.inputs for each in whole.nodes}
    found: set[str] = set()
    waiting = [name]
    while waiting:
        each = waiting.pop()
        if each in inputs and each not in found:
            found.add(each)
            waiting += inputs[each]
    return found


def same(part: Graph, whole: Graph) -> bool:
    """Whether shapes, parameters and buffers of a part are those of the whole network."""
    there = {each.name: each for each in whole.nodes}
    return all(
        (each.layer, each.input_shapes, each.output_shape, each.parameters, each.buffers)
        == (
            there[each.name].layer,
            there[each.name].input_shapes,
            there[each.name].output_shape,
            there[each.name].parameters,
            there[each.name].buffers,
        )
        for each in part.nodes
    )


def check_after(whole: Graph, node: Node) -> None:
    """Every node whose ancestors have the node among them comes after it."""
    after = {each.name for each in whole.nodes if node.name in ancestors(whole, each.name)} - {node.name}
    readers = after | {node.name}
    severed = {name for each in whole.nodes if each.name in after for name in each.inputs} - readers
    if severed or not after:
        with pytest.raises(UsageError, match="would be cut too" if severed else "nothing comes after"):
            cut(whole, node.name, AFTER, "net.yaml")
        return
    part = part_of(whole, node.name, AFTER)
    assert part.input == node.output_shape
    assert {each.name for each in part.nodes} == after
    assert same(part, whole)
    kept = {name: output.shape for name, output in whole.outputs.items() if output.node in readers}
    assert {name: output.shape for name, output in part.outputs.items()} == kept


def check(name: str, count: int | None) -> None:
    whole = graph(name)
    for node in places(whole, count):
        if last_in(whole, node.name) == node.name:
            check_until(whole, node)
            check_after(whole, node)


def last_in(whole: Graph, name: str) -> str:
    """The node that a name means: with a norm or an activation that is written at it."""
    return cut(whole, name, UNTIL, "net.yaml").node


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if name not in LARGE])
def test_parts_are_parts(name: str) -> None:
    check(name, SOME)


@pytest.mark.campaign
@pytest.mark.parametrize("name", NAMES)
def test_all_parts_are_parts(name: str) -> None:
    check(name, None)


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "node"),
    [("lenet5", "avgpool2"), ("small_resnet", "stage1"), ("lecture/toy_classifier", "maxpool2")],
)
def test_two_parts_compute_what_the_whole_does(name: str, node: str) -> None:
    whole = graph(name)
    first, second = part_of(whole, node, UNTIL), part_of(whole, node, AFTER)
    torch.manual_seed(0)
    network = build_network(whole).eval()
    trunk, top = build_network(first).eval(), build_network(second).eval()
    weights = network.state_dict()
    for part in (trunk, top):
        part.load_state_dict({key: weights[key] for key in part.state_dict()})
    assert {*trunk.state_dict(), *top.state_dict()} == {*weights}
    images = torch.randn(2, *(size for size in whole.input if isinstance(size, int)))
    torch.testing.assert_close(top(trunk(images)), network(images), rtol=0, atol=0)


def test_edges_that_would_be_cut_are_named() -> None:
    with pytest.raises(UsageError) as error:
        cut(graph("unet"), "down3.conv", AFTER, "unet")
    message = error.value.diagnostics[0].message
    assert "2 other edges would be cut too: " in message
    assert "down1.conv.1_activation -> up1.concat1" in message
    text = "{input: [2, 8], layers: [{conv: {channels: 2, kernel: 1}}, {add: [conv1, input]}]}"
    residual = open_text(text).graph
    with pytest.raises(UsageError, match=rf"cut too: {INPUT} -> add1"):
        cut(residual, "conv1", AFTER, "net.yaml")


def test_outputs_before_the_cut_are_dropped() -> None:
    found = cut(graph("inception/googlenet"), "inception4d", AFTER, "googlenet")
    assert found.dropped == ("aux1",)
    part = open_text(found.text).graph
    assert {name: output.training_only for name, output in part.outputs.items()} == {
        "scores": False,
        "aux2": True,
    }
    assert {"conv1", "aux1"} <= {*found.reset}
