"""Blocks: templates with arguments, local names, nesting, and references into them."""

from __future__ import annotations

import pytest

from tests.language.support import fault, faults, graph, kinds, names, nodes, pointed, rendered, under
from tests.steps import at_most

RESNET = """
vars: {width: 64, depths: [2, 2, 2, 2], classes: 1000}
input: [3, 64, 64]
defaults: {conv: {padding: half, bias: false}}
blocks:
  unit:
    args: {channels: , stride: 1}          # without a value: required
    layers:
      - add:
          - - {conv: {channels: channels, kernel: 3, stride: stride, norm: batch, activation: relu}}
            - {conv: {channels: channels, kernel: 3, norm: batch}}
          - shortcut: {channels: channels, stride: stride}    # identity where shapes agree, else 1x1
      - relu
layers:
  - conv: {channels: width, kernel: 7, stride: 2, norm: batch, activation: relu}
  - maxpool: {kernel: 3, stride: 2, padding: half}
  - {unit: {channels: width},                repeat: "depths[0]", name: layer1}
  - {unit: {channels: width*2}, first: {stride: 2}, repeat: "depths[1]", name: layer2}
  - globalavgpool
  - linear: classes
"""

PAIR = "blocks: {pair: {args: {a: , b: 3}, layers: [conv: {channels: a, kernel: b}, relu]}}\n"


def test_the_description_of_the_language() -> None:
    found = {node.name: node for node in graph(RESNET).nodes}
    assert found["layer1.1.relu1"].output_shape == (64, 16, 16)
    assert found["layer2.0.conv1"].output_shape == (128, 8, 8)
    assert found["layer2.0.shortcut1"].parameters["0.weight"] == (128, 64, 1, 1)
    assert found["layer2.1.shortcut1"].parameters == {}
    assert found["layer2.0.add1"].inputs == ("layer2.0.conv2_norm", "layer2.0.shortcut1")
    assert found["linear1"].output_shape == (1000,)


def test_a_variable_reaches_through_blocks() -> None:
    assert {node.name: node for node in graph(RESNET, "width=8", "depths=[1, 3]").nodes}[
        "layer2.2.relu1"
    ].output_shape == (16, 8, 8)


def test_names_inside_are_local() -> None:
    assert names(PAIR + "layers: [pair: {a: 1}, pair: {a: 2}, relu]") == [
        "pair1.conv1",
        "pair1.relu1",
        "pair2.conv1",
        "pair2.relu1",
        "relu1",
    ]


def test_a_bare_value_is_the_first_argument() -> None:
    assert nodes(PAIR + "layers: [pair: 7]")["pair1.conv1"].output_shape == (7, 6, 6)


def test_defaults_may_speak_of_other_arguments_and_of_variables() -> None:
    text = (
        "vars: {k: 1}\n"
        "blocks: {b: {args: {c: , d: c * 2 + k}, layers: [conv: {channels: d, kernel: 1}]}}\n"
        "layers: [b: 3, b: {c: 3, d: 1}]"
    )
    assert [node.output_shape[0] for node in nodes(text).values()] == [7, 1]


def test_an_argument_is_computed_where_the_block_is_used() -> None:
    text = """
    vars: {channels: 5}
    blocks:
      inner: {args: {channels: }, layers: [conv: {channels: channels, kernel: 1}]}
      outer: {args: {channels: }, layers: [inner: channels * 2]}
    layers: [outer: channels + 1]
    """
    assert nodes(text)["outer1.inner1.conv1"].output_shape == (12, 8, 8)


def test_a_block_does_not_see_the_arguments_of_the_block_that_uses_it() -> None:
    text = (
        "blocks: {inner: {layers: [conv: {channels: c, kernel: 1}]}, "
        "outer: {args: {c: }, layers: [inner]}}\n"
        "layers: [outer: 3]"
    )
    assert fault(text).code == "unknown-name"


def test_words_as_arguments() -> None:
    text = (
        "blocks: {b: {args: {act: relu}, layers: [conv: {channels: 1, "
        "kernel: 1, activation: $act}]}}\n"
        "layers: [b, b: tanh]"
    )
    assert kinds(text) == ["conv", "relu", "conv", "tanh"]


def test_lists_as_arguments() -> None:
    text = (
        "blocks: {b: {args: {c: }, layers: [conv: {channels: 'c[0]', kernel: 1}, "
        "conv: {channels: 'c[1]', kernel: 1}]}}\n"
        "layers: [b: [4, 6]]"
    )
    assert [node.output_shape[0] for node in nodes(text).values()] == [4, 6]


def test_an_empty_block_passes_its_input_on() -> None:
    assert nodes("blocks: {b: {layers: []}}\nlayers: [relu, b, tanh]")["tanh1"].inputs == ("relu1",)


class TestNumbered:
    TEXT = (
        "blocks: {s: {numbered: true, args: {c: 4}, "
        "layers: [conv: {channels: c, kernel: 1, "
        "norm: batch, activation: relu}, maxpool: 2]}}\n"
    )

    def test_nodes_are_named_by_number(self) -> None:
        assert names(self.TEXT + "layers: [{s: , name: features}]") == [f"features.{i}" for i in range(4)]

    def test_blocks_and_copies_within_number_on(self) -> None:
        text = (
            "blocks: {a: {layers: [relu, tanh]}, s: {numbered: true, layers: [a, {relu: , "
            "repeat: 2}, add: [[a], identity]]}}\n"
            "layers: [{s: , name: f}]"
        )
        assert names(text) == [f"f.{i}" for i in range(7)]

    def test_a_name_of_its_own(self) -> None:
        text = (
            "blocks: {s: {numbered: true, layers: [relu, {tanh: , name: t}, mish]}}\nlayers: [{s: , name: f}]"
        )
        assert names(text) == ["f.0", "f.t", "f.1"]

    def test_each_use_begins_anew(self) -> None:
        assert names("blocks: {s: {numbered: true, layers: [relu]}}\nlayers: [s, s]") == ["s1.0", "s2.0"]


class TestReferences:
    def test_into_a_block(self) -> None:
        found = nodes(
            PAIR
            + (
                "layers: [{pair: 3, repeat: 2, name: p}, {tanh: , "
                "from: p.0.conv1}, "
                "{mish: , from: p.1}, {elu: , from: p}]"
            )
        )
        assert [found[name].inputs for name in ("tanh1", "mish1", "elu1")] == [
            ("p.0.conv1",),
            ("p.1.relu1",),
            ("p.1.relu1",),
        ]

    def test_within_a_block_the_nearest_comes_first(self) -> None:
        text = (
            "blocks: {b: {layers: [tanh, {relu: , from: tanh1}, {mish: , "
            "from: sigmoid1}]}}\n"
            "layers: [tanh, sigmoid, b]"
        )
        found = nodes(text)
        assert found["b1.relu1"].inputs == ("b1.tanh1",)
        assert found["b1.mish1"].inputs == ("sigmoid1",)

    def test_input_is_the_input_of_the_network_everywhere(self) -> None:
        assert nodes("blocks: {b: {layers: [{tanh: , from: input}]}}\nlayers: [relu, b]")[
            "b1.tanh1"
        ].inputs == ("input",)

    def test_an_argument_may_be_a_name(self) -> None:
        text = (
            "blocks: {up: {args: {skip: }, "
            "layers: [concat: [$skip, identity]]}}\n"
            "layers: [{relu: , name: e}, tanh, up: e]"
        )
        assert nodes(text)["up1.concat1"].inputs == ("e", "tanh1")

    def test_a_suggestion_is_written_as_it_would_be_here(self) -> None:
        text = "blocks: {b: {layers: [{tanh: , name: stem}, {relu: , from: stam}]}}\nlayers: [b]"
        assert fault(text).hint == "did you mean 'stem'?"


class TestFaults:
    def test_a_fault_inside_shows_the_uses_that_led_there(self) -> None:
        text = """
        blocks:
          inner: {args: {k: }, layers: [conv: {channels: 2, kernel: k}]}
          outer: {args: {k: }, layers: [inner: k]}
        layers:
          - relu
          - outer: 9
        """
        found = fault(text)
        assert found.code == "shape"
        assert pointed(found) == "conv"
        assert [(each.message, under(each.location)) for each in found.related] == [
            ("in the block used here", "inner"),
            ("in the block used here", "outer"),
        ]

    def test_two_uses_with_two_shape_faults(self) -> None:
        found = faults(PAIR + "layers: [add: [[pair: {a: 1, b: 9}], [pair: {a: 1, b: 10}]]]")
        assert [each.expected for each in found] == ["at least 9 along height", "at least 10 along height"]

    @pytest.mark.slow
    def test_copies_share_their_faults(self) -> None:
        assert fault(PAIR + "layers: [{pair: 0, repeat: 50}]").code == "value"
        assert fault("layers: [{conv: {chanels: 3, kernel: 1}, repeat: 15000}]").code == "unknown-argument"

    def test_recursion(self) -> None:
        found = fault("blocks: {a: {layers: [b]}, b: {layers: [a]}}\nlayers: [a]")
        assert found.code == "recursion"
        assert found.message == "block 'a' uses itself: a -> b -> a"

    def test_misspelled_and_missing_arguments(self) -> None:
        found = fault(PAIR + "layers: [pair: {aa: 3}]")
        assert (pointed(found), found.hint) == ("aa", "did you mean 'a'?")
        found = fault(PAIR + "layers: [pair]")
        assert (found.code, found.message) == ("missing-argument", "block 'pair' needs 'a'")

    def test_a_misspelled_block(self) -> None:
        assert fault(PAIR + "layers: [pari: 3]").hint == "did you mean 'pair'?"

    @pytest.mark.parametrize(
        ("block", "text"),
        [
            ("3", "3"),
            ("[relu]", "["),
            ("{layer: [relu]}", "layer"),
            ("{args: {}}", "{"),
            ("{layers: relu}", "relu"),
            ("{args: [a], layers: [relu]}", "["),
            ("{args: 3, layers: [relu]}", "3"),
            ("{numbered: maybe, layers: [relu]}", "maybe"),
        ],
    )
    def test_a_block_of_a_wrong_form(self, block: str, text: str) -> None:
        assert pointed(fault(f"blocks: {{b: {block}}}\nlayers: [relu]")) == text

    def test_the_uses_of_a_faulty_block_are_not_reported_too(self) -> None:
        found = fault(
            "blocks: {b: {layer: [relu]}}\nlayers: [b: 3, {b: , repeat: 2, name: c}, {relu: , from: c}]"
        )
        assert (found.message, found.hint) == ("unknown key 'layer'", "did you mean 'layers'?")

    def test_a_block_with_the_name_of_a_kind(self) -> None:
        assert (
            fault("blocks: {conv: {layers: [relu]}}\nlayers: [relu]").message
            == "'conv' is the name of a kind"
        )

    @pytest.mark.parametrize("name", ["name", "from", "repeat", "first"])
    def test_a_block_with_the_name_of_a_reserved_key(self, name: str) -> None:
        assert pointed(fault(f"blocks: {{{name}: {{layers: [relu]}}}}\nlayers: [relu]")) == name

    @pytest.mark.parametrize("name", ["a b", "_a", "-a", "ä", "a.b", "a/b", "''"])
    def test_what_cannot_be_the_name_of_a_block(self, name: str) -> None:
        found = fault(f"blocks: {{{name}: {{layers: [relu]}}}}\nlayers: [{name}]")
        assert (found.code, found.location.column if found.location else 0) == ("block", 10)
        assert found.message == f"'{name.strip(chr(39))}' cannot be the name of a block"

    def test_a_block_that_is_never_used_is_checked_too(self) -> None:
        found = fault("blocks: {b: {layers: [relu, add: [[tahn], identity]]}}\nlayers: [relu]")
        assert (pointed(found), found.hint) == ("tahn", "did you mean 'tanh'?")

    def test_deep_nesting(self) -> None:
        blocks = "".join(f"  b{i}: {{layers: [b{i + 1}]}}\n" for i in range(60))
        assert fault(f"blocks:\n{blocks}  b60: {{layers: [relu]}}\nlayers: [b0]").code == "limit"

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "text",
        [
            "layers: [{relu: , repeat: 1000000000000}]",
            "blocks: {b: {layers: []}}\nlayers: [{b: , repeat: 1000000000000}]",
            (
                "blocks: {a: {layers: [{b: , repeat: 1000}]}, b: {layers: [{c: , "
                "repeat: 1000}]}, c: {layers: [{relu: , repeat: 1000}]}}\n"
                "layers: [{a: , repeat: 1000}]"
            ),
            (
                "blocks: {a: {layers: [{b: , repeat: 1000}]}, "
                "b: {layers: [{relu: , repeat: 0}]}}\n"
                "layers: [{a: , repeat: 100000}]"
            ),
        ],
    )
    def test_too_many_layers(self, text: str) -> None:
        with at_most(10_000_000):
            found = fault(text)
        assert found.code == "limit"

    def test_the_whole_message(self) -> None:
        assert rendered(PAIR + "layers: [relu, pair: {a: 4, b: 9}]") == (
            "net.yaml:2:45: error: pair1.conv1: the kernel of 'conv' is larger than its input 3x8x8\n"
            "    2 | blocks: {pair: {args: {a: , b: 3}, layers: [conv: {channels: a, kernel: b}, relu]}}\n"
            "      |                                             ^^^^\n"
            "  expected: at least 9 along height\n"
            "  received: 8\n"
            "  hint:     use 'padding: same', a smaller kernel, fewer strides before this layer, "
            "or a larger input\n"
            "  in the block used here: net.yaml:3:16\n"
            "    3 | layers: [relu, pair: {a: 4, b: 9}]\n"
            "      |                ^^^^\n"
            "    input        3x8x8\n"
            "    relu1        3x8x8\n"
            "    pair1.conv1  does not fit 3x8x8\n"
        )


def test_a_key_of_the_node_among_the_arguments() -> None:
    found = fault("blocks: {unit: {args: {n: 1}, layers: [relu]}}\nlayers: [unit: {name: a}]")
    assert found.hint == "'name' is written beside 'unit': {unit: ..., name: a}"


def test_an_argument_beside_the_block() -> None:
    text = "blocks: {unit: {args: {n: 1}, layers: [relu]}}\nlayers: [{unit: 2, KEY: 1}]"
    found = fault(text.replace("KEY", "n"))
    assert (found.message, found.hint) == ("'n' belongs inside 'unit'", "unit: {n: ...}")
    assert fault(text.replace("KEY", "label")).hint == "keys: name, from, repeat, first"
