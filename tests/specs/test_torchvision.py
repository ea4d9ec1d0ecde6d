"""Specs with torchvision's names, shapes and totals, so that its checkpoints load key by key.

``tests/data/torchvision_models.json`` was recorded from torchvision; its ``source`` says which.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cnncli.algebra import Dim
from cnncli.graph import Graph
from cnncli.network import build_network
from tests.specs.support import SPECS, figures, graph, recorded

SPEC_OF = {
    path.stem: str(path.relative_to(SPECS).with_suffix(""))
    for family in ("vgg", "resnet")
    for path in sorted((SPECS / family).glob("*.yaml"))
} | {"alexnet": "alexnet", "googlenet": "inception/googlenet_torchvision"}
ONLY_HERE = {"plain34", "resnet50_2015", "vgg11_lrn", "vgg16_c"}
MODELS = tuple(recorded())


def keys(network: Graph) -> Iterator[tuple[str, list[Dim]]]:
    """The state-dict keys that the analysis predicts, with their shapes."""
    for node in network.nodes:
        for name, shape in (*node.parameters.items(), *node.buffers.items()):
            yield f"{node.name}.{name}", list(shape)
            if name.endswith("running_mean"):
                # torch's own counter accompanies every running mean; it is not a running statistic.
                yield f"{node.name}.{name.removesuffix('running_mean')}num_batches_tracked", []


def test_all_of_the_families_are_recorded() -> None:
    assert set(MODELS) == set(SPEC_OF) - ONLY_HERE


@pytest.mark.parametrize("model", MODELS)
def test_predicted_keys_and_shapes(model: str) -> None:
    assert dict(keys(graph(SPEC_OF[model]))) == recorded()[model]["state_dict"]


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_compiled_keys_and_shapes(model: str) -> None:
    state = build_network(graph(SPEC_OF[model]), "meta").state_dict()
    assert {key: list(tensor.shape) for key, tensor in state.items()} == recorded()[model]["state_dict"]


@pytest.mark.parametrize("model", MODELS)
def test_totals(model: str) -> None:
    found = figures(SPEC_OF[model])
    assert found.training_totals.params == recorded()[model]["params"]
    assert found.totals.macs == recorded()[model]["macs_eval"]


@pytest.mark.parametrize("model", MODELS)
def test_output_shapes(model: str) -> None:
    shapes = recorded()[model]["leaf_output_shapes"]
    ours = {node.name: list(node.output_shape) for node in graph(SPEC_OF[model]).nodes}
    # A projection is one node here and two modules there; its second gives the result.
    there = {name.replace(".downsample.1", ".downsample"): shape for name, shape in shapes.items()}
    common = {name for name in there if name in ours}
    assert {name: ours[name] for name in common} == {name: _as_vector(name, there[name]) for name in common}
    # What torchvision has and we have not: the convolutions of projections, no more.
    assert all(name.endswith(".downsample.0") for name in there if name not in ours)


def _as_vector(name: str, shape: list[int]) -> list[int]:
    """ResNet's average pooling leaves two axes of 1 there, which its ``flatten`` then takes off."""
    return shape[:1] if name == "avgpool" and shape[1:] == [1, 1] else shape
