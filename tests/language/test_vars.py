"""Variables and expressions, in numbers and in texts; defaults."""

from __future__ import annotations

from math import inf

import pytest

from cnncli.language.expressions import ExpressionError, Result, evaluate
from cnncli.language.scope import number
from cnncli.recipe.optimizers import AdamW
from tests.language.support import fault, faults, graph, kinds, layer, nodes, opened, pointed, under
from tests.steps import at_most

CONV = "layers: [conv: {channels: %s, kernel: 1}]"


class Bound(dict[str, Result]):
    """Names for an expression that stands alone."""

    def result(self, name: str) -> Result:
        return self[name]

    def text(self, name: str) -> str:
        return str(self[name])


def value(text: str, **names: Result) -> Result:
    return evaluate(text, Bound(names))


def channels(text: str, variables: str = "{}", *overrides: str) -> object:
    return layer(f"vars: {variables}\n{CONV % text}", *overrides).output_shape[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2", 3),
        ("7 - 2 - 1", 4),
        ("3 * 4", 12),
        ("7 // 2", 3),
        ("-7 // 2", -4),
        ("7 % 4", 3),
        ("2 ** 10", 1024),
        ("2 ** -1", 0.5),
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("-3", -3),
        ("+3", 3),
        ("--3", 3),
        ("0x10", 16),
        ("1_000", 1000),
        ("1e3 * 2", 2000.0),
        ("1 < 2", True),
        ("1 > 2", False),
        ("2 <= 2", True),
        ("2 >= 3", False),
        ("2 == 2.0", True),
        ("2 != 2", False),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("3 if 1 < 2 else 4", 3),
        ("3 if 1 > 2 else 4", 4),
        ("3 if 1 < 2 and 2 < 1 else 4", 4),
        ("3 if 1 < 2 or 2 < 1 else 4", 3),
        ("3 if not 1 < 2 else 4", 4),
        ("min(3, 1, 2)", 1),
        ("max(3, 1, 2)", 3),
        ("min(4)", 4),
        ("[1, 2, 3][1]", 2),
        ("[1, 2, 3][-1]", 3),
        ("[[1, 2], [3]][0][1]", 2),
        (" 4 ", 4),
        ("True + True", 2),
    ],
)
def test_each_operator(text: str, expected: Result) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "open('x')",
        "a.b",
        "a.__class__",
        "lambda: 1",
        "[x for x in a]",
        "{1: 2}",
        "{1}",
        "(1, 2)",
        "f'{a}'",
        "f(1)",
        "min",
        "min()",
        "min(*a)",
        "min(a, key=1)",
        "min([3, 1])",
        "max('ab', 'c')",
        "min(1)(2)",
        "(y := 3)",
        "1 / 2",
        "1 @ 2",
        "1 << 200",
        "1 & 3",
        "1 | 3",
        "1 ^ 3",
        "~1",
        "1 in a",
        "1 is 1",
        "a[0:1]",
        "a['x']",
        "a[True]",
        "a[1.0]",
        "a[9]",
        "a[-9]",
        "3[0]",
        "1j",
        "...",
        "None + 1",
        "b'x'",
        "'a' + 'b'",
        "'a' * 3",
        "[1] * 3",
        "-'a'",
        "1 < 'a'",
        "1 // 0",
        "1 % 0",
        "0 ** -1",
        "(-8) ** 0.5",
        "9 ** 9 ** 9",
        "2 ** 64",
        "2 ** 65",
        "1e308 * 10",
        "99999999999999999999",
        "await a",
        "yield a",
        "a = 1",
        "import os",
        "1; 2",
        "1 +",
        "(1",
        "",
        "  ",
        "a b",
        "# c",
        "'abc",
        "0777",
        "1\n+ 2",
        "1\x002",
        "(" * 300 + "1" + ")" * 199,
        "-" * 499 + "1",
        "[" * 90 + "]" * 90 + "+1",
        "1" + "+1" * 400,
        "not " * 120 + "1" + "+" * 20,
        "1 if " * 99 + "1",
    ],
)
def test_what_has_no_value(text: str) -> None:
    with at_most(100_000), pytest.raises(ExpressionError) as caught:
        value(text, a=[1, 2, 3])
    assert 0 <= caught.value.start <= len(text)
    assert caught.value.width >= 0


def test_a_word_is_compared_with_the_text_of_a_name() -> None:
    assert channels("\"4 if kind == 'deep' else 2\"", "{kind: deep}") == 4
    assert channels("\"4 if kind == 'deep' else 2\"", "{kind: deep}", "kind=flat") == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", 1e-3),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+3", 3),
        ("-3", -3),
        ("1_000", 1000),
        ("010", 10),
        ("1e999", None),
        ("9" * 25, None),
        ("1:30", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("1_", None),
        ("", None),
    ],
)
def test_numbers(text: str, expected: float | None) -> None:
    assert number(text) == expected


def test_no_number_is_infinite() -> None:
    assert number("1e308") != inf
    assert fault("train: {optimizer: {sgd: {lr: 1e999}}}\nlayers: [relu]").code == "expression"


class TestVars:
    def test_a_variable(self) -> None:
        assert channels("width*2", "{width: 32}") == 64

    def test_variables_refer_to_each_other_in_any_order(self) -> None:
        assert channels("c", "{c: a * b, a: 3, b: a + 1}") == 12

    def test_a_list_and_its_entries(self) -> None:
        assert channels("'depths[1]'", "{depths: [1, width], width: 5}") == 5

    def test_truth_values(self) -> None:
        assert channels("4 if deep else 2", "{deep: no}") == 2

    def test_a_flag_from_a_variable(self) -> None:
        for written in ("b", "$b", "'width > 3'", "not b"):
            found = layer(
                f"vars: {{b: true, width: 4}}\nlayers: [conv: {{channels: 1, kernel: 1, bias: {written}}}]"
            )
            assert ("bias" in found.parameters) is (written != "not b")

    def test_a_list_for_the_axes(self) -> None:
        assert layer("vars: {k: [3, 5]}\nlayers: [conv: {channels: 1, kernel: k}]").output_shape == (1, 6, 4)
        text = "vars: {k: 3}\nlayers: [conv: {channels: 1, kernel: [k, k + 2]}]"
        assert layer(text).output_shape == (1, 6, 4)

    def test_the_input_is_made_of_numbers_too(self) -> None:
        assert graph("vars: {n: 4}\ninput: [3, n, n*2]\nlayers: [relu]").input == (3, 4, 8)

    def test_settings_and_budgets_are_made_of_numbers_too(self) -> None:
        found = opened("vars: {n: 4}\ntrain: {epochs: n * 2}\nbudget: {params: n * 1000}\nlayers: [relu]")
        assert (found.train.epochs, found.budget.params) == (8, 4000)

    def test_an_unknown_name(self) -> None:
        found = fault(f"vars: {{width: 3}}\n{CONV % '2 * widht'}")
        assert (found.code, pointed(found), found.hint) == ("unknown-name", "widht", "did you mean 'width'?")

    def test_an_unknown_name_in_a_variable_is_pointed_at_there(self) -> None:
        found = fault(f"vars: {{width: 3, twice: 2 * widht}}\n{CONV % 'twice'}")
        assert found.location is not None
        assert (found.location.line, pointed(found)) == (2, "widht")

    def test_without_variables(self) -> None:
        assert fault(CONV % "width").hint == "declare it under 'vars'"

    def test_names_beyond_ascii(self) -> None:
        assert channels("größe * 2", "{größe: 3}") == 6
        found = fault(f"vars: {{größe: 3}}\n{CONV % 'größe + ab'}")
        assert pointed(found) == "ab"

    @pytest.mark.parametrize(
        "variables", ["{a: a}", "{a: b, b: a}", "{a: $b, b: $a}", "{a: '[b][0]', b: '$a'}"]
    )
    def test_a_circle(self, variables: str) -> None:
        assert fault(f"vars: {variables}\n{CONV % 'a'}").code == "circular"

    @pytest.mark.parametrize(
        ("variables", "use", "value", "used"),
        [
            ("{w: word}", "w", "word", "w"),
            ("{w: word, v: w * 2}", "v", "word", "w * 2"),
            ("{w: [1]}", "'2*${w}'", "[", "${w}"),
        ],
    )
    def test_a_wrong_value_points_at_its_first_use(
        self, variables: str, use: str, value: str, used: str
    ) -> None:
        found = fault(f"vars: {variables}\n{CONV % use}")
        (related,) = found.related
        assert (pointed(found), under(related.location), related.message) == (value, used, "used here")

    def test_a_long_chain(self) -> None:
        chain = ", ".join(f"a{i}: a{i + 1}" for i in range(1000))
        assert fault(f"vars: {{{chain}, a1000: 1}}\n{CONV % 'a0'}").code == "limit"
        chain = ", ".join(f"a{i}: $a{i + 1}" for i in range(1000))
        assert fault(f"name: $a0\nvars: {{{chain}, a1000: 1}}\n{CONV % 1}").code == "limit"

    @pytest.mark.parametrize(
        ("each", "end"),
        [("$a{0}$a{0}", "xxxxxxxxxxx"), ("[a{0}, a{0}, a{0}]", "1"), ("'[a{0}, a{0}, a{0}]'", "1")],
    )
    def test_what_doubles_again_and_again(self, each: str, end: str) -> None:
        lines = "".join(f"  a{i}: {each.format(i + 1)}\n" for i in range(30))
        text = f"vars:\n{lines}  a30: {end}\nname: $a0\nlayers: [conv: {{channels: a0, kernel: 1}}]"
        with at_most(200_000):
            found = faults(text)
        assert found
        assert all(each.code in {"limit", "text", "expression"} for each in found)

    def test_a_mapping_has_no_value(self) -> None:
        assert fault(f"vars: {{a: {{b: 1}}}}\n{CONV % 'a'}").message == "a mapping cannot be used here"

    def test_an_expression_that_is_not_a_whole_number(self) -> None:
        found = fault(f"vars: {{a: 3}}\n{CONV % 'a * 0.5'}")
        assert (found.received, found.hint) == ("'a * 0.5' (which is 1.5)", "'//' divides and rounds down")

    @pytest.mark.parametrize("written", ["{}", "[]", "", "[1, 2]", "yes", "''", "0", "-3", "1.5", "1e13"])
    def test_what_is_not_a_number_of_channels(self, written: str) -> None:
        found = fault(f"layers:\n  - conv:\n      channels: {written}\n      kernel: 1\n")
        assert found.code in {"value", "expression"}
        assert found.location is not None
        assert found.location.line == 4


class TestText:
    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("$a", "x"),
            ("${a}b", "xb"),
            ("$a-$b", "x-3"),
            ("$$a", "$a"),
            ("a$", "a$"),
            ("$c", "x3"),
            ("no", "no"),
        ],
    )
    def test_interpolation(self, written: str, expected: str) -> None:
        assert graph(f"name: {written}\nvars: {{a: x, b: 3, c: $a$b}}\nlayers: [relu]").name == expected

    def test_every_text_field(self) -> None:
        text = """
        vars: {word: a, act: relu, pad: same, mode: reflect, norm: batch, opt: adamw, align: crop}
        train: {data: "folder:$word", optimizer: $opt}
        layers:
          - conv: {channels: 2, kernel: 3, padding: $pad, padding_mode: $mode, activation: $act, norm: $norm}
            name: $word
          - {tanh: , from: $word}
          - concat: {branches: [$word, identity], align: $align}
        heads:
          $word$word: {from: $word}
        """
        found = opened(text)
        assert [node.name for node in found.graph.nodes] == [
            "a",
            "a_norm",
            "a_activation",
            "tanh1",
            "concat1",
        ]
        assert (found.train.data.source, found.train.optimizer) == ("folder:a", AdamW())
        assert list(found.graph.outputs) == ["aa"]

    def test_an_unknown_name(self) -> None:
        found = fault("vars: {act: relu}\nlayers: [conv: {channels: 1, kernel: 1, activation: $atc}]")
        assert (found.code, pointed(found), found.hint) == ("unknown-name", "$atc", "did you mean 'act'?")

    def test_a_list_in_a_text(self) -> None:
        assert fault("vars: {a: [1]}\nname: $a\nlayers: [relu]").code == "text"

    @pytest.mark.parametrize("word", ["no", "yes", "on", "null", "1e-3", "010"])
    def test_a_word_stays_a_word(self, word: str) -> None:
        paper = opened(f"paper: {{authors: A, year: 2000, title: '{word}'}}\nlayers: [relu]").paper
        assert paper is not None
        assert paper.title == word
        assert graph(f"name: '{word}'\nlayers: [relu]").name == word


class TestDefaults:
    def test_they_apply_where_a_node_does_not_say_otherwise(self) -> None:
        text = "defaults: {conv: {kernel: 3, bias: false}}\nlayers: [conv: 4, conv: {channels: 4, kernel: 1}]"
        found = nodes(text)
        assert found["conv1"].parameters == {"weight": (4, 3, 3, 3)}
        assert found["conv2"].parameters == {"weight": (4, 4, 1, 1)}

    def test_they_apply_to_sugar_and_hold_sugar(self) -> None:
        text = """
        defaults: {conv: {kernel: 1, norm: batch, activation: relu}, batchnorm: {eps: 1e-3}, relu: {}}
        layers: [conv: 4]
        """
        assert kinds(text) == ["conv", "batchnorm", "relu"]
        assert "eps=0.001" in repr(nodes(text)["conv1_norm"].layer)

    def test_a_bare_value(self) -> None:
        assert layer("defaults: {maxpool: 4}\nlayers: [maxpool]").output_shape == (3, 2, 2)

    def test_they_may_speak_of_variables(self) -> None:
        text = "vars: {k: 3}\ndefaults: {conv: {kernel: k}}\nlayers: [conv: 4]"
        assert layer(text).output_shape == (4, 6, 6)

    def test_a_misspelled_kind(self) -> None:
        found = fault("defaults: {cnov: {kernel: 1}}\nlayers: [relu]")
        assert (pointed(found), found.hint) == ("cnov", "did you mean 'conv'?")

    def test_a_misspelled_argument_is_found_though_it_is_never_used(self) -> None:
        found = fault("defaults: {conv: {kernl: 1, activation: relu}}\nlayers: [relu]")
        assert (pointed(found), found.hint) == ("kernl", "did you mean 'kernel'?")

    def test_a_wrong_value_is_pointed_at_once(self) -> None:
        found = fault("defaults: {conv: {kernel: 0}}\nlayers: [conv: 1, conv: 2]")
        assert pointed(found) == "0"
