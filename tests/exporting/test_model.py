"""Whole networks as ONNX: names, functions, sizes, several outputs; every shipped spec."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto, checker, load_model_from_string, numpy_helper

import cnncli
from cnncli import loads
from cnncli.algebra import whole_shape
from cnncli.architecture import Architecture
from cnncli.diagnostics import CnncliError
from cnncli.exporting.accepted import Accepted, accepted
from cnncli.exporting.onnx.functions import Writing
from cnncli.exporting.onnx.model import describe, model_of
from cnncli.exporting.onnx.running import Session
from cnncli.exporting.onnx.serializing import content_of
from cnncli.exporting.subject import Subject
from cnncli.graph.schedule import schedule
from cnncli.language import shipped
from cnncli.language.writer import to_yaml
from cnncli.results.transfer import Origin

LIGHT = (
    "lenet5", "lenet5_1998", "small", "stride_chain", "valid_chain", "toy_classifier", "digit_and_parity",
    "denoising_autoencoder", "super_resolution", "segmentation_and_denoising", "fashion_cnn", "small_resnet",
    "fully_connected", "deep_belief_net", "resnet20", "capsnet_reconstruction",
)  # fmt: skip
"""The networks that take little time; ``benchmarks/export.py`` computes all of them."""
DEEPER = (
    "resnet32", "resnet34", "resnet44", "resnet56", "resnet101", "resnet110", "resnet152", "plain34",
    "plain56", "vgg13", "vgg19",
)  # fmt: skip
"""Networks that have more of the same blocks than others of their families, and nothing else."""


class Built(NamedTuple):
    """A network in torch and in ONNX."""

    network: torch.nn.Module
    model: ModelProto
    found: Accepted
    session: Session


def subject_of(loaded: Architecture, tensors: Mapping[str, NDArray[Any]]) -> Subject:
    return Subject(loaded.graph, to_yaml(loaded._opened.document), tensors, Origin("w", "0", ""))


def built(loaded: Architecture) -> Built:
    torch.manual_seed(0)
    network = loaded.module().eval()
    for name, tensor in network.named_buffers():
        if name.endswith("running_mean"):
            tensor.normal_(std=0.1)
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    tensors = {name: each.numpy() for name, each in network.state_dict().items()}
    subject = subject_of(loaded, tensors)
    found = accepted(subject.graph, subject.spec)
    written = model_of(subject, found)
    describe(written.model, subject, found)
    content = content_of(written.model, written.weights)
    checker.check_model(content, full_check=True)
    return Built(network, load_model_from_string(content), found, Session(content))


def compare(one: Built, shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    batch = torch.randn(shape)
    with torch.no_grad():
        wanted = one.network(batch)
    wanted = wanted if isinstance(wanted, dict) else {"output": wanted}
    found = one.session.run(batch.numpy())
    assert [*found] == [*wanted]
    for name, each in wanted.items():
        assert found[name].shape == each.shape, name
        limit = 1e-5 * float(each.abs().max())
        np.testing.assert_allclose(found[name], each.numpy(), rtol=0, atol=limit, err_msg=name)
    return dict(found)


@pytest.mark.parametrize("name", LIGHT)
def test_a_shipped_network_is_what_torch_computes(name: str) -> None:
    one = built(cnncli.load(name))
    for shape in one.found.batches(whole_shape(cnncli.load(name).input_shape)):
        compare(one, shape)


@pytest.mark.parametrize("name", sorted({*shipped.specs()} - {*DEEPER}))
def test_every_layer_of_a_shipped_network_has_its_name_and_its_weights(name: str) -> None:
    """Without weights: each layer is a node of its name, of the graph or of a function that is called."""
    graph = cnncli.load(name).graph
    order = schedule(graph, training=False)
    with accepted(graph, to_yaml(cnncli.load(name)._opened.document)).graph.decided():
        writing = Writing(order, graph.groups)
        nodes = [*writing.nodes()]
    values: set[str] = set()
    weights: set[str] = set()

    def walk(nodes: Any, prefix: str, given: dict[str, str]) -> None:
        for node in nodes:
            if node.domain:
                function = writing.functions[node.op_type]
                inside = f"{prefix}{node.name}."
                own = dict(zip(function.input, (given.get(each, each) for each in node.input), strict=True))
                walk(function.node, inside, own)
            else:
                weights.update(given.get(each, f"{prefix}{each}") for each in node.input)
                values.update(f"{prefix}{each}" for each in node.output)

    walk(nodes, "", {})
    assert {node.name for node in order.nodes} <= values
    assert {f"{n.name}.{each}" for n in order.nodes for each in (*n.parameters, *n.buffers)} <= weights


SPEC = """
name: names
input: [2, 12, 12]
blocks:
  pair:
    args: {channels: }
    layers:
      - {conv: {channels: channels, kernel: 3, padding: same, stride: 2}, name: conv}
      - {relu: , name: relu}
  outer:
    args: {channels: }
    layers:
      - {pair: {channels: channels}, name: a}
      - {pair: {channels: channels}, name: b}
layers:
  - {outer: {channels: 4}, name: first}
  - {outer: {channels: 4}, name: second}
  - {pair: {channels: 2}, name: third}
  - globalavgpool
  - linear: 3
"""


def test_blocks_are_functions_that_are_called_with_their_weights() -> None:
    one = built(loads(SPEC))
    calls = {node.name: (node.op_type, *node.input) for node in one.model.graph.node if node.domain}
    weights = [f"{pair}.conv.{name}" for pair in ("a", "b") for name in ("weight", "bias")]
    assert calls == {
        "first": ("outer", "input", *(f"first.{each}" for each in weights)),
        "second": ("outer", "first.b.relu", *(f"second.{each}" for each in weights)),
        "third": ("pair", "second.b.relu", "third.conv.weight", "third.conv.bias"),
    }
    inside = {each.name: [node.name for node in each.node] for each in one.model.functions}
    assert (inside["outer"], inside["pair"][-2:]) == (["a", "b"], ["conv", "relu"])
    names = {each.name for each in one.model.graph.initializer}
    assert names == {name for name, _ in one.network.named_parameters()}
    compare(one, (3, 2, 12, 12))


def test_axes_that_vary_have_names_and_their_sizes_are_in_the_file() -> None:
    one = built(cnncli.load("unet", overrides=["width=2"], input="1x188x188"))
    (given,) = one.model.graph.input
    dims = [dim.dim_param or dim.dim_value for dim in given.type.tensor_type.shape.dim]
    assert dims == ["batch", 1, "height", "width"]
    texts = {each.key: each.value for each in one.model.metadata_props}
    sizes = json.loads(texts["cnncli.sizes"])
    assert sizes == {axis: {"period": 1, "tails": [[0, 188]], "isolated": []} for axis in ("height", "width")}
    assert loads(texts["cnncli.spec"]).graph.nodes[0].name == "down1.conv.0"
    for height, width in ((188, 189), (195, 203)):
        compare(one, (1, 1, height, width))


def test_an_output_has_its_name_also_if_another_layer_has_it() -> None:
    spec = """
    input: [1, 8, 8]
    layers:
      - {conv: {channels: 2, kernel: 3}, name: output}
      - {conv: {channels: 3, kernel: 3}, name: b}
    """
    found = compare(built(loads(spec)), (2, 1, 8, 8))
    assert {name: each.shape for name, each in found.items()} == {"output": (2, 3, 4, 4)}


@pytest.mark.parametrize(
    ("layers", "sizes"),
    [
        ("[flatten, linear: 3]", set()),
        ("[conv: {channels: 2, kernel: 3}, globalavgpool, linear: 3]", {"height", "width"}),
        ("[adaptiveavgpool: [null, 2], layernorm]", {"width"}),
        ("[adaptiveavgpool: [2, null], reshape: [-1]]", {"height", "width"}),
        ("[reshape: [2, 6, 24]]", set()),
    ],
)
def test_an_axis_varies_unless_weights_or_other_axes_depend_on_it(layers: str, sizes: set[str]) -> None:
    one = built(loads(f"{{input: [2, 12, 12], layers: {layers}}}"))
    assert {*one.found.sizes} == sizes
    assert bool(one.found.notes) == (len(sizes) < 2)
    for shape in one.found.batches((2, 12, 12)):
        compare(one, shape)


def test_a_kind_of_a_plug_in_is_refused_with_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    from cnncli.exporting.onnx.registry import EMITTERS
    from cnncli.layers.activation import Mish

    monkeypatch.delitem(EMITTERS, Mish)
    with pytest.raises(CnncliError) as caught:
        built(loads("input: [4]\nlayers:\n  - mish\n", name="own.yaml"))
    (found,) = caught.value.diagnostics
    assert (str(found.location), found.message) == (
        "own.yaml:3:5",
        "mish1: kind 'mish' cannot be written as ONNX",
    )


def test_the_bytes_are_those_that_protocol_buffers_write() -> None:
    """Lengths of one, two and three bytes."""
    model = built(loads("{input: [300], layers: [linear: 20, linear: 40]}")).model
    names = [each.name for each in model.graph.initializer]
    weights = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    bare = ModelProto.FromString(model.SerializeToString())
    del bare.graph.initializer[:]
    assert ModelProto.FromString(content_of(bare, weights)) == model
    assert len(names) == 4
