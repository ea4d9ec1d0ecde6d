"""Mirror images: decode(encode(n)) = n for every size n that is accepted, in algebra and in torch."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from cnncli.algebra import known, same, whole
from cnncli.algebra.size_sets import SizeSet
from cnncli.analysis.sizes import valid_sizes
from cnncli.diagnostics import ShapeError, UsageError
from cnncli.graph import Graph, all_sizes, open_text
from cnncli.language.writer import plain_yaml
from cnncli.layers import Shape
from cnncli.network import build_network
from cnncli.transfer.mirroring import Mirrored, mirrored
from cnncli.transfer.writing import entries, leading_to, node_named
from tests.generate import random_graphs, random_spec
from tests.specs.support import LARGE, NAMES, opened

SEEDS = range(16)
NETWORKS = [name for name in NAMES if name not in LARGE]


def mirror(text: str, until: str) -> Mirrored:
    return mirrored(open_text(text), until, "net.yaml")


def chain(*layers: str, size: str = "[1, 12]") -> str:
    return f"input: {size}\nlayers:\n" + "".join(f"  - {layer}\n" for layer in layers)


def restored(text: str) -> Graph:
    """The graph over all sizes, whose output is known to have the shape of the input at each of them."""
    found = open_text(text, size=all_sizes).graph
    (output,) = found.outputs.values()
    with found.decided():
        assert alike(output.shape, found.input), (output.shape, text)
    return found


def alike(shape: Shape, other: Shape) -> bool:
    return all(known(same(n, m)) for n, m in zip(shape, other, strict=True))


def accepted(found: Graph) -> list[SizeSet]:
    return [axis.sizes for axis in valid_sizes(found).axes]


def trunk_of(found: Graph, until: str) -> str:
    """The layers up to a node as a spec by themselves."""
    trunk = leading_to(found, node_named(found, until))
    return plain_yaml({"input": [*found.input], "layers": entries(trunk)})


CONVOLUTIONS = [
    f"kernel: {kernel}, stride: {stride}, dilation: {dilation}, padding: {padding}"
    for kernel, stride, dilation in itertools.product((1, 2, 3, 5), (1, 2, 3), (1, 2))
    if dilation == 1 or kernel == 3
    for padding in ("valid", "same", "half", "1")
]


@pytest.mark.slow
def test_every_convolution_at_every_size() -> None:
    for arguments in CONVOLUTIONS:
        spec = chain(f"conv: {{channels: 3, {arguments}}}")
        text = mirror(spec, "conv1").text
        (sizes,) = accepted(restored(text))
        assert [sizes] == accepted(open_text(spec, size=all_sizes).graph), arguments
        network = build_network(open_text(text).graph, "meta")
        for n in sizes.upwards():
            if n > 12:
                break
            assert network(torch.empty(2, 1, n, device="meta")).shape == (2, 1, n), (arguments, n)


def test_a_stride_without_a_remainder_needs_no_cut() -> None:
    exact = "conv: {channels: 2, kernel: 3, stride: 2, padding: 1}"
    always_even = chain("concat: [[maxpool: 2, upsample: 2], identity]", exact)
    assert "output_padding: [1]" in mirror(always_even, "conv1").text
    assert "mode: crop" not in mirror(always_even, "conv1").text
    assert "mode: crop" in mirror(chain(exact), "conv1").text


@pytest.mark.parametrize("n", range(5, 13))
def test_what_is_cut_leaves_the_transposed_convolution_whose_output_padding_is_solved(n: int) -> None:
    """torch solves ``output_padding`` itself, for the size that its module is called with."""
    text = mirror(chain("conv: {channels: 3, kernel: 5, stride: 3, padding: 1}"), "conv1").text
    torch.manual_seed(0)
    network = build_network(open_text(text).graph)
    theirs = nn.ConvTranspose1d(3, 1, 5, 3, 1)
    theirs.load_state_dict(network.get_submodule("decoder.conv1").state_dict())
    x = torch.randn(2, 1, n)
    code = network.get_submodule("conv1")(x)
    assert torch.allclose(network(x), theirs(code, output_size=[n]), atol=1e-6)


@pytest.mark.slow
def test_random_specs() -> None:
    """Of random networks, every node that has a mirror image: the sizes in algebra, the shapes in torch."""
    found, refusals = 0, set()
    for seed, graph in random_graphs(SEEDS):
        spec = random_spec(seed)
        for node in graph.nodes[:: max(1, len(graph.nodes) // 3)]:
            try:
                text = mirror(spec, node.name).text
            except UsageError as error:
                refusals |= {each.code for each in error.diagnostics}
                continue
            found += 1
            trunk = open_text(trunk_of(graph, node.name), size=all_sizes).graph
            fixed = "mode: exact" in text or "- matchsize:\n    branches" in text
            assert fixed or accepted(restored(text)) == accepted(trunk), (spec, node.name)
            for larger in (0, 1, 3):
                size = (whole(graph.input[0]), *(whole(n) + larger for n in graph.input[1:]))
                try:
                    network = build_network(open_text(text, size=size).graph, "meta").eval()
                except ShapeError:
                    assert larger, (spec, node.name)
                    continue
                assert network(torch.empty(2, *size, device="meta")).shape == (2, *size), (spec, node.name)
    assert found > 20
    assert "mirror" in refusals


WITHOUT = {
    "capsnet": "capsules",
    "capsnet_reconstruction": "capsules",
    "lenet5_1998": "rbf",
    "unet": "concat",
}
"""The shipped networks whose last layers have no mirror image, with one of these layers."""


@pytest.mark.parametrize("name", WITHOUT)
def test_shipped_networks_with_a_layer_without(name: str) -> None:
    spec = opened(name)
    last = next(iter(spec.graph.outputs.values())).node
    with pytest.raises(UsageError, match=f"'{WITHOUT[name]}") as caught:
        mirrored(spec, last, name)
    before = caught.value.diagnostics[0].hint.split("'")[1]
    assert restored(mirrored(spec, before, name).text)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in WITHOUT])
def test_shipped_networks(name: str) -> None:
    spec = opened(name)
    last = next(iter(spec.graph.outputs.values())).node
    text = mirrored(spec, last, name).text
    graph = open_text(text).graph
    assert graph.outputs["output"].shape == graph.input == spec.graph.input
    assert {node.name: node.parameters for node in graph.nodes}.items() >= {
        node.name: node.parameters for node in leading_to(spec.graph, node_named(spec.graph, last))
    }.items()
    found = restored(text)
    if "flatten" not in text and "reshape" not in text:
        assert accepted(found) == accepted(open_text(trunk_of(spec.graph, last), size=all_sizes).graph)
