"""Whole networks: names, outputs, and what is live during forward."""

from __future__ import annotations

import copy
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnncli.diagnostics import CnncliError
from cnncli.graph import Graph, open_text
from cnncli.language.reserved import MODULE_NAMES, TRACED_NAMES
from cnncli.layers import KINDS, Example, FromInput, layer
from cnncli.network import Network, build_network
from tests.network.support import HEADS, RESIDUAL, SKIPS, example, graph_of, network_of
from tests.steps import at_most

# -- names -----------------------------------------------------------------------------------------


def test_state_dict_keys_are_the_specs_names() -> None:
    network = network_of(RESIDUAL)
    assert list(network.state_dict())[:4] == [
        "stem.weight",
        "layer1.0.conv1.weight",
        "layer1.0.conv1.bias",
        "layer1.0.conv1_norm.weight",
    ]
    assert "layer1.0.downsample.0.weight" in network.state_dict()
    assert "layer1.1.last_norm.num_batches_tracked" in network.state_dict()
    assert [name for name, _ in network.named_children()] == [
        "stem",
        "maxpool1",
        "layer1",
        "globalavgpool1",
        "linear1",
    ]


def test_modules_are_where_their_names_say() -> None:
    graph, network = graph_of(RESIDUAL), network_of(RESIDUAL)
    for node in graph.nodes:
        found: Any = network
        for part in node.name.split("."):
            found = getattr(found, part)
        assert found is network.get_submodule(node.name)
    assert type(network.get_submodule("layer1.0.conv1_activation")) is nn.ReLU


def test_no_node_hides_what_a_network_has() -> None:
    public = {name for name in (*dir(nn.Module), *vars(nn.Module())) if not name.startswith("_")}
    own = {name for name in (*dir(Network), *vars(small())) if not name.startswith("_")}
    assert public == MODULE_NAMES
    assert own == MODULE_NAMES


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch prefers export to script
def test_no_node_hides_what_a_traced_network_has() -> None:
    network = small().eval()
    traced = torch.fx.symbolic_trace(network)
    exported = torch.export.export(network, (torch.zeros(2, 1, 4, 4),)).module()
    found = {
        name for each in (traced, exported, torch.jit.script(network)) for name in (*dir(each), *vars(each))
    }
    layers = {name for name, _ in network.named_children()}
    assert {name for name in found - layers if not name.startswith("_")} - MODULE_NAMES == TRACED_NAMES


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch prefers export to script
@pytest.mark.parametrize("name", ["0", "x-y", "x", "torch", "dict", "weight", "a.0.b-c"])
def test_odd_names_work_in_every_tool(name: str) -> None:
    conv = f"{{conv: {{channels: 3, kernel: 3, norm: batch, activation: relu}}, name: '{name}'}}"
    network = network_of(f"input: [2, 6, 6]\nlayers: [{conv}, {{conv: {{channels: 1, kernel: 1}}}}]\n").eval()
    x = torch.randn(2, 2, 6, 6)
    for twin in (copy.deepcopy(network), torch.jit.script(network), torch.fx.symbolic_trace(network)):
        assert torch.allclose(twin(x), network(x), atol=1e-6)


def small() -> Network:
    return network_of("input: [1, 4, 4]\nlayers: [identity]").to("cpu")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{shortcut: 8, name: sc}", '{conv: {channels: 2, kernel: 1}, name: "sc.0"}'),
        ("{shortcut: 8, name: sc}", '{relu: , name: "sc.1"}'),
        ("relu", "{relu: , name: training}"),
        ("relu", '{relu: , name: "a.training.b"}'),
    ],
)
def test_a_name_that_torch_needs_is_refused_at_its_place(first: str, second: str) -> None:
    text = f"input: [4, 6, 6]\nlayers:\n  - {first}\n  - {second}\n"
    with pytest.raises(CnncliError) as caught:
        build_network(graph_of(text), "meta")
    location = caught.value.diagnostics[0].location
    assert location is not None
    assert location.line == 4


def test_a_tensor_that_cannot_be_allocated_is_an_error_at_its_node() -> None:
    graph = graph_of("input: [1000000000000]\nlayers:\n  - relu\n  - linear: 1000000000000\n")
    with pytest.raises(CnncliError, match=r":4:5: linear1: torch cannot build this 'linear'"):
        build_network(graph)


# -- outputs ---------------------------------------------------------------------------------------


def test_one_output_is_a_tensor() -> None:
    output = network_of(RESIDUAL)(torch.randn(2, 3, 19, 22))
    assert isinstance(output, Tensor)
    assert output.shape == (2, 10)


def test_heads_for_training_run_in_training_alone() -> None:
    network = network_of(HEADS)
    x = torch.randn(2, 3, 8, 8)
    ran: list[str] = []
    for node in graph_of(HEADS).nodes:
        network.get_submodule(node.name).register_forward_hook(lambda *_, name=node.name: ran.append(name))
    output = network.train()(x)
    assert {name: tuple(each.shape) for name, each in output.items()} == {"label": (2, 10), "aux": (2, 5)}
    assert "aux.linear1" in ran
    ran.clear()
    output = network.eval()(x)
    assert {name: tuple(each.shape) for name, each in output.items()} == {"label": (2, 10)}
    assert ran == ["trunk", "trunk_norm", "relu1", "label.globalavgpool1", "label.linear1"]


def test_a_head_may_be_a_node_that_others_read() -> None:
    text = "input: [3, 4, 4]\nlayers:\n  - {conv: {channels: 2, kernel: 1}, name: a}\n  - relu\n"
    output = network_of(text + "heads:\n  low: {from: a, layers: [identity]}\n  high: [identity]\n")(
        torch.randn(1, 3, 4, 4)
    )
    assert torch.equal(output["low"].relu(), output["high"])


@pytest.mark.parametrize("text", [RESIDUAL, SKIPS, HEADS])
def test_gradients_reach_every_parameter(text: str) -> None:
    graph, network = graph_of(text), network_of(text).train()
    output = network(example(graph, 4))
    outputs = [output] if isinstance(output, Tensor) else list(output.values())
    torch.stack([(each * torch.rand_like(each)).sum() for each in outputs]).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("sizes", [(31, 40), (20, 17), (57, 24)])
def test_other_input_sizes_give_what_a_spec_of_that_size_gives(sizes: tuple[int, int]) -> None:
    network = network_of(SKIPS).eval()
    other = build_network(open_text(SKIPS, size=(2, *sizes)).graph).eval()
    other.load_state_dict(network.state_dict())
    x = torch.randn(2, 2, *sizes)
    assert torch.equal(network(x), other(x))


def test_a_seed_gives_the_same_network_and_another_seed_another() -> None:
    graph = graph_of(RESIDUAL)

    def weights(seed: int) -> Tensor:
        torch.manual_seed(seed)
        return torch.cat([each.flatten() for each in build_network(graph).parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_meta_holds_no_numbers() -> None:
    assert {each.device.type for each in network_of(RESIDUAL, "meta").state_dict().values()} == {"meta"}


# -- what forward keeps ----------------------------------------------------------------------------


class Watch:
    """Records after every node how many of the nodes' outputs are still live."""

    def __init__(self, graph: Graph, network: Network) -> None:
        self.alive: list[set[str]] = []
        self._outputs: dict[str, weakref.ref[Tensor]] = {}
        for node in graph.nodes:
            network.get_submodule(node.name).register_forward_hook(self._hook(node.name))

    def _hook(self, name: str) -> Any:
        def note(_: nn.Module, __: Any, output: Tensor) -> None:
            self._outputs[name] = weakref.ref(output)
            self.alive.append({name for name, output in self._outputs.items() if output() is not None})

        return note


def test_tensors_are_let_go_of_after_their_last_use() -> None:
    text = """
input: [2, 8, 8]
layers:
  - {conv: {channels: 4, kernel: 3, padding: same}, name: a}
  - {conv: {channels: 4, kernel: 3, padding: same}, name: b}
  - {conv: {channels: 4, kernel: 3, padding: same}, name: c}
  - {add: [a, identity], name: d}
  - {conv: {channels: 4, kernel: 3, padding: same}, name: e}
  - {conv: {channels: 4, kernel: 3, padding: same}, name: f}
"""
    graph, network = graph_of(text), network_of(text).eval()
    watch = Watch(graph, network)
    with torch.no_grad():
        network(torch.randn(1, 2, 8, 8))
    # While a node runs, its inputs are live; only a is kept longer, for the sum.
    assert watch.alive == [{"a"}, {"a", "b"}, {"a", "b", "c"}, {"a", "c", "d"}, {"d", "e"}, {"e", "f"}]


def test_a_chain_of_any_length_keeps_two_tensors() -> None:
    unit = "{conv: {channels: 2, kernel: 1, activation: relu}, repeat: 40, name: a}"
    text = f"input: [2, 8]\nlayers:\n  - {unit}\n"
    graph, network = graph_of(text), network_of(text).eval()
    watch = Watch(graph, network)
    with torch.no_grad():
        network(torch.randn(1, 2, 8))
    assert len(watch.alive) == 80
    assert max(map(len, watch.alive)) == 2


def test_building_takes_steps_in_proportion_to_the_nodes() -> None:
    def steps(count: int) -> int:
        unit = "input: [3]\nblocks: {unit: {layers: [relu, tanh]}}"
        graph = open_text(f"{unit}\nlayers:\n  - {{unit: , repeat: {count}}}").graph
        with at_most(10_000_000) as counted:
            build_network(graph, "meta")
        return counted.taken

    assert steps(400) < 2.2 * steps(200)


def test_a_node_that_nothing_reads_runs_and_is_let_go_of() -> None:
    layers = ("{relu: , name: a}", "{tanh: , name: dead}", "{tanh: , name: b, from: a}", "{tanh: , name: c}")
    text = f"input: [2, 4]\nlayers: [{', '.join(layers)}]\n"
    graph, network = graph_of(text), network_of(text)
    watch = Watch(graph, network)
    with torch.no_grad():
        network(torch.randn(1, 2, 4))
    assert watch.alive == [{"a"}, {"a", "dead"}, {"a", "b"}, {"b", "c"}]


def test_a_copy_is_a_network_of_its_own() -> None:
    network = network_of(RESIDUAL).eval()
    twin = copy.deepcopy(network)
    x = torch.randn(1, 3, 19, 22)
    before = network(x)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.zero_()
    assert torch.equal(network(x), before)
    assert not twin(x).any()


def test_modules_may_be_replaced() -> None:
    network = network_of(RESIDUAL).eval()
    nn.SyncBatchNorm.convert_sync_batchnorm(network)
    network.linear1 = nn.Linear(6, 3)
    assert network(torch.randn(1, 3, 19, 22)).shape == (1, 3)
    assert type(network.get_submodule("layer1.0.conv1_norm")) is nn.SyncBatchNorm


# -- kinds from outside ----------------------------------------------------------------------------


class Twice(FromInput):
    """Doubles its input."""

    examples = (Example("", ((3, 4),)),)

    work = 1


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


@pytest.fixture
def _plugin() -> Iterator[None]:
    layer("twice")(Twice)
    yield
    del KINDS["twice"]


@pytest.mark.usefixtures("_plugin")
def test_a_kind_from_a_plugin_brings_its_own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "input: [3, 4]\nlayers:\n  - relu\n  - twice\n"
    with pytest.raises(
        CnncliError, match=r":4:5: twice1: kind 'twice' has no torch implementation"
    ) as caught:
        build_network(graph_of(text))
    assert "build(self, input_shape)" in caught.value.diagnostics[0].hint
    monkeypatch.setattr(Twice, "build", lambda *_: Doubled(), raising=False)
    assert torch.equal(network_of(text)(torch.ones(1, 3, 4)), torch.full((1, 3, 4), 2.0))
