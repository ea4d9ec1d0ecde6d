"""Joins: branches from one point, and what a branch may be."""

from __future__ import annotations

import pytest

from tests.language.support import fault, faults, graph, names, nodes, pointed, rendered

JOINS = pytest.mark.parametrize("join", ["add", "concat", "multiply"])


@JOINS
def test_a_list_of_nodes_starts_from_the_current_tensor(join: str) -> None:
    found = nodes(f"layers: [{{relu: , name: a}}, {join}: [[tanh, sigmoid], [mish]]]")
    assert found["tanh1"].inputs == ("a",)
    assert found["sigmoid1"].inputs == ("tanh1",)
    assert found["mish1"].inputs == ("a",)
    assert found[f"{join}1"].inputs == ("sigmoid1", "mish1")


@JOINS
def test_one_node_may_be_written_as_a_mapping(join: str) -> None:
    found = nodes(f"layers: [{{relu: , name: a}}, {join}: [conv: {{channels: 3, kernel: 1}}, identity]]")
    assert found[f"{join}1"].inputs == ("conv1", "a")


@JOINS
def test_bare_words(join: str) -> None:
    text = f"layers: [{{relu: , name: a}}, {{tanh: , name: b}}, {join}: [identity, input, a, b]]"
    assert nodes(text)[f"{join}1"].inputs == ("b", "input", "a", "b")


@JOINS
def test_from_says_where_branches_start(join: str) -> None:
    found = nodes(f"layers: [{{relu: , name: a}}, tanh, {{{join}: [identity, [mish]], from: a}}]")
    assert found[f"{join}1"].inputs == ("a", "mish1")


@JOINS
def test_a_bare_word_is_never_a_kind(join: str) -> None:
    found = fault(f"layers: [{join}: [relu, identity]]")
    assert (found.code, pointed(found)) == ("unknown-node", "relu")
    assert found.hint == "a branch that is a new 'relu' is written as a list: [relu]"


@JOINS
def test_a_node_may_have_the_name_of_a_kind(join: str) -> None:
    assert (
        nodes(f"layers: [{{tanh: , name: relu}}, {join}: [relu, identity]]")[f"{join}1"].inputs
        == ("relu",) * 2
    )


def test_a_residual_unit() -> None:
    found = graph(
        """
        input: [64, 8, 8]
        layers:
          - add:
              - - conv: {channels: 64, kernel: 3, padding: same, norm: batch, activation: relu}
                - conv: {channels: 64, kernel: 3, padding: same, norm: batch}
              - identity
          - relu
        """
    )
    add = found.nodes[-2]
    assert (add.inputs, add.output_shape) == (("conv2_norm", "input"), (64, 8, 8))


def test_an_inception_module() -> None:
    found = nodes(
        """
        input: [192, 28, 28]
        layers:
          - concat:
              - [conv: {channels: 64, kernel: 1}]
              - [conv: {channels: 96, kernel: 1}, conv: {channels: 128, kernel: 3, padding: same}]
              - [conv: {channels: 16, kernel: 1}, conv: {channels: 32, kernel: 5, padding: same}]
              - [maxpool: {kernel: 3, stride: 1, padding: same}, conv: {channels: 32, kernel: 1}]
        """
    )
    assert found["concat1"].inputs == ("conv1", "conv3", "conv5", "conv6")
    assert found["concat1"].output_shape == (256, 28, 28)


def test_a_skip_connection_with_align() -> None:
    text = (
        "layers: [{relu: , name: enc3}, conv: {channels: 4, kernel: 3}, "
        "concat: {branches: [enc3, identity], align: %s}]"
    )
    assert nodes(text % "crop")["concat1"].output_shape == (7, 6, 6)
    assert nodes(text % "pad")["concat1"].output_shape == (7, 8, 8)
    assert fault(text % "exact").code == "shape"
    assert fault(text % "corp").hint == "did you mean 'crop'?"


def test_exact_is_the_default() -> None:
    found = fault("layers: [{relu: , name: a}, conv: {channels: 4, kernel: 3}, concat: [a, identity]]")
    assert found.hint == "'align: crop' or 'align: pad' makes their sizes equal"


def test_joins_within_joins() -> None:
    found = nodes("layers: [{relu: , name: a}, add: [[concat: [identity, a]], [concat: [a, a]]]]")
    assert found["add1"].inputs == ("concat1", "concat2")
    assert found["add1"].output_shape == (6, 8, 8)


def test_branches_share_the_numbers_of_their_scope() -> None:
    assert names("layers: [relu, add: [[relu], [relu]], relu]") == [
        "relu1",
        "relu2",
        "relu3",
        "add1",
        "relu4",
    ]


def test_a_branch_may_repeat_and_use_blocks() -> None:
    text = (
        "blocks: {b: {layers: [tanh]}}\n"
        "layers: [add: [[{b: , repeat: 2, name: x}], {relu: , repeat: 2, name: y}]]"
    )
    assert nodes(text)["add1"].inputs == ("x.1.tanh1", "y.1")


def test_a_later_branch_may_read_an_earlier_one() -> None:
    assert nodes("layers: [add: [[{tanh: , name: a}], a]]")["add1"].inputs == ("a", "a")


@JOINS
@pytest.mark.parametrize(
    "written", ["", "3", "relu", "{}", "{branches: 3}", "[]", "{branches: []}", "{branches: {}}"]
)
def test_a_join_without_branches(join: str, written: str) -> None:
    found = fault(f"layers:\n  - {join}: {written}\n")
    assert (found.code, found.expected) == ("branches", "a list of branches")


@JOINS
def test_a_branch_without_layers(join: str) -> None:
    found = fault(f"layers: [{join}: [identity, []]]")
    assert (found.code, found.hint) == ("branches", "write 'identity' for the unchanged tensor")


def test_every_branch_is_checked() -> None:
    found = faults("layers: [add: [[reul], [tahn], nowhere, 3]]")
    assert [pointed(each) for each in found] == ["reul", "tahn", "nowhere", "3"]


def test_too_many_branches() -> None:
    assert fault(f"layers: [add: [{', '.join(['identity'] * 257)}]]").code == "limit"


def test_a_shape_fault_says_where_the_branches_come_from() -> None:
    text = """
    layers:
      - {conv: {channels: 4, kernel: 1}, name: a}
      - relu
      - {conv: {channels: 5, kernel: 1}}
      - add: [a, identity]
    """
    assert rendered(text) == (
        "net.yaml:6:5: error: add1: the branches of 'add' differ in channels\n"
        "    6 |   - add: [a, identity]\n"
        "      |     ^^^\n"
        "  expected: 4, as in the first branch\n"
        "  received: 5 (4x8x8 and 5x8x8)\n"
        "  hint:     'shortcut' or a 1x1 'conv' changes the channels of a branch\n"
        "  a outputs 4x8x8: net.yaml:3:6\n"
        "    3 |   - {conv: {channels: 4, kernel: 1}, name: a}\n"
        "      |      ^^^^\n"
        "  conv2 outputs 5x8x8: net.yaml:5:6\n"
        "    5 |   - {conv: {channels: 5, kernel: 1}}\n"
        "      |      ^^^^\n"
        "    input  3x8x8\n"
        "    a      4x8x8\n"
        "    relu1  4x8x8\n"
        "    conv2  5x8x8\n"
        "    add1   does not fit 4x8x8 and 5x8x8\n"
    )
