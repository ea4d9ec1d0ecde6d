"""Layers that lead to no output: each such part is a warning at its place, and counted apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from cnncli.analysis.check import check
from cnncli.analysis.costs.figures import costs
from cnncli.analysis.memory.usage import memory
from cnncli.cli.app import application
from cnncli.graph import open_spec, open_text
from cnncli.graph.learning import learning_of
from cnncli.language.sections import Budget
from cnncli.network import build_network
from cnncli.recipe.optimizers import SGD, Adagrad, AdamW, Optimizer
from cnncli.recipe.recipe import Recipe
from cnncli.training.optimization.optimizers import build_optimizer
from tests.network.support import example
from tests.specs.support import NAMES, SPECS

SIDE = """input: [1, 8, 8]
layers:
  - {conv: {channels: 16, kernel: 1}, name: c1}
  - {conv: {channels: 32, kernel: 3, norm: batch}, name: c2, from: c1}
  - {globalavgpool: {}, from: c1}
  - linear: 10
budget: {params: 300, layers: 9}
train: {epochs: 1}
"""
C2 = 9 * 16 * 32 + 32
"""The parameters of the convolution that leads nowhere; its normalization has 64 more."""


def said(text: str) -> list[str]:
    return [
        f"{note.location.line}:{note.location.column} {note.message}"
        for note in open_text(text).graph.notes
        if note.code == "no-output" and note.location is not None
    ]


def test_a_layer_that_nothing_reads() -> None:
    assert said(SIDE) == [f"4:6 c2 and 1 other layer lead to no output: {C2 + 64:,} parameters"]
    assert said(SIDE.replace(", norm: batch", "")) == [f"4:6 c2 leads to no output: {C2:,} parameters"]
    (note,) = open_text(SIDE).graph.notes
    assert (note.level, note.hint) == ("warning", "remove them, or use 'c2_norm' in a layer or a head")


def test_without_parameters_none_are_named() -> None:
    text = "input: [1, 8, 8]\nlayers: [{maxpool: 2, name: a}, {flatten: {}, from: input}, linear: 2]"
    assert said(text) == ["2:11 a leads to no output"]


def test_heads_of_a_network_that_is_extended_leave_its_classifier_over(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(
        "input: [1, 4, 4]\nlayers: [{flatten: {}, name: all}, linear: 8, relu, linear: 5]"
    )
    (tmp_path / "heads.yaml").write_text(
        "extends: base.yaml\nheads: {digit: {from: all, layers: [linear: 3]}}"
    )
    (note,) = open_spec(tmp_path / "heads.yaml").graph.notes
    own = 16 * 8 + 8 + 8 * 5 + 5
    assert note.message == f"linear1 and 2 other layers lead to no output: {own} parameters"
    assert note.location is not None
    assert note.location.source.name.endswith("base.yaml")


def test_parts_that_meet_are_one() -> None:
    def node(name: str, source: str) -> str:
        return f"  - {{linear: 2, name: {name}, from: {source}}}\n"

    chains = "".join(node(*pair) for pair in [("a", "input"), ("b", "input"), ("c", "b"), ("d", "input")])
    read = "  - {add: {branches: [a, c]}, name: e}\n"
    text = f"input: [2]\nlayers:\n{chains}{read}{node('last', 'input')}"
    found = [
        "3:6 a and 3 other layers lead to no output: 18 parameters",
        "6:6 d leads to no output: 6 parameters",
    ]
    assert said(text) == found


def test_training_only_heads_are_outputs() -> None:
    heads = "heads: {main: [linear: 2], extra: {layers: [linear: 9], training_only: true}}"
    assert said(f"input: [4]\nlayers: [linear: 3]\n{heads}") == []


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_of_a_shipped_spec_leads_to_an_output(name: str) -> None:
    assert not open_spec(SPECS / f"{name}.yaml").graph.has_unused


def test_an_unknown_width_is_a_formula() -> None:
    text = SIDE.replace("channels: 32", "channels: width").replace("input", "vars: {width: 32}\ninput")
    graph = open_text(text, unknown=("width",)).graph
    assert [note.message.partition(": ")[2] for note in graph.notes] == ["147*width parameters"]


def test_costs_and_budgets_count_them_apart() -> None:
    found = costs(open_text(SIDE).graph)
    assert found.unused_totals.params == C2 + 64
    assert found.totals.params == C2 + 64 + 32 + 170
    params, layers = check(open_text(SIDE).graph, Budget(params=300, layers=9), Recipe())
    assert (params.actual, params.unused, params.within) == (found.totals.params, C2 + 64, False)
    assert (layers.actual, layers.unused) == (5, 2)


def run(*arguments: str) -> str:
    return CliRunner().invoke(application(), [*arguments]).stdout


def test_commands_show_them(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(SIDE)
    warning = f"warning: c2 and 1 other layer lead to no output: {C2 + 64:,} parameters"
    inspected, checked = (" ".join(run(each, str(spec)).split()) for each in ("inspect", "check"))
    assert warning in inspected
    assert warning in checked
    assert "c2 ! conv" in inspected
    assert f"! without output {C2 + 64:,}" in inspected
    assert "figure limit network without output verdict" in checked
    data = json.loads(run("inspect", str(spec), "--format", "json"))
    assert data["unused_totals"]["params"] == C2 + 64
    assert [layer["name"] for layer in data["layers"] if layer.get("unused")] == ["c2", "c2_norm"]
    (network,) = json.loads(run("check", str(spec), "--format", "json"))["networks"]
    assert [limit["unused"] for limit in network["limits"]] == [C2 + 64, 2]
    assert run("inspect", "lenet5").count("!") == 0


@pytest.mark.parametrize("optimizer", [SGD(), AdamW(), Adagrad()])
def test_torch_stores_their_weights_and_no_gradients_for_them(optimizer: Optimizer) -> None:
    graph, settings = open_text(SIDE).graph, Recipe(optimizer=optimizer)
    network = build_network(graph)
    made = build_optimizer(network, learning_of(graph, settings))
    network(example(graph, 2)).sum().backward()
    made.step()
    found = memory(graph, 4, settings)
    learned = [each for each in network.parameters() if each.grad is not None]
    states = [each for state in made.state.values() for each in state.values()]
    kept = [each for each in states if torch.is_tensor(each) and each.ndim]
    assert found.weights == sum(each.nbytes for each in network.parameters())
    assert found.gradients == sum(each.nbytes for each in learned)
    assert found.state == sum(each.nbytes for each in kept)
    assert set(graph.nodes[1].parameters) == {"weight", "bias"}
    assert "c2.weight" in network.state_dict()
