"""Specs with torchvision's names, shapes and totals, so that its checkpoints load key by key.

``tests/data/torchvision_models.json`` was recorded from torchvision; its ``source`` says which. So were the
scores of ``torchvision_outputs.json``, by ``benchmarks/peers/torchvision_outputs.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.peers._formula import MEAN, STD, images, weights
from cnncli.algebra import Dim
from cnncli.graph import Graph
from cnncli.network import Network, build_network
from cnncli.recipe.start import Start
from cnncli.transfer.header import Stored
from cnncli.transfer.matching import match
from tests.specs.support import DATA, SPECS, figures, graph, recorded

SPEC_OF = {
    path.stem: str(path.relative_to(SPECS).with_suffix(""))
    for family in ("vgg", "resnet")
    for path in sorted((SPECS / family).glob("*.yaml"))
} | {"alexnet": "alexnet", "googlenet": "inception/googlenet_torchvision"}
ONLY_HERE = {"plain34", "resnet50_2015", "vgg11_lrn", "vgg16_c"}
MODELS = tuple(recorded())
QUICK = {"alexnet", "googlenet", "resnet18", "resnet50", "vgg11"}
COMPUTED = [
    pytest.param(model, marks=pytest.mark.slow if model in QUICK else pytest.mark.campaign)
    for model in MODELS
]
OUTPUTS = json.loads((DATA / "torchvision_outputs.json").read_text("utf-8"))


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


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("is_counted", [True, False])
def test_train_from_takes_every_tensor(model: str, is_counted: bool) -> None:
    """With the names as they are; files of old versions lack the counters of batches."""
    there = recorded()[model]["state_dict"]
    header = {
        name: Stored(tuple(shape), "float32" if shape else "int64")
        for name, shape in there.items()
        if shape or is_counted
    }
    settings: dict[str, Any] = {"from": f"{model}.pth"}
    found = match(graph(SPEC_OF[model]), header, Start(**settings), f"{model}.pth")
    assert {*found.taken.items()} == {(name, name) for name, shape in there.items() if shape}
    assert (found.adapted, found.reset, found.left_out) == ((), (), ())


def filled(model: str) -> Network:
    """A network with the weights of which the scores were recorded."""
    network = build_network(graph(SPEC_OF[model]), "meta")
    state = weights({name: tuple(each.shape) for name, each in network.state_dict().items()})
    network.load_state_dict(state, assign=True)
    return network


def pictures(model: str) -> Tensor:
    """What the network has to be given; torchvision's GoogLeNet itself makes 0.5 of mean and deviation."""
    if model != "googlenet":
        return images()
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in (MEAN, STD))
    return (images() * std + mean - 0.5) / 0.5


def check_scores(model: str, which: str, scores: Tensor) -> None:
    expected = torch.tensor(OUTPUTS["scores"][model][which])
    assert (expected[0] - expected[1]).abs().max() > 0.01  # a thousand times the tolerance
    found = scores[:, :: OUTPUTS["step"]].to(expected.dtype)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("model", COMPUTED)
def test_the_same_scores(model: str) -> None:
    found = filled(model).eval()(pictures(model))
    check_scores(model, "inference", found["scores"] if model == "googlenet" else found)


@pytest.mark.slow
@torch.no_grad()
def test_the_same_scores_of_auxiliary_heads() -> None:
    network = filled("googlenet").double().train()
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    found: Mapping[str, Tensor] = network(pictures("googlenet").double())
    assert found.keys() == {"scores", "aux1", "aux2"}
    for head, scores in found.items():
        check_scores("googlenet", head, scores)
