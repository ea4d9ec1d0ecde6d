"""A network is an ordinary torch module for copies, exporters, compilers, hooks and sequences."""

from __future__ import annotations

import copy
import pickle  # noqa: TID251 - what users do to their own modules
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import torch
import torchinfo
from torch import Tensor, nn

from cnncli.algebra import whole_shape
from cnncli.analysis.costs.figures import costs
from cnncli.graph import Graph, open_spec, open_text
from cnncli.language.shipped import specs
from cnncli.layers import KINDS
from cnncli.network import Network, build_network
from cnncli.network.network import Group
from tests.cases import Case
from tests.network.support import HEADS, SKIPS, network_of


@cache
def graph(name: str) -> Graph:
    return open_spec(name).graph


def on_meta(name: str) -> tuple[Network, Tensor]:
    x = torch.empty((2, *whole_shape(graph(name).input)), device="meta")
    return build_network(graph(name), "meta").eval(), x


def shapes(output: Tensor | dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    named = {"output": output} if isinstance(output, Tensor) else output
    return {name: tuple(each.shape[1:]) for name, each in named.items()}


def structure(name: str) -> frozenset[tuple[str, str]]:
    """The kinds of a network's layers with their kernels: a deeper one of its family has the same."""
    return frozenset((node.kind, str(getattr(node.layer, "kernel", ""))) for node in graph(name).nodes)


def each_structure() -> list[Any]:
    """Every network; of those with one structure, all but the shallowest are for the campaign."""
    names = sorted(specs(), key=lambda name: len(graph(name).nodes))
    seen: set[frozenset[tuple[str, str]]] = set()
    found = []
    for name in names:
        marks = [pytest.mark.campaign] if structure(name) in seen else []
        seen.add(structure(name))
        found.append(pytest.param(name, marks=marks))
    return found


EACH_STRUCTURE = each_structure()


def test_both_blocks_of_resnets_are_among_the_structures() -> None:
    names = {each.values[0] for each in EACH_STRUCTURE if not each.marks}
    assert {"resnet18", "resnet50", "small_resnet", "googlenet", "unet", "capsnet", "lenet5"} - names == set()
    assert 25 < len(names) < len(specs())


@pytest.mark.slow
@pytest.mark.parametrize("name", [*specs()])
def test_copies_are_networks_too(name: str) -> None:
    network, x = on_meta(name)
    deployed = {key: each.shape for key, each in graph(name).outputs.items() if not each.training_only}
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):  # noqa: S301
        assert shapes(twin(x)) == deployed
        assert [*twin.state_dict()] == [*network.state_dict()]


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH_STRUCTURE)
def test_export(name: str) -> None:
    network, x = on_meta(name)
    exported = torch.export.export(network, (x,))
    assert exported.state_dict.keys() == network.state_dict().keys()
    assert shapes(exported.module()(x)) == shapes(network(x))


def scripted(network: nn.Module) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch prefers export to script from 2.9 on
        return torch.jit.script(network)


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH_STRUCTURE)
def test_symbolic_trace(name: str) -> None:
    network, x = on_meta(name)
    assert shapes(torch.fx.symbolic_trace(network)(x)) == shapes(network(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", EACH_STRUCTURE)
def test_script(name: str) -> None:
    network, x = on_meta(name)
    script = scripted(network)
    assert shapes(script(x)) == shapes(network(x))
    assert [*script.state_dict()] == [*network.state_dict()]


@pytest.mark.campaign
@pytest.mark.parametrize("name", [*specs()])
def test_compile(name: str) -> None:
    torch.compiler.reset()
    network, x = on_meta(name)
    assert shapes(torch.compile(network, fullgraph=True, backend="eager")(x)) == shapes(network(x))


def test_a_script_has_both_modes() -> None:
    network = network_of(HEADS).eval()
    script = scripted(network)
    x = torch.randn(2, 3, 8, 8)
    assert [*script.train()(x)] == ["label", "aux"]
    assert [*script.eval()(x)] == ["label"]


@pytest.mark.parametrize("sizes", [(20, 17), (31, 40), (57, 24)])
def test_a_script_takes_every_size(sizes: tuple[int, int]) -> None:
    network = network_of(SKIPS).eval()
    script, traced = scripted(network), torch.fx.symbolic_trace(network)
    x = torch.randn(2, 2, *sizes)
    with torch.no_grad():
        assert torch.allclose(script(x), network(x), atol=1e-6)
        assert torch.equal(traced(x), network(x))


KIND_EXAMPLES = [
    Case(kind, example.arguments, example.inputs) for kind in KINDS for example in KINDS[kind].examples
]


@pytest.mark.parametrize("case", KIND_EXAMPLES, ids=lambda case: f"{case.kind} {case.arguments}")
def test_every_kind_can_be_scripted_and_traced(case: Case) -> None:
    torch.manual_seed(0)
    network = network_of(case.spec).double().eval()
    x = torch.randn(2, *case.inputs[0], dtype=torch.float64)
    with torch.no_grad():
        assert torch.allclose(scripted(network)(x), network(x), rtol=1e-12, atol=1e-12)
        assert torch.equal(torch.fx.symbolic_trace(network)(x), network(x))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lenet5", "resnet18", "unet", "capsnet", "lenet5_1998"])
def test_scripted_networks_compute_the_same(name: str) -> None:
    torch.manual_seed(0)
    network = build_network(graph(name)).eval()
    size = (1, 188, 188) if name == "unet" else whole_shape(graph(name).input)  # its smallest
    x = torch.randn(1, *size)
    with torch.no_grad():
        assert torch.allclose(scripted(network)(x), network(x), atol=1e-5)


def is_chain(found: Graph) -> bool:
    """Return whether every node reads the one before it and nothing else."""
    before = ["input", *(node.name for node in found.nodes)]
    return [*found.outputs] == ["output"] and all(
        node.inputs == (name,) and not node.layer.joins
        for node, name in zip(found.nodes, before, strict=False)
    )


def layers_of(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the children, those of groups in place of the group."""
    for child in module.children():
        yield from layers_of(child) if isinstance(child, Group) else (child,)


CHAINS = [name for name in specs() if is_chain(graph(name))]


def test_there_are_chains_with_and_without_groups() -> None:
    grouped = {any("." in node.name for node in graph(name).nodes) for name in CHAINS}
    assert grouped == {True, False}
    assert {"lenet5", "vgg16", "alexnet", "capsnet", "plain20"} <= {*CHAINS}
    assert not {"resnet18", "unet", "googlenet"} & {*CHAINS}


@pytest.mark.slow
@pytest.mark.parametrize("name", CHAINS)
def test_a_chain_is_the_sequence_of_its_children(name: str) -> None:
    """By value, or by shape if the weights are large."""
    torch.manual_seed(0)
    found = graph(name)
    device = "cpu" if costs(found).totals.params < 10_000_000 else "meta"
    network = build_network(found, device).eval()
    x = torch.rand((2, *whole_shape(found.input)), device=device)
    sequence = nn.Sequential(*layers_of(network))
    assert [*sequence] == [network.get_submodule(node.name) for node in found.nodes]
    with torch.no_grad():
        ours, theirs = network(x), sequence(x)
    assert ours.shape == theirs.shape
    assert device == "meta" or torch.equal(ours, theirs)


def test_children_of_a_chain_without_groups_are_all_of_its_layers() -> None:
    torch.manual_seed(0)
    network = build_network(graph("lenet5")).eval()
    x = torch.randn(3, 1, 32, 32)
    assert torch.equal(nn.Sequential(*network.children())(x), network(x))


def test_a_group_does_not_compute_anything_silently() -> None:
    network, x = on_meta("vgg11")
    with pytest.raises(NotImplementedError):
        nn.Sequential(*network.children())(x)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*specs()])
def test_every_hook_fires_once(name: str) -> None:
    network, x = on_meta(name)
    ran: list[str] = []
    nodes = [node.name for node in graph(name).nodes if not node.training_only]
    for node in nodes:
        network.get_submodule(node).register_forward_hook(lambda *_, node=node: ran.append(node))
    network(x)
    assert ran == nodes


def test_torchinfo_counts_every_layer() -> None:
    network, x = on_meta("lenet5")
    summary = torchinfo.summary(network, input_data=x, device="meta", verbose=0)
    # It counts every bias as a multiply-accumulate, each time it is added.
    biases = 6 * 28 * 28 + 16 * 10 * 10 + 120 + 84 + 10
    assert summary.total_mult_adds == 2 * (costs(graph("lenet5")).totals.macs + biases)
    assert summary.total_params == 61_706


@pytest.mark.parametrize("layer", ["noise: 1.0", "dropout: 0.5", "droppath: 0.5"])
def test_a_network_scripted_for_inference_still_changes_in_training(layer: str) -> None:
    torch.manual_seed(0)
    network = build_network(open_text(f"input: [64]\nlayers: [{layer}]\n").graph).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted: Any = torch.jit.script(network)
    x = torch.ones(16, 64)
    assert torch.equal(scripted(x), x)
    assert not torch.equal(scripted.train()(x), x)
