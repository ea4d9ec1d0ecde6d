"""A node: one key that is its kind, and beside it name, from, repeat and first."""

from __future__ import annotations

from itertools import count
from random import Random
from unittest.mock import patch

import pytest

from cnncli.language.names import NodeNames
from tests.language.support import fault, faults, graph, kinds, layer, names, nodes, pointed, under


def test_lenet5_as_in_the_description_of_the_language() -> None:
    found = graph(
        """
        name: lenet5
        input: [1, 32, 32]
        layers:
          - conv: {channels: 6, kernel: 5, activation: tanh}     # padding: valid is the default
          - avgpool: 2                                            # a scalar is the kind's main argument
          - conv: {channels: 16, kernel: 5, activation: tanh}
          - avgpool: 2
          - flatten                                               # a kind without arguments
          - linear: {features: 120, activation: tanh}
          - linear: {features: 84, activation: tanh}
          - linear: 10
        """
    )
    assert found.name == "lenet5"
    assert [(node.name, node.output_shape) for node in found.nodes if "activation" not in node.name] == [
        ("conv1", (6, 28, 28)),
        ("avgpool1", (6, 14, 14)),
        ("conv2", (16, 10, 10)),
        ("avgpool2", (16, 5, 5)),
        ("flatten1", (400,)),
        ("linear1", (120,)),
        ("linear2", (84,)),
        ("linear3", (10,)),
    ]
    assert found.outputs["output"].node == "linear3"
    assert found.outputs["output"].shape == (10,)


def test_a_scalar_is_the_main_argument_and_a_mapping_holds_named_ones() -> None:
    assert (
        nodes("layers: [maxpool: 2]")["maxpool1"].layer
        == nodes("layers: [maxpool: {kernel: 2}]")["maxpool1"].layer
    )


def test_a_list_may_be_the_main_argument() -> None:
    assert layer("layers: [maxpool: [2, 4]]").output_shape == (3, 4, 2)


@pytest.mark.parametrize("written", ["relu", "relu: ", "relu: {}", "relu: ~", "{relu: }"])
def test_a_kind_without_arguments(written: str) -> None:
    assert kinds(f"layers:\n  - {written}\n") == ["relu"]


def test_a_file_without_a_name_is_called_after_its_file() -> None:
    assert graph("layers: [relu]").name == "net"


@pytest.mark.parametrize("size", ["[12]", "[2, 9]", "[3, 8, 8]", "[1, 4, 6, 5]"])
def test_a_vector_and_one_to_three_spatial_axes(size: str) -> None:
    assert len(graph(f"input: {size}\nlayers: [relu]").input) == size.count(",") + 1


class TestName:
    def test_a_given_name(self) -> None:
        assert names("layers: [{relu: , name: first}, relu]") == ["first", "relu2"]

    def test_unnamed_nodes_get_kind_and_number(self) -> None:
        text = "layers: [relu, maxpool: 2, relu, {relu: , name: mine}, maxpool: 2, relu]"
        assert names(text) == ["relu1", "maxpool1", "relu2", "mine", "maxpool2", "relu4"]

    def test_a_name_with_dots(self) -> None:
        assert names("layers: [{relu: , name: features.0}, {relu: , name: features.1}]") == [
            "features.0",
            "features.1",
        ]

    def test_twice_the_same_name(self) -> None:
        found = fault("layers:\n  - {relu: , name: a}\n  - {relu: , name: a}\n")
        assert (found.code, pointed(found)) == ("duplicate-name", "a")
        assert found.location is not None
        assert found.location.line == 4
        assert found.related[0].location.line == 3

    def test_the_name_of_a_head_collides_too(self) -> None:
        assert fault("layers: [{relu: , name: out}]\nheads: {out: []}").code == "duplicate-name"

    @pytest.mark.parametrize("name", ["a b", "a..b", ".a", "a.", "-a", "a/b", "ä", "''"])
    def test_what_is_not_a_name(self, name: str) -> None:
        found = fault(f"layers: [{{relu: , name: {name}}}]")
        assert (found.code, found.expected) == ("name", "letters, digits, '_' and '-', joined by dots")

    def test_a_name_that_is_too_long(self) -> None:
        assert nodes(f"layers: [{{relu: , name: {'a' * 200}}}]")
        found = fault(f"layers: [{{relu: , name: {'a' * 201}}}]")
        assert (found.code, found.expected) == ("name", "at most 200 characters")
        assert found.message == f"the name '{'a' * 39}…' is too long"

    @pytest.mark.parametrize("text", ['name: ""', "name: '  '", 'vars: {a: ""}\nname: $a'])
    def test_a_network_without_a_name(self, text: str) -> None:
        found = fault(f"{text}\nlayers: [relu]")
        assert (found.message, found.expected) == ("the name of the network is empty", "a name")

    @pytest.mark.parametrize("name", ["input", "identity"])
    def test_words_that_mean_something_else(self, name: str) -> None:
        assert fault(f"layers: [{{relu: , name: {name}}}]").code == "name"

    @pytest.mark.parametrize("name", ["[a]", "{a: b}", ""])
    def test_a_name_of_a_wrong_form(self, name: str) -> None:
        found = fault(f"layers:\n  - relu:\n    name: {name}\n")
        assert (found.code, found.expected) == ("name", "a string")

    @pytest.mark.parametrize("name", ["forward", "train", "state_dict", "a.parameters", "_modules", "b._x"])
    def test_names_of_torch_modules_are_reserved(self, name: str) -> None:
        found = fault(f"layers: [{{relu: , name: {name}}}]")
        assert "torch.nn.Module" in found.message

    @pytest.mark.parametrize("name", ["graph", "code", "meta.x", "save"])
    def test_names_of_traced_networks_are_reserved(self, name: str) -> None:
        assert "traced and exported networks" in fault(f"layers: [{{relu: , name: {name}}}]").message

    @pytest.mark.parametrize("name", ["class", "a.lambda", "None", "self"])
    def test_words_of_python_are_reserved(self, name: str) -> None:
        assert "reserved in Python" in fault(f"layers: [{{relu: , name: {name}}}]").message

    @pytest.mark.parametrize("pair", [("a", "a.b"), ("a.b", "a"), ("a.b.c", "a"), ("a", "a.b.c")])
    def test_a_node_holds_no_other(self, pair: tuple[str, str]) -> None:
        first, second = pair
        found = fault(f"layers: [{{relu: , name: {first}}}, {{tanh: , name: {second}}}]")
        assert (found.code, "cannot contain others" in found.message) == ("name", True)
        assert pointed(found) == second
        (related,) = found.related
        assert (under(related.location), related.message) == (first, f"'{first}' is here")


class TestAutomaticNames:
    """The number of a node among those of its kind, or the next one whose name is not taken."""

    @pytest.mark.parametrize(
        ("layers", "expected"),
        [
            ("{tanh: , name: relu2}, relu, relu", ["relu2", "relu1", "relu3"]),
            ("{relu: , name: relu2}, relu, relu", ["relu2", "relu3", "relu4"]),
            ("relu, {tanh: , name: relu1}, relu", ["relu2", "relu1", "relu3"]),
            (
                "relu, add: [[{tanh: , name: relu1}], {tanh: , name: add1}]",
                ["relu2", "relu1", "add1", "add2"],
            ),
            ("relu6, {relu6: , name: relu6_1}, relu6", ["relu6_2", "relu6_1", "relu6_3"]),
            ("relu, {relu: , name: relu1}, relu, relu", ["relu2", "relu1", "relu3", "relu4"]),
            ("relu, {tanh: , name: relu1.a}", ["relu2", "relu1.a"]),
            (
                "relu, {relu: , repeat: 1}, {tanh: , name: relu1.a}, {tanh: , name: relu2.a}",
                ["relu3", "relu2.0", "relu1.a", "relu2.a"],
            ),
            ("{relu: , repeat: 2}, {tanh: , name: relu1.a}", ["relu1.0", "relu1.1", "relu1.a"]),
        ],
    )
    def test_a_written_name_is_skipped(self, layers: str, expected: list[str]) -> None:
        assert names(f"layers: [{layers}]") == expected

    def test_a_reference_means_the_written_name(self) -> None:
        found = nodes("layers: [relu, {tanh: , name: relu1}, {mish: , from: relu1}]")
        assert found["mish1"].inputs == ("relu1",)
        assert found["relu1"].kind == "tanh"

    def test_the_name_of_a_head_is_skipped(self) -> None:
        assert names("layers: [relu]\nheads: {relu1: [tanh]}") == ["relu2", "relu1.tanh1"]

    def test_names_in_a_block_are_skipped_there_only(self) -> None:
        text = "blocks: {b: {layers: [relu, {tanh: , name: relu1}]}}\nlayers: [b, relu]"
        assert names(text) == ["b1.relu2", "b1.relu1", "relu1"]

    def test_a_name_from_an_argument_is_skipped_where_it_is_given(self) -> None:
        text = (
            "blocks: {b: {args: {n: relu1}, layers: [relu, {tanh: , name: $n}]}}\nlayers: [b, b: relu2, b: t]"
        )
        assert names(text) == ["b1.relu2", "b1.relu1", "b2.relu1", "b2.relu2", "b3.relu1", "b3.t"]

    def test_a_dotted_name_is_skipped_inside_the_block(self) -> None:
        text = "blocks: {b: {layers: [relu]}}\nlayers: [{tanh: , name: b1.relu1}, b, b]"
        assert names(text) == ["b1.relu1", "b1.relu2", "b2.relu1"]

    def test_numbers_in_a_numbered_block(self) -> None:
        text = "blocks: {b: {numbered: true, layers: [relu, {tanh: , name: '0'}, elu]}}\nlayers: [b]"
        assert names(text) == ["b1.1", "b1.0", "b1.2"]

    def test_a_kind_that_ends_in_a_digit(self) -> None:
        assert names("layers: [relu6, {relu6: , repeat: 1}]") == ["relu6_1", "relu6_2.0"]

    def test_an_automatic_name_that_another_kind_has(self) -> None:
        blocks = "blocks: {a: {layers: [relu]}, a1_: {layers: [relu]}, a1: {layers: [relu]}}\n"
        assert names(f"{blocks}layers: [a1_, a1, a]") == ["a1_1.relu1", "a1_2.relu1", "a1.relu1"]

    @pytest.mark.parametrize("seed", range(50))
    def test_random_written_names_never_collide_with_automatic_ones(self, seed: int) -> None:
        random = Random(seed)  # noqa: S311 - not for cryptography
        kinds = ("relu", "relu6", "tanh")
        possible = [f"relu{n}" for n in range(1, 8)] + ["relu6_1", "relu6_2", "tanh1", "tanh2.a"]
        written: list[str | None] = [*random.sample(possible, 5), *([None] * 7)]
        random.shuffle(written)
        chosen = [random.choice(kinds) for _ in written]
        layers = [
            f"{{{kind}: {f', name: {name}' if name else ''}}}"
            for kind, name in zip(chosen, written, strict=True)
        ]
        expected: list[str] = []
        for place, (kind, name) in enumerate(zip(chosen, written, strict=True), 1):
            stem = "relu6_" if kind == "relu6" else kind
            numbered = (f"{stem}{number}" for number in count(chosen[:place].count(kind)))
            taken = {*written, *expected, "tanh2" if "tanh2.a" in written else ""}  # layers hold no others
            expected.append(name or next(each for each in numbered if each not in taken))
        assert len(set(expected)) == len(layers)
        assert names(f"layers: [{', '.join(layers)}]") == expected

    def test_many_written_names_are_not_tried_again_for_each_node(self) -> None:
        written = ", ".join(f"{{tanh: , name: relu{number}}}" for number in range(1, 3_001))
        with patch.object(NodeNames, "_is_free", autospec=True, side_effect=NodeNames._is_free) as calls:
            found = names(f"layers: [{written}, {', '.join(['relu'] * 3_000)}]")
        assert found[-1] == "relu6000"
        assert calls.call_count <= 3 * 3_000

    def test_a_reference_to_a_faulty_node_counts_in_the_same_way(self) -> None:
        found = fault("layers: [rleu, {tanh: , name: relu1}, {mish: , from: relu2}]")
        assert found.code == "unknown-kind"


class TestFrom:
    def test_it_reads_the_node_before_it(self) -> None:
        assert nodes("layers: [relu, tanh]")["tanh1"].inputs == ("relu1",)

    def test_a_node_by_name(self) -> None:
        assert nodes("layers: [{relu: , name: a}, tanh, {sigmoid: , from: a}]")["sigmoid1"].inputs == ("a",)

    def test_the_input(self) -> None:
        assert nodes("layers: [relu, {sigmoid: , from: input}]")["sigmoid1"].inputs == ("input",)

    def test_the_next_node_reads_this_one(self) -> None:
        assert nodes("layers: [relu, tanh, {mish: , from: relu1}, elu]")["elu1"].inputs == ("mish1",)

    def test_an_unknown_node(self) -> None:
        found = fault("layers: [{relu: , name: stem}, {tanh: , from: stam}]")
        assert (found.code, pointed(found), found.hint) == ("unknown-node", "stam", "did you mean 'stem'?")

    def test_a_node_further_down(self) -> None:
        assert fault("layers: [{relu: , from: tanh1}, tanh]").code == "unknown-node"

    def test_a_node_cannot_read_itself(self) -> None:
        assert fault("layers: [{relu: , from: a, name: a}]").code == "unknown-node"

    def test_what_reads_a_node_at_fault_is_not_reported_as_well(self) -> None:
        found = faults(
            "layers: [{cnov: 3, name: a}, {conv: {channels: 3, kernel: 1}, "
            "from: a}, cnov: 2, {relu: , from: conv3}]"
        )
        assert [each.code for each in found] == ["unknown-kind", "unknown-kind"]

    @pytest.mark.parametrize("source", ["[a]", "{a: b}", ""])
    def test_a_reference_of_a_wrong_form(self, source: str) -> None:
        assert fault(f"layers:\n  - relu:\n    from: {source}\n").code == "reference"


class TestRepeat:
    def test_copies_in_a_row(self) -> None:
        found = nodes("layers: [{conv: {channels: 4, kernel: 3}, repeat: 3, name: c}, relu]")
        assert list(found) == ["c.0", "c.1", "c.2", "relu1"]
        assert [node.inputs for node in found.values()] == [("input",), ("c.0",), ("c.1",), ("c.2",)]
        assert found["c.2"].output_shape == (4, 2, 2)

    def test_unnamed_copies(self) -> None:
        assert names("layers: [relu, {relu: , repeat: 2}]") == ["relu1", "relu2.0", "relu2.1"]

    def test_one_copy_is_numbered_too(self) -> None:
        assert names("layers: [{relu: , repeat: 1, name: a}]") == ["a.0"]

    def test_no_copies(self) -> None:
        found = nodes(
            "layers: [relu, {conv: {channels: 4, kernel: 3}, repeat: 0, name: c}, {tanh: , from: c}]"
        )
        assert list(found) == ["relu1", "tanh1"]
        assert found["tanh1"].inputs == ("relu1",)

    def test_an_expression(self) -> None:
        text = (
            "vars: {depths: [1, 3], deep: yes}\n"
            "layers: [{relu: , repeat: 'depths[1] - 1 if deep else 0', name: r}]"
        )
        assert names(text) == ["r.0", "r.1"]
        assert names(text, "deep=no") == []

    def test_from_is_where_the_first_copy_starts(self) -> None:
        found = nodes("layers: [{relu: , name: a}, tanh, {sigmoid: , from: a, repeat: 2, name: s}]")
        assert [found["s.0"].inputs, found["s.1"].inputs] == [("a",), ("s.0",)]

    def test_references_to_copies(self) -> None:
        found = nodes("layers: [{relu: , repeat: 3, name: r}, {tanh: , from: r.1}, {mish: , from: r}]")
        assert [found["tanh1"].inputs, found["mish1"].inputs] == [("r.1",), ("r.2",)]

    @pytest.mark.parametrize("count", ["-1", "1.5", "[2]", "yes", "''", "two"])
    def test_what_is_not_a_number_of_copies(self, count: str) -> None:
        found = fault(f"layers: [{{relu: , repeat: {count}}}]")
        assert found.location is not None
        assert found.code in {"value", "unknown-name", "expression"}

    def test_first_has_arguments_of_its_own(self) -> None:
        text = (
            "layers: [{conv: {channels: 4, kernel: 3, padding: half}, "
            "first: {stride: 2}, repeat: 3, name: c}]"
        )
        assert [node.output_shape for node in nodes(text).values()] == [(4, 4, 4)] * 3

    def test_first_as_a_bare_value(self) -> None:
        found = nodes("layers: [{conv: {channels: 4, kernel: 1}, first: 6, repeat: 2, name: c}]")
        assert [found["c.0"].output_shape[0], found["c.1"].output_shape[0]] == [6, 4]

    def test_first_with_sugar(self) -> None:
        text = (
            "layers: [{conv: {channels: 4, kernel: 1, activation: relu}, "
            "first: {activation: none}, repeat: 2, name: c}]"
        )
        assert names(text) == ["c.0", "c.1", "c.1_activation"]

    def test_first_without_repeat(self) -> None:
        assert fault("layers: [{conv: {channels: 4, kernel: 1}, first: 6}]").code == "first"

    def test_first_with_a_misspelled_argument(self) -> None:
        found = fault("layers: [{conv: {channels: 4, kernel: 1}, first: {strid: 2}, repeat: 2}]")
        assert (pointed(found), found.hint) == ("strid", "did you mean 'stride'?")


class TestSugar:
    def test_norm_comes_before_activation_however_they_are_written(self) -> None:
        found = nodes("layers: [conv: {activation: relu, kernel: 1, norm: batch, channels: 4}]")
        assert [(name, node.kind) for name, node in found.items()] == [
            ("conv1", "conv"),
            ("conv1_norm", "batchnorm"),
            ("conv1_activation", "relu"),
        ]
        assert found["conv1_activation"].inputs == ("conv1_norm",)

    def test_the_next_node_reads_the_last_of_them(self) -> None:
        assert nodes("layers: [conv: {channels: 4, kernel: 1, norm: batch}, relu]")["relu1"].inputs == (
            "conv1_norm",
        )

    def test_a_reference_means_the_last_of_them(self) -> None:
        text = "layers: [{conv: {channels: 4, kernel: 1, norm: batch}, name: a}, relu, {tanh: , from: a}]"
        assert nodes(text)["tanh1"].inputs == ("a_norm",)

    @pytest.mark.parametrize(
        "kind", ["conv: {channels: 4, kernel: 1, ", "convtranspose: {channels: 4, kernel: 1, "]
    )
    def test_kinds_with_sugar(self, kind: str) -> None:
        assert len(names(f"layers: [{kind}norm: layer, activation: silu}}]")) == 3

    def test_linear_has_sugar_too(self) -> None:
        found = kinds("input: [5]\nlayers: [linear: {features: 4, norm: batch, activation: gelu}]")
        assert found == ["linear", "batchnorm", "gelu"]

    @pytest.mark.parametrize(
        ("word", "kind"),
        [
            ("batch", "batchnorm"),
            ("layer", "layernorm"),
            ("{group: 2}", "groupnorm"),
            ("instance", "instancenorm"),
        ],
    )
    def test_words_for_norms(self, word: str, kind: str) -> None:
        assert kinds(f"layers: [conv: {{channels: 4, kernel: 1, norm: {word}}}]") == ["conv", kind]

    def test_arguments_of_sugar(self) -> None:
        text = (
            "layers: [conv: {channels: 4, kernel: 1, norm: {batch: {eps: 1e-3}}, "
            "activation: {leaky_relu: 0.2}}]"
        )
        found = nodes(text)
        assert "eps=0.001" in repr(found["conv1_norm"].layer)
        assert "slope=0.2" in repr(found["conv1_activation"].layer)

    def test_group_norm_needs_its_groups(self) -> None:
        found = fault("layers: [conv: {channels: 4, kernel: 1, norm: group}]")
        assert (found.code, pointed(found)) == ("missing-argument", "group")

    def test_none_is_nothing(self) -> None:
        text = (
            "defaults: {conv: {norm: batch, activation: relu}}\n"
            "layers: [conv: {channels: 4, kernel: 1, norm: none}]"
        )
        assert kinds(text) == ["conv", "relu"]

    @pytest.mark.parametrize("key", ["norm", "activation"])
    @pytest.mark.parametrize(
        ("value", "received"),
        [
            ("{}", "an empty mapping"),
            ("[batch]", "a list of 1"),
            ("{a: , b: }", "a mapping with a and b"),
            ("", "nothing"),
        ],
    )
    def test_sugar_with_the_wrong_form(self, key: str, value: str, received: str) -> None:
        found = fault(f"layers:\n  - conv:\n      channels: 4\n      kernel: 1\n      {key}: {value}\n")
        assert found.message == f"'{key}' cannot be {received}"

    def test_an_unknown_word(self) -> None:
        found = fault("layers: [conv: {channels: 4, kernel: 1, activation: rleu}]")
        assert (pointed(found), found.hint) == ("rleu", "did you mean 'relu'?")

    def test_a_variable_without_its_dollar_sign(self) -> None:
        found = fault("vars: {act: relu}\nlayers: [conv: {channels: 4, kernel: 1, activation: act}]")
        assert found.hint == "the variable is written $act"

    def test_a_kind_without_sugar(self) -> None:
        assert fault("layers: [maxpool: {kernel: 2, activation: relu}]").code == "unknown-argument"


class TestFaults:
    def test_a_misspelled_kind(self) -> None:
        found = fault("layers:\n  - cnov: {channels: 3, kernel: 3}\n")
        assert (found.code, pointed(found), found.hint) == ("unknown-kind", "cnov", "did you mean 'conv'?")

    def test_a_misspelled_bare_kind(self) -> None:
        assert fault("layers: [reul]").hint == "did you mean 'relu'?"

    def test_a_kind_like_nothing(self) -> None:
        assert fault("layers: [qqqqqq]").hint.startswith("kinds and blocks: ")

    def test_a_misspelled_argument_is_not_a_missing_one_too(self) -> None:
        found = faults("layers: [conv: {chanels: 3, kernal: 3}]")
        assert [(pointed(each), each.hint) for each in found] == [
            ("chanels", "did you mean 'channels'?"),
            ("kernal", "did you mean 'kernel'?"),
        ]

    def test_missing_arguments(self) -> None:
        found = faults("layers:\n  - conv:\n")
        assert [each.message for each in found] == ["'conv' needs 'channels'", "'conv' needs 'kernel'"]
        assert {pointed(each) for each in found} == {"conv"}

    def test_an_argument_given_twice(self) -> None:
        found = fault("layers: [conv: {channels: 3, kernel: 3, channels: 4}]")
        assert (found.code, pointed(found)) == ("duplicate-key", "channels")

    @pytest.mark.parametrize("value", ["3", "[1, 2]"])
    def test_a_bare_value_for_a_kind_without_a_main_argument(self, value: str) -> None:
        assert fault(f"layers: [relu: {value}]").message == "'relu' does not accept a bare value"

    def test_two_kinds_in_one_node(self) -> None:
        found = fault("layers:\n  - conv: {channels: 3, kernel: 3}\n    relu:\n")
        assert (found.message, pointed(found)) == ("this layer has two kinds, 'conv' and 'relu'", "relu")

    def test_a_misspelled_reserved_key(self) -> None:
        found = fault("layers:\n  - conv: {channels: 3, kernel: 3}\n    nmae: a\n")
        assert (pointed(found), found.hint) == ("nmae", "did you mean 'name'?")

    def test_an_argument_beside_the_kind(self) -> None:
        found = fault("layers:\n  - conv: {channels: 3, kernel: 3}\n    dilation: 2\n")
        assert found.hint == "conv: {dilation: ...}"

    @pytest.mark.parametrize(
        ("key", "hint"),
        [
            ("in", "did you mean 'from'?"),
            ("label", "keys: name, from, repeat, first"),
            ("kernel_size", "did you mean conv: {kernel: ...}?"),
        ],
    )
    def test_a_key_beside_the_kind_that_is_not_an_argument(self, key: str, hint: str) -> None:
        found = fault(f"layers:\n  - conv: {{channels: 3, kernel: 3}}\n    {key}: x\n")
        assert (found.message, pointed(found)) == (f"unknown key '{key}' next to 'conv'", key)
        assert found.hint == hint

    def test_a_key_of_the_node_among_the_arguments(self) -> None:
        (name, source) = faults("layers: [conv: {channels: 8, kernel: 3, name: c1, from: [x]}]")
        assert (pointed(name), pointed(source)) == ("name", "from")
        assert name.hint == "'name' is written beside 'conv': {conv: ..., name: c1}"
        assert source.hint == "'from' is written beside 'conv': {conv: ..., from: ...}"
        assert names("input: [3, 8, 8]\nlayers: [{conv: {channels: 8, kernel: 3}, name: c1}]") == ["c1"]

    def test_a_key_of_a_node_among_settings(self) -> None:
        """Only layers have such keys."""
        found = fault("input: [3]\nlayers: [relu]\nbudget: {name: 3}")
        assert "beside" not in found.hint

    @pytest.mark.parametrize("node", ["{}", "{name: a}", "", "[relu]", "3", "[]", "~"])
    def test_what_is_not_a_node(self, node: str) -> None:
        assert fault(f"layers:\n  - relu\n  - {node}\n").code in {"node", "unknown-kind"}

    def test_no_layers(self) -> None:
        assert fault("layers: []").message == "the spec has no layers"
        assert fault("name: a").message == "the spec has no layers"


def test_a_wrong_activation_does_not_hide_what_is_wrong_after_it() -> None:
    activation, shape = faults(
        """
        input: [1, 8, 8]
        layers:
          - conv: {channels: 2, kernel: 3, activation: rellu}
          - linear: 3
        """
    )
    assert activation.message == "unknown activation 'rellu'"
    assert (shape.code, shape.received) == ("shape", "a map 2x6x6")
