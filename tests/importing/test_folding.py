"""Blocks and repeats: what is written is the same network, and as short as its repetition allows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cnncli.algebra import whole_shape
from cnncli.graph import Graph, open_spec, open_text
from cnncli.importing.folding import folded
from cnncli.transfer.writing import entries
from tests.copies import ROOT

SPECS = [each for each in sorted((ROOT / "specs").rglob("*.yaml")) if "googlenet" not in each.stem]


def plain(graph: Graph) -> dict[str, Any]:
    """The sections of a spec with every layer by itself."""
    sections = {"name": "it", "input": list(whole_shape(graph.input)), "layers": entries(graph.nodes)}
    if list(graph.outputs) == ["output"]:
        return sections
    heads = {name: {"from": each.node, "layers": []} for name, each in graph.outputs.items()}
    return sections | {"heads": heads}


def layers(graph: Graph) -> dict[str, Any]:
    return {node.name: (node.layer, node.inputs, node.output_shape) for node in graph.nodes}


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.stem)
def test_a_folded_network_is_the_same(file: Path) -> None:
    graph = open_spec(str(file)).graph
    text, _ = folded(graph, plain(graph), {})
    again = open_text(text).graph
    assert layers(again) == layers(graph)
    assert {name: each.node for name, each in again.outputs.items()} == {
        name: each.node for name, each in graph.outputs.items()
    }


def test_a_residual_network_has_one_unit_and_its_stages_are_repeats() -> None:
    graph = open_spec("resnet50").graph
    text, blocks = folded(graph, plain(graph), {"layer1.0": "bottleneck"})
    assert blocks == ("bottleneck",)
    assert "args: {channels: , stride: 1}" in text
    assert "- {conv: {channels: channels*4, kernel: 1, padding: half, bias: false}, name: conv3}" in text
    stages = [line for line in text.splitlines() if "repeat" in line]
    assert stages == [
        "  - {bottleneck: {channels: 64}, name: layer1, repeat: 3}",
        "  - {bottleneck: {channels: 128}, name: layer2, repeat: 4, first: {stride: 2}}",
        "  - {bottleneck: {channels: 256}, name: layer3, repeat: 6, first: {stride: 2}}",
        "  - {bottleneck: {channels: 512}, name: layer4, repeat: 3, first: {stride: 2}}",
    ]


def test_a_skip_is_an_argument_of_its_block() -> None:
    graph = open_spec("unet").graph
    text, _ = folded(graph, plain(graph), {})
    assert "{up: {channels: 512, skip: down4.conv.1_activation}, name: up4}" in text


def test_branches_that_share_a_layer_and_words_that_yaml_would_read_otherwise() -> None:
    text = (
        "input: [4, 5, 5]\nlayers:\n"
        "  - {conv: {channels: 4, kernel: 1}, name: '0'}\n"
        "  - {relu: , name: 'on'}\n"
        "  - {conv: {channels: 4, kernel: 1}, name: '2', from: '0'}\n"
        "  - {add: ['on', '2'], name: sum}\n"
        "  - {concat: ['sum', 'on', input], name: '1e3'}\n"
    )
    graph = open_text(text).graph
    assert layers(open_text(folded(graph, plain(graph), {})[0]).graph) == layers(graph)
