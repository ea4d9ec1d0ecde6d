"""Which layers are looked at by default, and what is said of names that are none."""

from __future__ import annotations

import pytest

from cnncli.analysis.looking import (
    fields_of,
    hidden_layer,
    map_named,
    maps_before,
    node_named,
    steps,
    windowed,
)
from cnncli.api import load
from cnncli.diagnostics import UsageError
from cnncli.graph import Graph, open_text


def graph(name: str) -> Graph:
    return load(name).graph


@pytest.mark.parametrize(
    ("name", "head", "layer", "values"),
    [
        ("alexnet", "output", "classifier.5", 4096),  # what figure 4 of Krizhevsky et al. compares
        ("lenet5_1998", "output", "F6_activation", 84),
        ("small_resnet", "output", "globalavgpool1", 64),
        ("googlenet", "scores", "avgpool", 1024),
    ],
)
def test_the_last_hidden_layer(name: str, head: str, layer: str, values: int) -> None:
    node = hidden_layer(graph(name), head)
    assert (node.name, node.output_shape[0]) == (layer, values)


@pytest.mark.parametrize("layers", ["[flatten, linear: 3]", "[flatten, relu]"])
def test_a_network_without_one(layers: str) -> None:
    with pytest.raises(UsageError, match="has no last hidden layer"):
        hidden_layer(open_text(f"{{input: [1, 4, 4], layers: {layers}}}").graph, "output")


def test_names_that_are_none() -> None:
    alexnet = graph("alexnet")
    with pytest.raises(UsageError, match=r"did you mean 'features\.0'"):
        node_named(alexnet, "feature.0")
    with pytest.raises(UsageError, match=r"in it: features\.0, features\.1"):
        node_named(alexnet, "features")
    with pytest.raises(UsageError, match=r"'classifier\.1' has no maps.*the last one with maps: avgpool"):
        map_named(alexnet, "classifier.1")
    with pytest.raises(UsageError, match="has no layer with maps"):
        maps_before(open_text("{input: [4], layers: [linear: 3]}").graph, "output")


def test_layers_for_windows_and_maps() -> None:
    """The third convolution sees 11 + 4*2 + 8*4 + 8*2 + 16*2 = 99 of 224 pixels, the fourth 131."""
    alexnet = graph("alexnet")
    fields = fields_of(alexnet)
    axes = fields[windowed(alexnet, "output", fields).name].axes
    assert axes is not None
    assert [axis.size for axis in axes] == [99, 99]
    names = [node.name for node in steps(graph("lenet5"), "output")]
    assert names == ["conv1_activation", "avgpool1", "conv2_activation", "avgpool2"]
