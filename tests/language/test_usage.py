"""Variables that nothing reads, and aliases that make layers of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnncli
from cnncli.diagnostics import CnncliError, Diagnostic, UsageError
from cnncli.graph import open_spec, open_text
from cnncli.language import shipped
from cnncli.language.writer import to_yaml
from tests.language.support import graph, opened, under

BASE = """
input: [3, 8, 8]
vars: {classes: 10, width: 4}
layers: [conv: {channels: width, kernel: 3}, flatten, linear: classes]
"""


def unused(text: str, *overrides: str) -> list[str]:
    """The variables that nothing uses; all of them are warnings about the name."""
    found = [note for note in graph(text, *overrides).notes if note.code != "unused-block"]
    assert all((note.code, note.level) == ("unused-variable", "warning") for note in found)
    assert all(note.location is not None and under(note.location) in note.message for note in found)
    return [note.message.split("'")[1] for note in found]


@pytest.mark.parametrize(
    ("variables", "layers", "expected"),
    [
        ("a: 1", "[relu]", ["a"]),
        ("a: 1, b: 2", "[linear: b]", ["a"]),
        ("a: 1, b: a", "[linear: b]", []),
        ("a: 1, b: a, c: b", "[relu]", ["a", "b", "c"]),
        ("a: b, b: a", "[relu]", ["a", "b"]),
        ("a: 1", "[linear: a*2]", []),
        ("a: [1, 2]", '[linear: "a[0]"]', []),
        ("a: relu", "[{tanh: , name: $a}]", []),
        ("a: 1, b: 0", '[linear: "5 if b else a"]', []),
        ("a: 1, b: 0", "[{linear: a, repeat: b}]", []),
        ("relu: 1", "[tanh]", ["relu"]),
    ],
)
def test_in_one_file(variables: str, layers: str, expected: list[str]) -> None:
    text = f"input: [3]\nvars: {{{variables}}}\nlayers: {layers}"
    if "repeat" in layers:
        text += "\nheads: {h: [tanh]}"
    assert unused(text) == expected


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("train: {epochs: a}", []),
        ("budget: {params: a}", []),
        ("defaults: {linear: {features: a}}", []),
        ("heads: {$a: [tanh]}", []),
        ("name: net$a", []),
        ("name: net a", ["a"]),
        ("paper: {authors: A, year: 2000, title: about a}", ["a"]),
        ("blocks: {b: {args: {n: a}, layers: [linear: n]}}", []),
        ("blocks: {b: {layers: [linear: a]}}", []),
        ("blocks: {b: {args: {a: 1}, layers: [linear: a]}}", ["a"]),
    ],
)
def test_every_section_may_read_one(section: str, expected: list[str]) -> None:
    assert unused(f"input: [3]\nvars: {{a: 5}}\nlayers: [relu]\n{section}") == expected


def test_a_faulty_spec_has_no_such_warning() -> None:
    with pytest.raises(CnncliError) as caught:
        opened("vars: {a: 1}\nlayers: [relo]")
    assert [each.level for each in caught.value.diagnostics] == ["error"]


def test_a_long_name_is_cut() -> None:
    name = "a" * 900
    (found,) = graph(f"input: [3]\nvars: {{{name}: 1}}\nlayers: [relu]").notes
    assert len(found.message) < 200
    (found,) = graph(f"layers: [&{name} {{conv: {{channels: 3, kernel: 1}}}}, *{name}]").notes
    assert len(found.message) < 250


def test_a_symbolic_variable() -> None:
    text = "input: [3]\nvars: {a: 1, b: 2}\nlayers: [linear: b]"
    for unknown in ("a", "b"):
        (found,) = open_text(text, unknown=[unknown]).graph.notes
        assert found.message == "nothing uses the variable 'a'"


def test_an_override_of_one_that_nothing_uses(tmp_path: Path) -> None:
    assert unused("vars: {a: 1}\nlayers: [relu]", "a=2") == ["a"]
    own = files(tmp_path, base="input: [3]\nvars: {a: 1}\nlayers: [relu]", own="extends: base.yaml")
    assert open_spec(own).graph.notes == ()
    (found,) = open_spec(own, overrides=["a=2"]).graph.notes
    assert str(found.location) == "--set:1:1"


def test_an_override_of_one_that_does_not_exist() -> None:
    for how in ({"overrides": "n_classes=5"}, {"overrides": {"n_classes": 5}}, {"n_classes": 5}):
        with pytest.raises(UsageError) as caught:
            cnncli.loads(BASE, **how)
        assert caught.value.diagnostics[0].hint == "did you mean 'classes'?"


def files(folder: Path, **texts: str) -> Path:
    """Write files, and return the path of the last one."""
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / f"{name}.yaml"


def misspelled(path: Path) -> Diagnostic:
    with pytest.raises(CnncliError) as caught:
        open_spec(path)
    (found,) = caught.value.diagnostics
    assert found.code == "unused-variable"
    return found


def test_a_misspelled_variable_of_a_base(tmp_path: Path) -> None:
    found = misspelled(files(tmp_path, own="extends: resnet18\nvars: {n_classes: 5}"))
    assert found.message == "'n_classes' is not a variable of the base, and nothing uses it"
    assert found.hint == "did you mean 'classes'?"
    assert found.location is not None
    assert under(found.location) == "n_classes"


def test_a_base_without_variables(tmp_path: Path) -> None:
    base = "input: [3]\nlayers: [relu]"
    assert misspelled(files(tmp_path, base=base, own="extends: base.yaml\nvars: {a: 5}")).hint == ""


def test_in_the_middle_of_a_chain(tmp_path: Path) -> None:
    middle = "extends: base.yaml\nvars: {n_classes: 5}"
    own = files(tmp_path, base=BASE, middle=middle, own="extends: middle.yaml\nvars: {width: 2}")
    found = misspelled(own)
    assert found.location is not None
    assert found.location.source.name.endswith("middle.yaml")


@pytest.mark.parametrize(
    "own",
    [
        "vars: {classes: 5}",
        "vars: {n: 5, classes: n}",
        "vars: {n: 5}\nlayers: [conv: {channels: n, kernel: 3}]",
        "vars: {n: 5}\nheads: {h: [linear: n]}",
    ],
)
def test_what_a_file_may_say_about_variables(tmp_path: Path, own: str) -> None:
    """Nor is anything said about variables of the base whose layers this file replaces."""
    assert open_spec(files(tmp_path, base=BASE, own=f"extends: base.yaml\n{own}")).graph.notes == ()


def test_a_middle_file_may_have_a_variable_that_only_its_own_layers_read(tmp_path: Path) -> None:
    middle = "extends: base.yaml\nvars: {n: 5}\nlayers: [conv: {channels: n, kernel: 3}]"
    own = "extends: middle.yaml\nlayers: [relu]"
    assert open_spec(files(tmp_path, base=BASE, middle=middle, own=own)).graph.notes == ()


def test_a_value_for_a_variable_that_the_own_layers_no_longer_read(tmp_path: Path) -> None:
    own = "extends: base.yaml\nvars: {width: 9}\nlayers: [flatten, linear: classes]"
    (found,) = open_spec(files(tmp_path, base=BASE, own=own)).graph.notes
    assert found.message == "nothing uses the variable 'width'"


@pytest.mark.parametrize("name", shipped.specs())
def test_shipped_specs_have_neither_warnings_nor_notes(name: str) -> None:
    found = open_spec(name)
    assert found.graph.notes == ()
    # What a run writes: one file, with the variables of all.
    assert open_text(to_yaml(found.document)).graph.notes == ()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("layers: [&a {conv: {channels: 3, kernel: 1}}, *a]", 1),
        ("layers: [&a {conv: {channels: 3, kernel: 1}}, *a, *a]", 2),
        ("layers: [{add: [&a [conv: {channels: 3, kernel: 1}], *a]}]", 1),
        ("layers: [{add: {branches: [&a [conv: {channels: 3, kernel: 1}], *a]}}]", 1),
        ("blocks: {b: {layers: &a [conv: {channels: 3, kernel: 1}]}, c: {layers: *a}}\nlayers: [b, c]", 0),
        ("heads: {a: &a [conv: {channels: 3, kernel: 1}], b: *a}\nlayers: [relu]", 0),
        ("layers: [conv: &a {channels: 3, kernel: 1}, conv: *a]", 0),
        ("layers: [&a relu, *a]", 0),
        (
            "layers: [conv: {channels: 3, kernel: &k [1, 1]}, conv: {channels: 3, kernel: *k}]",
            0,
        ),
        ("vars: {a: &a [1, 2], b: [*a, *a]}\nlayers: [relu]\ntrain: {epochs: 'b[0][0] + a[0]'}", 0),
        ("blocks: {b: {layers: [&a {relu: , name: x}, *a]}}\nlayers: [relu]", 1),
    ],
)
def test_an_alias_of_a_layer_is_a_layer_of_its_own(text: str, count: int) -> None:
    found = [note for note in graph(text).notes if note.code != "unused-block"]
    assert [(note.code, note.level) for note in found] == [("alias", "note")] * count
    for note in found:
        assert note.location is not None
        assert under(note.location) == "*a"
