"""Groups of layers, and the tensors that Muon is for: found in the graph, without torch."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnncli.algebra import product
from cnncli.analysis.memory.usage import memory
from cnncli.diagnostics import SpecError
from cnncli.graph import Opened, open_spec, open_text, read_recipe
from cnncli.graph.learning import Way, hidden_matrices, learning_of, ways_text
from cnncli.layers import KINDS
from cnncli.recipe.groups import Group
from cnncli.recipe.optimizers import SGD, AdamW, Muon
from cnncli.recipe.recipe import Recipe, recipe_from_json
from tests.cases import Case
from tests.language.support import fault, pointed
from tests.specs.support import SPECS

SPEC = """input: [1, 8, 8]
blocks:
  unit: {layers: [{conv: {channels: 4, kernel: 3, padding: same, norm: batch}, name: conv}, relu]}
layers:
  - {conv: {channels: 4, kernel: 3}, name: stem}
  - {unit: {}, name: body, repeat: 3}
  - {batchnorm: {affine: false}, name: still}
  - {globalavgpool: {}, name: pool}
  - {linear: 10, name: head}
"""


def trained(train: str) -> Opened:
    return open_text(f"{SPEC}train: {{{train}}}\n")


def test_the_first_group_that_a_layer_matches_counts() -> None:
    groups = (
        "{match: 'body.1', lr: 0.5}, {match: 'body.?.conv', weight_decay: 0}, "
        "{match: '*.conv_norm', freeze: true}, {match: stem, lr: 2, weight_decay: 0.25}"
    )
    opened = trained(f"optimizer: {{sgd: {{lr: 0.1, weight_decay: 0.01}}}}, groups: [{groups}]")
    learning, sgd = learning_of(opened.graph, opened.train), opened.train.optimizer
    assert learning.own == {
        "body.1.conv.weight": Way(sgd, 0.5, 0.01),
        "body.1.conv.bias": Way(sgd, 0.5, 0.0),
        "body.1.conv_norm.weight": Way(sgd, 0.5, 0.0),
        "body.1.conv_norm.bias": Way(sgd, 0.5, 0.0),
        **{f"body.{n}.conv.{name}": Way(sgd, 0.1, 0.0) for n in (0, 2) for name in ("weight", "bias")},
        **{f"body.{n}.conv_norm.{name}": Way(sgd, 0.1, 0.0) for n in (0, 2) for name in ("weight", "bias")},
        "stem.weight": Way(sgd, 2.0, 0.25),
        "stem.bias": Way(sgd, 2.0, 0.0),
    }
    assert learning.frozen == learning.still == {"body.0.conv_norm", "body.2.conv_norm"}
    assert learning.way("head.weight", 2) == Way(sgd, 0.1, 0.01)
    assert learning.way("head.bias", 1) == Way(sgd, 0.1, 0.0)
    assert [*ways_text(opened.graph, opened.train)] == [
        "body.1: lr 0.5, 2 layers with 156 parameters",
        "body.?.conv: weight decay 0, 2 layers with 296 parameters",
        "*.conv_norm: frozen, 2 layers with 16 parameters",
        "stem: lr 2, weight decay 0.25, 1 layer with 40 parameters",
    ]


@pytest.mark.parametrize(
    ("group", "message", "place"),
    [
        ("{match: 'bdy.*', lr: 1}", "no layer or block is called 'bdy.*'", "'bdy.*'"),
        ("{match: pool, lr: 1}", "'pool' matches no layer that learns", "pool"),
        ("{match: still, lr: 1}", "'still' matches no layer that learns", "still"),
        ("{match: 'body.0.conv', lr: 2}", "all that 'body.0.conv' matches belongs to groups before", None),
        ("{match: '*norm', weight_decay: 1}", "weight decay acts on none of the tensors", "'*norm'"),
        ("{match: head, lr: 1, freeze: true}", "'lr' has no effect on layers that are frozen", "1"),
        ("{match: head, weight_decay: 0, freeze: true}", "'weight_decay' has no effect on layers", "0"),
        ("{match: head}", "the group 'head' changes nothing", None),
        ("{match: head, freeze: false}", "the group 'head' changes nothing", None),
        ("{lr: 1}", "'group' needs 'match'", None),
        ("{match: head, rate: 1}", "'group' has no setting 'rate'", "rate"),
        ("{match: head, lr: 0}", "'lr' cannot be '0'", "0"),
    ],
)
def test_a_group_without_an_effect_is_an_error_with_its_place(
    group: str, message: str, place: str | None
) -> None:
    found = fault(f"{SPEC}train: {{groups: [{{match: 'body.0', lr: 1}}, {group}]}}\n")
    assert found.message.startswith(message)
    assert found.location is not None
    assert found.location.line == SPEC.count("\n") + 1
    assert place is None or pointed(found) == place


def test_the_nearest_name_is_suggested() -> None:
    assert fault(f"{SPEC}train: {{groups: [{{match: 'boddy.*', lr: 1}}]}}\n").hint == "did you mean 'body'?"
    assert fault(f"{SPEC}train: {{groups: [{{match: hed, lr: 1}}]}}\n").hint == "did you mean 'head'?"


def test_statistics_alone_can_be_frozen() -> None:
    opened = trained("groups: [{match: still, freeze: true}]")
    assert learning_of(opened.graph, opened.train).still == {"still"}


def test_something_must_learn() -> None:
    found = fault(f"{SPEC}train: {{groups: [{{match: '*', freeze: true}}]}}\n")
    assert found.message == "all layers are frozen, so there is nothing to train"


def test_groups_of_a_recipe_file_are_checked(tmp_path: Path) -> None:
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "recipe.yaml").write_text("groups: [{match: nothing, freeze: true}]\n")
    with pytest.raises(SpecError, match="no layer or block is called 'nothing'"):
        read_recipe(open_spec(tmp_path / "spec.yaml"), tmp_path / "recipe.yaml")


def test_groups_survive_json() -> None:
    groups = (Group(match="a*", lr=0.5), Group(match="b", weight_decay=0.0), Group(match="c", freeze=True))
    recipe = Recipe(groups=groups, optimizer=Muon(adamw=AdamW(lr=0.5)))
    assert recipe_from_json(recipe.plain()) == recipe
    assert recipe.plain()["groups"][0] == {"match": "a*", "lr": 0.5, "freeze": False}


def test_muon_learns_the_kernels_between_the_first_and_the_last_layer() -> None:
    """As Keller Jordan's list for a convolutional network has it."""
    opened = open_spec(SPECS / "resnet" / "resnet18.yaml", overrides=["train.optimizer=muon"])
    hidden = hidden_matrices(opened.graph)
    kernels = {
        f"{node.name}.{name}"
        for node in opened.graph.nodes
        for name, shape in node.parameters.items()
        if len(shape) > 1
    }
    assert kernels - hidden == {"conv1.weight", "fc.weight"}
    assert len(hidden) == 19  # 16 convolutions of the blocks and 3 projections
    learning = learning_of(opened.graph, opened.train)
    muon = opened.train.optimizer
    assert isinstance(muon, Muon)
    assert learning.way("layer1.0.conv1.weight", 4) == Way(muon, 0.02, 0.01)
    assert learning.way("fc.weight", 2) == Way(muon.adamw, 0.001, 0.01)
    assert learning.way("layer1.0.bn1.weight", 1) == Way(muon.adamw, 0.001, 0.0)
    (text,) = ways_text(opened.graph, opened.train)
    assert text == (
        "muon learns 19 tensors of hidden layers, adamw (lr 0.001) 43 other tensors: biases, scales, "
        "conv1.weight and fc.weight"
    )


def test_kernels_of_groups_of_channels_are_not_one_matrix() -> None:
    layers = (
        "conv: {channels: 8, kernel: 3}",
        "conv: {channels: 8, kernel: 3, groups: %s}",
        "flatten, linear: 2",
    )
    text = "input: [1, 8, 8]\nlayers: [" + ", ".join(layers) + "]\n"
    assert hidden_matrices(open_text(text % 1).graph) == {"conv2.weight"}
    assert hidden_matrices(open_text(text % 8).graph) == frozenset()
    found = fault(f"{text % 8}train: {{optimizer: muon}}\n")
    assert found.message.startswith("'muon' has nothing to learn")
    assert pointed(found) == "muon"


def test_every_head_has_a_last_layer() -> None:
    heads = "heads: {a: [linear: 3], b: {layers: [linear: 4, relu, linear: 2], training_only: true}}"
    text = f"input: [9]\nlayers: [linear: 8, relu, {{linear: 8, name: trunk}}]\n{heads}\n"
    assert hidden_matrices(open_text(text).graph) == {"trunk.weight", "b.linear1.weight"}


EXAMPLES = [
    Case(kind.keyword, example.arguments, example.inputs)
    for kind in KINDS.values()
    for example in kind.examples
]


def test_a_matrix_has_a_row_for_each_output_channel_and_is_all_that_is_multiplied() -> None:
    checked = set()
    for case in EXAMPLES:
        layer, shape = case.layer, case.input_shape
        output, parameters = layer.output(shape), layer.parameters(shape)
        for name in set(layer.matrices()) & parameters.keys():
            assert parameters[name][0] == output[0]
            assert product(parameters[name]) * product(output[1:]) == layer.macs(shape, output)
            checked.add(case.kind)
    assert checked == {"conv", "linear", "shortcut"}


def test_frozen_layers_have_neither_gradients_nor_an_optimizers_state() -> None:
    plain = trained("optimizer: adamw")
    half = trained("optimizer: adamw, groups: [{match: stem, freeze: true}, {match: 'body.*', freeze: true}]")
    whole, found = memory(plain.graph, 4, plain.train), memory(half.graph, 4, half.train)
    head = 4 * (4 * 10 + 10)
    assert (found.weights, found.buffers) == (whole.weights, whole.buffers)
    assert (found.gradients, found.state) == (head, 2 * head)
    # Only the head saves anything: its input, which nothing before it had to keep.
    assert found.saved.each == 4 * 4


def test_muon_keeps_one_number_for_each_parameter_of_a_matrix_and_adamw_two() -> None:
    opened = trained("optimizer: muon")
    found = memory(opened.graph, 4, opened.train)
    hidden = 3 * 4 * 4 * 3 * 3
    others = found.weights // 4 - hidden
    assert found.state == 4 * (hidden + 2 * others)
    assert memory(opened.graph, 4, Recipe(optimizer=SGD())).state == found.weights
