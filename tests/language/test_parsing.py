"""YAML: what is kept, what is refused, and where messages point."""

from __future__ import annotations

import tracemalloc

import pytest

from cnncli.diagnostics import Diagnostic, Faults, Source, SpecError
from cnncli.graph import open_text
from cnncli.language.parsing import parse
from cnncli.language.tree import Items, Scalar, Value
from tests.language.support import fault, faults, graph, nodes, pointed, spec
from tests.steps import at_most


def plain(value: Value) -> object:
    if isinstance(value, Scalar):
        return None if value.is_null else value.text
    return (
        [plain(each) for each in value]
        if isinstance(value, Items)
        else {k: plain(v) for k, v in value.items()}
    )


def read(text: str) -> object:
    found = Faults()
    value = parse(Source("a.yaml", text), found)
    assert not len(found)
    return plain(value)


def refused(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse(Source("a.yaml", text), Faults())
    (found,) = caught.value.diagnostics
    assert found.location is not None
    return f"{found.code} {found.location.line}:{found.location.column}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: no", {"a": "no"}),
        ("a: 1e-3", {"a": "1e-3"}),
        ("a: 010", {"a": "010"}),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: [x, {b: c}]", {"a": ["x", {"b": "c"}]}),
        ("a: ~\nb: null\nc:\nd: ''", {"a": None, "b": None, "c": None, "d": ""}),
        ("a: 'null'", {"a": "null"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("a: >\n  x\n  y\n", {"a": "x y\n"}),
        ("a: x\n  y", {"a": "x y"}),
        ('a: "\\u00e9"', {"a": "é"}),
        ("# c\na: b # d\n", {"a": "b"}),
        ("---\na: b\n", {"a": "b"}),
        ("%YAML 1.2\n---\na: b\n...\n", {"a": "b"}),
        ("a: &x [1]\nb: *x", {"a": ["1"], "b": ["1"]}),
        ("a: &x 3\nb: *x", {"a": "3", "b": "3"}),
        ("a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}", {"a": {"p": "1", "q": "2"}, "b": {"q": "3", "p": "1"}}),
        ("b: {<<: [{p: 1}, {p: 2, q: 2}]}", {"b": {"p": "1", "q": "2"}}),
        ("b: {'<<': 1}", {"b": {"<<": "1"}}),
        ("größe: 3", {"größe": "3"}),
        ("? a\n: b", {"a": "b"}),
    ],
)
def test_what_is_read(text: str, expected: object) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "empty 1:1"),
        ("# only\n# comments\n", "empty 1:1"),
        ("a: b\n---\nc: d\n", "documents 2:1"),
        ("a: !!python/object/apply:os.system ['true']", "tag 1:4"),
        ("a: !x b", "tag 1:4"),
        ("%TAG ! tag:x,2000:\n---\na: b", "yaml 1:1"),
        ("a: *x", "alias 1:4"),
        ("a: &x [*x]", "alias 1:8"),
        ("a: &x {b: *x}", "alias 1:11"),
        ("a:\n\t- b", "yaml 2:1"),
        ("a: [b", "yaml 1:6"),
        ("a: {b: c\nd: e", "yaml 2:2"),
        ("a: b: c", "yaml 1:5"),
        ("a: 'b", "yaml 1:6"),
        ("a: @b", "yaml 1:4"),
        ("a: \x00", "yaml 1:4"),
        ("a: b\nc: \ud800", "yaml 2:4"),
        ("a: \x1b[31m", "yaml 1:4"),
        ("]", "yaml 1:1"),
        ("[" * 65 + "]" * 65, "limit 1:65"),
        ("- " * 65, "limit 1:129"),
    ],
)
def test_what_is_refused(text: str, place: str) -> None:
    assert refused(text) == place


def doubling(depth: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, depth)]
    return "\n".join(lines)


BIG_MAP = ", ".join(f"k{i}: 1" for i in range(5000))


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        doubling(9),
        f"a: &a {{{BIG_MAP}}}\nb: [{', '.join(['{<<: *a}'] * 5000)}]",
        "- a\n" * 600_000,
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "? " * 100_000,
        "".join(f"%TAG !a{i}! b\n" for i in range(100_000)) + "---\na: b",
        "%TAG !a! b\r" * 100_000,
        "&a " * 100_000,
        "a: " + "*x " * 100_000,
        "x" * (2 * 1024 * 1024 + 1),
        "a" * 2_000_000,
        "'" + "a\n" * 500_000,
        "a: |\n" + " x\n" * 700_000,
        "{" + ",".join(f"k{i}" for i in range(300_000)) + "}",
        "a: 1\n" * 100_000,
    ],
    ids=range(17),
)
def test_what_would_take_hours_is_refused_immediately(text: str) -> None:
    tracemalloc.start()
    try:
        found = faults("input: [1]\n" + text)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found
    assert peak < 400 * 2**20
    with at_most(5_000_000):
        faults("input: [1]\n" + text)


def test_anchors_and_aliases_work() -> None:
    text = """
    layers:
      - conv: &c {channels: 4, kernel: 3}
      - conv: *c
      - conv: {<<: *c, kernel: 1}
    """
    assert [node.output_shape for node in nodes(text).values()] == [(4, 6, 6), (4, 4, 4), (4, 4, 4)]


def test_a_fault_behind_an_alias_is_reported_at_its_place() -> None:
    found = fault("layers:\n  - conv: &c {chanels: 4, kernel: 3}\n  - conv: *c\n")
    assert (pointed(found), found.hint) == ("chanels", "did you mean 'channels'?")


def test_repeated_keys_come_with_all_other_faults_in_the_order_of_the_file() -> None:
    found = faults(
        "name: a\nname: b\nlayers:\n  - conv: {kernel: 3, kernel: 4, chanels: 3}\n  - reul\nlayer: []\n"
    )
    assert [(each.code, pointed(each)) for each in found] == [
        ("duplicate-key", "name"),
        ("duplicate-key", "kernel"),
        ("unknown-argument", "chanels"),
        ("unknown-kind", "reul"),
        ("unknown-section", "layer"),
    ]
    assert found[0].related[0].message == "first given here"


@pytest.mark.parametrize("text", ["hello", "3", "[1, 2]", "- a\n- b", "''", "~"])
def test_what_is_not_a_spec(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_text(text)
    assert caught.value.diagnostics[0].message == "this is not a spec"


@pytest.mark.parametrize("key", ["[a]: b", "{a: b}: c", "? [a]\n: b"])
def test_a_key_that_is_not_a_word(key: str) -> None:
    assert fault(f"layers: [relu]\n{key}\n").message == "a key must be a word"


@pytest.mark.parametrize("merge", ["3", "[3]", "[[]]"])
def test_a_merge_of_no_mapping(merge: str) -> None:
    assert fault(f"layers: [conv: {{<<: {merge}, channels: 1, kernel: 1}}]").code == "merge"


SECTIONS = ["name", "extends", "input", "vars", "defaults", "blocks", "layers", "heads", "train", "budget"]


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize(
    "value", ["3", "[]", "{}", "", "[[]]", "[{}]", "{a: }", "{a: []}", "{[a]: b}", "'x'"]
)
def test_any_section_may_hold_anything(section: str, value: str) -> None:
    text = "".join(
        f"{key}: {valid}\n" for key, valid in (("input", "[3, 8, 8]"), ("layers", "[relu]")) if key != section
    )
    found: tuple[Diagnostic, ...] = ()
    try:
        graph(f"{text}{section}: {value}\n")
    except SpecError as error:
        found = error.diagnostics
    assert all(each.location is not None for each in found)


@pytest.mark.parametrize(
    "size",
    [
        "0",
        "[]",
        "[0]",
        "[3, -1]",
        "[1, 2, 3, 4, 5]",
        "{a: b}",
        "3",
        "[x]",
        "[1.5]",
        "[1e13]",
        "''",
        "[[3]]",
        "~",
    ],
)
def test_what_is_not_an_input_size(size: str) -> None:
    found = fault(f"layers: [conv: {{channels: 1, kernel: 1}}]\ninput: {size}\n")
    assert found.location is not None
    assert found.location.line == 2


def test_a_missing_input() -> None:
    with pytest.raises(SpecError, match="the spec has no input"):
        open_text("layers: [relu]")


@pytest.mark.slow
def test_a_very_long_line() -> None:
    text = spec(f"layers: [{'relu, ' * 20_000}reul]")
    found = fault(text)
    assert (pointed(found), found.hint) == ("reul", "did you mean 'relu'?")


@pytest.mark.slow
def test_many_faults_end_the_reading() -> None:
    with at_most(5_000_000):
        found = faults("layers:\n" + "".join(f"  - cnov{i}: {{channels: 3}}\n" for i in range(20_000)))
    assert 100 <= len(found) <= 101
    assert found[-1].message == "too many errors: reading stopped before the end of the file"


@pytest.mark.slow
@pytest.mark.parametrize(
    "inside",
    ["layers: [conv: {%s}]", "train: {%s}", "%s", "layers: [{relu: , %s}]", "defaults: {conv: {%s}}"],
)
def test_many_unknown_keys(inside: str) -> None:
    keys = ", ".join(f"chanels{i}: 1" for i in range(20_000))
    text = inside % keys if inside != "%s" else keys.replace(", ", "\n")
    with at_most(20_000_000):
        found = faults(text if "layers" in text else f"{text}\nlayers: [relu]")
    assert 1 <= len(found) <= 202
