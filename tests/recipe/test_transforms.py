"""Transforms in a recipe: read, shown, recorded, and refused where they have no effect."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import cnncli
from cnncli.diagnostics import SpecError
from cnncli.graph import open_spec, open_text, read_recipe
from cnncli.limits import MAX_TRANSFORMS
from cnncli.recipe.recipe import Recipe, recipe_from_json, with_overrides
from cnncli.recipe.transforms import TRANSFORMS, Crop, Flip, Mixup, Transform
from tests.language.support import fault, faults, pointed

LAYERS = "layers: [globalavgpool, linear: 10]\n"
SPEC = f"input: [1, 8, 8]\n{LAYERS}"
VECTOR = "input: [64]\nlayers: [linear: 10]\n"
THIN = f"input: [3, 1, 8]\n{LAYERS}"
SIGNAL = "input: [2, 64]\nlayers: [flatten, linear: 10]\n"


def read(text: str) -> tuple[Transform, ...]:
    return open_text(f"{SPEC}train: {{transforms: {text}}}\n").train.transforms


def test_nothing_happens_that_is_not_written() -> None:
    assert Recipe().transforms == open_text(SPEC).train.transforms == read("[]") == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[flip]", (Flip(),)),
        ("[flip: ]", (Flip(),)),
        ("[flip: vertical]", (Flip(direction="vertical"),)),
        ("[{flip: {p: 0.25}}, crop: 2]", (Flip(p=0.25), Crop(padding=2))),
        ("[crop, flip, crop: {padding: 1, fill: 0.5}]", (Crop(), Flip(), Crop(padding=1, fill=0.5))),
    ],
)
def test_a_list_in_its_order(text: str, expected: tuple[Transform, ...]) -> None:
    assert read(text) == expected
    recipe = Recipe(transforms=expected)
    assert recipe_from_json(json.loads(json.dumps(recipe.plain()))) == recipe


@pytest.mark.parametrize("kind", TRANSFORMS.values())
def test_a_name_is_enough_and_all_is_documented(kind: type[Transform]) -> None:
    assert TRANSFORMS[kind.keyword] is kind
    assert kind.__doc__
    assert not kind.required
    assert all(each.help for each in kind.arguments.values())
    name, _, given = str(kind()).partition(" ")
    assert name == kind.keyword
    assert given.count(", ") == len(kind.arguments) - 1


def test_what_is_shown() -> None:
    assert str(Crop(padding=2, fill=0.5)) == "crop (padding 2, fill 0.5)"
    assert str(Flip()) == "flip (direction horizontal, p 0.5)"


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("[flop]", "flop", "unknown transform 'flop'", "did you mean 'flip'?"),
        ("[{flop: {p: 0.5}}]", "flop", "unknown transform 'flop'", "did you mean 'flip'?"),
        ("flip", "flip", "'transforms' cannot be 'flip'", ""),
        ("{flip: }", "{", "'transforms' cannot be a mapping with flip", ""),
        ("", "", "'transforms' cannot be nothing", ""),
        ("[{crop: 4, flip: }]", "{", "'transforms' cannot be a mapping with crop and flip", ""),
        ("[crop: {pad: 3}]", "pad", "'crop' has no setting 'pad'", "did you mean 'padding'?"),
        ("[crop: -1]", "-1", "'padding' cannot be '-1'", ""),
        ("[crop: {fill: 1.5}]", "1.5", "'fill' cannot be '1.5'", ""),
        ("[flip: up]", "up", "'direction' cannot be 'up'", ""),
        ("[flip: {p: 0}]", "0", "'p' cannot be '0'", ""),
    ],
)
def test_wrong_transforms(text: str, place: str, message: str, hint: str) -> None:
    found = fault(f"{SPEC}train: {{transforms: {text}}}\n")
    assert found.message == message
    assert pointed(found).startswith(place)
    if hint:
        assert found.hint == hint


def test_all_errors_of_a_list_are_found_at_once() -> None:
    found = faults(f"{SPEC}train: {{transforms: [{{crop: -1}}, flop, {{flip: {{p: 2}}}}]}}\n")
    assert [each.message for each in found] == [
        "'padding' cannot be '-1'",
        "unknown transform 'flop'",
        "'p' cannot be '2'",
    ]


def test_a_list_may_not_be_endless() -> None:
    assert len(read(f"[{', '.join(['flip'] * MAX_TRANSFORMS)}]")) == MAX_TRANSFORMS
    found = fault(f"{SPEC}train: {{transforms: [{', '.join(['flip'] * (MAX_TRANSFORMS + 1))}]}}\n")
    assert found.message == f"'transforms' cannot be a list of {MAX_TRANSFORMS + 1}"


@pytest.mark.parametrize(
    ("spec", "transform", "expected", "received"),
    [
        (VECTOR, "flip", "an input of channels, height and width", "64"),
        (SIGNAL, "{flip: vertical}", "an input of channels, height and width", "2x64"),
        (SIGNAL, "crop", "an input of channels, height and width", "2x64"),
        (SIGNAL, "{rotate: 10}", "an input of channels, height and width", "2x64"),
        (SPEC, "hue", "an input of 3 channels: red, green and blue", "1x8x8"),
        (THIN, "{flip: vertical}", "an input of more than 1 pixel in height", "3x1x8"),
        (SPEC, "{crop: {padding: 8}}", "an input of more than 8 pixels in height and width", "1x8x8"),
    ],
)
def test_what_has_no_effect_is_an_error_with_its_place(
    spec: str, transform: str, expected: str, received: str
) -> None:
    name = transform.strip("{").partition(":")[0]
    found = fault(f"{spec}train: {{transforms: [{transform}]}}\n")
    assert found.message == f"'{name}' cannot be applied to this input"
    assert (found.expected, found.received, pointed(found)) == (expected, received, name)


def test_what_mixes_samples_comes_last() -> None:
    wrong = "[flip, mixup, crop: 1, cutmix: 0.5, noise]"
    found = faults(f"{SPEC}train: {{transforms: {wrong}}}\n")
    assert [(each.message, each.expected, pointed(each)) for each in found] == [
        ("'crop' cannot come after 'mixup', which mixes samples", "'mixup' at the end of the list", "crop"),
        (
            "'noise' cannot come after 'cutmix', which mixes samples",
            "'cutmix' at the end of the list",
            "noise",
        ),
    ]
    opened = open_text(f"{SPEC}train: {{transforms: [flip, mixup, cutmix]}}\n")
    assert [str(each) for each in opened.train.transforms[1:]] == [
        "mixup (alpha 0.2, p 1)",
        "cutmix (alpha 1, p 1)",
    ]
    assert open_text(f"{VECTOR}train: {{transforms: [mixup: 1]}}\n").train.transforms == (Mixup(alpha=1.0),)
    assert fault(f"{VECTOR}train: {{transforms: [cutmix]}}\n").expected.startswith("an input of channels")


def test_what_has_an_effect_is_accepted() -> None:
    opened = open_text(f"{THIN}train: {{transforms: [flip, hue, noise]}}\n")
    assert [each.keyword for each in opened.train.transforms] == ["flip", "hue", "noise"]
    assert len(open_text(f"{VECTOR}train: {{transforms: [noise, brightness]}}\n").train.transforms) == 2


def test_what_depends_on_an_unknown_size_is_not_refused() -> None:
    text = f"{SPEC}train: {{transforms: [crop: 7]}}\n"
    assert open_text(text, size=lambda own: own).train.transforms == (Crop(padding=7),)
    assert cnncli.loads(text).symbolic().settings.transforms == (Crop(padding=7),)


def test_a_list_replaces_another(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(f"{SPEC}train: {{transforms: [flip, crop]}}\n")
    (tmp_path / "chosen.yaml").write_text("transforms: [crop: 1]\n")
    own = open_spec(base)
    assert read_recipe(own, tmp_path / "chosen.yaml").recipe.transforms == (Crop(padding=1),)
    assert with_overrides(own.train, ["train.transforms=[]"]).transforms == ()
    option = "train.transforms=[{flip: vertical}]"
    assert open_spec(base, overrides=[option]).train.transforms == (Flip(direction="vertical"),)


def test_places_in_other_files_and_options(tmp_path: Path) -> None:
    base = tmp_path / "base.yaml"
    base.write_text(VECTOR)
    (tmp_path / "chosen.yaml").write_text("epochs: 3\ntransforms: [flip]\n")
    with pytest.raises(SpecError, match="'flip' cannot be applied to this input") as in_a_file:
        read_recipe(open_spec(base), tmp_path / "chosen.yaml")
    with pytest.raises(SpecError, match="'crop' cannot be applied to this input") as in_an_option:
        open_spec(base, overrides=["train.transforms=[{crop: 2}]"])
    places = [each.value.diagnostics[0].location for each in (in_a_file, in_an_option)]
    assert [(Path(at.source.name).name, at.line, at.column) for at in places if at] == [
        ("chosen.yaml", 2, 14),
        ("--set", 1, 20),
    ]
