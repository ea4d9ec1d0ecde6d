"""What an output is computed from decides how it is trained, and what is said about it."""

from __future__ import annotations

import pytest

from cnncli.graph import Graph, open_text
from cnncli.graph.heads import BOUNDED_LOGITS, NOT_PROBABILITIES, heads_of, remarks, with_logits
from cnncli.layers import KINDS


def graph_of(layers: str, more: str = "") -> Graph:
    return open_text(f"input: [1, 8, 8]\nlayers: [flatten, {layers}]\n{more}").graph


def found(graph: Graph) -> list[tuple[str, int, str]]:
    """The code, the column and the message of each remark; the same are among the notes of the graph."""
    marks = [*remarks(graph)]
    assert set(marks) <= set(graph.notes)
    return [(each.code, each.location.column, each.message) for each in marks if each.location is not None]


@pytest.mark.parametrize("kind", ["softmax", "log_softmax"])
@pytest.mark.parametrize(
    "layers",
    [
        "linear: 10, {0}",
        "linear: {{features: 10, activation: {0}}}",
        "linear: 10, {0}, flatten, identity",
        "linear: 10, dropout: 0.1, {0}",
        "reshape: [64, 1, 1], conv: {{channels: 10, kernel: 1}}, {0}, flatten",
    ],
)
def test_a_softmax_at_the_end_is_understood(kind: str, layers: str) -> None:
    graph = graph_of(layers.format(kind))
    assert found(graph) == []
    trained = with_logits(graph)
    assert heads_of(trained)["output"].criterion == "cross_entropy"
    assert [(each.name, each.output_shape) for each in trained.nodes] == [
        (each.name, each.output_shape) for each in graph.nodes
    ]
    assert {each.kind for each in trained.nodes} == {each.kind for each in graph.nodes} - {kind} | {
        "identity"
    }


def test_probabilities_that_are_read_elsewhere_stay() -> None:
    layers = "{linear: 10, name: a}, {softmax: , name: p}"
    graph = graph_of(layers, "heads: {one: {from: p}, two: {from: p, layers: [linear: 10]}}")
    assert with_logits(graph) is graph
    assert {name: head.criterion for name, head in heads_of(graph).items()} == {
        "one": "probabilities",
        "two": "cross_entropy",
    }


def test_a_mean_of_probabilities_is_one() -> None:
    graph = open_text(
        "input: [1, 8, 8]\nlayers: [conv: {channels: 10, kernel: 3}, softmax, globalavgpool]"
    ).graph
    assert found(graph) == []
    assert heads_of(with_logits(graph))["output"].criterion == "probabilities"


def test_every_head_counts() -> None:
    graph = graph_of("{linear: 20, name: a}", "heads: {x: [linear: 10, softmax], y: [linear: 10, relu]}")
    assert [(each.kind) for each in with_logits(graph).nodes if each.name.startswith("x.")][-1] == "identity"
    ((code, _, message),) = found(graph)
    assert (code, message) == (BOUNDED_LOGITS, "head 'y' ends in 'relu', whose values are 0 or more")


@pytest.mark.parametrize(
    ("layers", "column"),
    [
        ("linear: 10, relu", 31),
        ("linear: 10, relu, dropout: 0.1, identity", 31),
        ("linear: {features: 10, activation: relu}", 54),
    ],
)
def test_an_activation_at_the_end_is_a_warning_with_its_place(layers: str, column: int) -> None:
    graph = graph_of(layers)
    assert found(graph) == [
        (BOUNDED_LOGITS, column, "the network ends in 'relu', whose values are 0 or more")
    ]
    assert [each.level for each in graph.notes] == ["warning"]


def test_a_default_activation_at_the_end_is_one_too() -> None:
    graph = graph_of("linear: 20, linear: 10", "defaults: {linear: {activation: relu}}")
    assert [each.code for each in graph.notes] == [BOUNDED_LOGITS]


@pytest.mark.parametrize(
    "layers",
    [
        "linear: 10",
        "linear: 10, leaky_relu: 0.1",
        "linear: 1, sigmoid",
        "linear: 64, sigmoid",
        "linear: {features: 20, activation: relu}, linear: 10",
        "rbf: 10",
    ],
)
def test_others_are_not(layers: str) -> None:
    assert graph_of(layers.replace("rbf: 10", "linear: 84, rbf: 10")).notes == ()


def test_relu_before_a_mean_is_how_all_convolutional_networks_end() -> None:
    text = "input: [1, 8, 8]\nlayers: [conv: {channels: 10, kernel: 3, activation: relu}, globalavgpool]"
    assert open_text(text).graph.notes == ()


@pytest.mark.parametrize(
    ("layers", "code", "message"),
    [
        ("linear: 10, softmax, dropout: 0.1", NOT_PROBABILITIES, "the network has 'dropout' after 'softmax'"),
        (
            "linear: 40, reshape: [10, 2, 2], softmax, flatten",
            NOT_PROBABILITIES,
            "the network has 40 values, but its 'softmax' is over 10 channels",
        ),
        (
            "add: [[linear: 10, softmax], [linear: 10, softmax]]",
            BOUNDED_LOGITS,
            "the network ends in 'add' of probabilities",
        ),
    ],
)
def test_what_softmax_cannot_be_trained_from(layers: str, code: str, message: str) -> None:
    ((found_code, _, found_message),) = found(graph_of(layers))
    assert (found_code, found_message) == (code, message)


def test_the_bounds_of_kinds_are_those_of_activations() -> None:
    bounded = {name for name, kind in KINDS.items() if kind.value_range}
    assert {"relu", "sigmoid", "tanh"} <= bounded
    assert not bounded & {"leaky_relu", "prelu", "softmax", "log_softmax", "linear", "conv"}
