"""The settings of ``train:``: read, recorded, and changed by ``--set`` texts."""

from __future__ import annotations

import json

import pytest

from cnncli.diagnostics import CnncliError, SpecError, UsageError
from cnncli.graph import open_text
from cnncli.recipe.data import SOURCE_FORMS, parse_source
from cnncli.recipe.devices import DEVICE_FORMS
from cnncli.recipe.recipe import Recipe, recipe_from_json, settings_json, with_overrides

SPEC = "input: [1, 8, 8]\nlayers: [flatten, linear: 10]\n"


def test_the_forms_are_written_out_for_help() -> None:
    assert SOURCE_FORMS.startswith("digits, idx:DIR, folder:DIR")
    assert DEVICE_FORMS == "auto, cuda, cuda:N, mps or cpu"


@pytest.mark.parametrize(
    ("source", "message", "expected", "hint"),
    [
        ("digitz", "unknown data source 'digitz'", SOURCE_FORMS, "did you mean 'digits'?"),
        ("digits:x", "digits takes no path", "digits", ""),
        ("digits:", "digits takes no path", "digits", ""),
        ("idx", "idx needs a path", "idx:DIR", ""),
        ("npz:", "npz needs a path", "npz:FILE", ""),
    ],
)
def test_a_wrong_source_is_an_error_with_its_place(
    source: str, message: str, expected: str, hint: str
) -> None:
    with pytest.raises(SpecError) as caught:
        open_text(f"{SPEC}train: {{data: '{source}'}}\n")
    (fault,) = caught.value.diagnostics
    assert (fault.message, fault.expected, fault.received, fault.hint) == (message, expected, source, hint)
    assert fault.location is not None
    assert fault.location.line == 3
    with pytest.raises(UsageError, match=message):
        parse_source(source)


def test_a_path_may_contain_colons() -> None:
    assert parse_source("npz:C:/a:b.npz").path == "C:/a:b.npz"


@pytest.mark.parametrize("value", [5e-324, 1e-5, 0.1, 1e16, 1e36])
def test_settings_survive_json(value: float) -> None:
    chosen = Recipe(
        lr=value, data="npz:/a $b/${c}.npz", seed=10**12, losses={"aux": 0.5}, nesterov=True, resize="pad"
    )
    assert recipe_from_json(json.loads(json.dumps(settings_json(chosen)))) == chosen


def test_settings_that_were_not_recorded_have_their_defaults() -> None:
    assert recipe_from_json({"lr": 0.25}) == Recipe(lr=0.25)


def test_unknown_settings_are_errors() -> None:
    with pytest.raises(CnncliError, match="'train' has no setting 'lrr'"):
        recipe_from_json({"lrr": 1})


def test_settings_are_changed_by_texts() -> None:
    before = Recipe(epochs=3, data="npz:/a $b.npz", losses={"aux": 0.5})
    texts = ("train.epochs=4", " train . lr = 1e-3", "train.nesterov=yes", "train.losses.main=2")
    after = with_overrides(before, texts)
    changes = {"epochs": 4, "lr": 1e-3, "nesterov": True, "losses": {"aux": 0.5, "main": 2.0}}
    assert after == before.replaced(changes)
    assert with_overrides(before, ()) == before


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("nesterov: true, momentum: 0", 18, "'nesterov' needs momentum"),
        ("lr: 1e300", 12, "'lr' cannot be '1e300'"),
        ("lr: 0", 12, "'lr' cannot be '0'"),
        ("weight_decay: 1e37", 22, "'weight_decay' cannot be '1e37'"),
    ],
)
def test_settings_that_torch_cannot_use(text: str, place: int, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        open_text(f"{SPEC}train: {{{text}}}\n")
    (fault,) = caught.value.diagnostics
    assert fault.message.startswith(message)
    assert fault.location is not None
    assert (fault.location.line, fault.location.column) == (3, place + 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", (0.05, 5e-4, 0.9, False)),
        ("optimizer: sgd", (0.05, 5e-4, 0.9, False)),
        ("optimizer: adamw", (1e-3, 0.01, None, None)),
        ("optimizer: adamw, lr: 0.02", (0.02, 0.01, None, None)),
        ("optimizer: adamw, lr: null, momentum: null", (1e-3, 0.01, None, None)),
        ("momentum: null, lr: 1", (1.0, 5e-4, 0.9, False)),
    ],
)
def test_defaults_are_those_of_the_optimizer(text: str, expected: tuple[object, ...]) -> None:
    found = open_text(f"{SPEC}train: {{{text}}}\n").train
    assert (found.lr, found.weight_decay, found.momentum, found.nesterov) == expected
    assert recipe_from_json(json.loads(json.dumps(settings_json(found)))) == found


@pytest.mark.parametrize(
    ("text", "column"),
    [("optimizer: adamw, momentum: 0.9", 27), ("nesterov: true, optimizer: adamw", 9)],
)
def test_a_setting_that_the_optimizer_does_not_have(text: str, column: int) -> None:
    with pytest.raises(SpecError) as caught:
        open_text(f"{SPEC}train: {{{text}}}\n")
    (fault,) = caught.value.diagnostics
    assert fault.message.startswith("adamw has no setting '")
    assert fault.expected == "settings of adamw: lr and weight_decay"
    assert fault.location is not None
    assert (fault.location.line, fault.location.column) == (3, column)


def test_another_optimizer_takes_nothing_of_the_former_ones() -> None:
    found = Recipe(lr=0.3, momentum=0.5, epochs=3).replaced({"optimizer": "adamw"})
    assert found == Recipe(optimizer="adamw", epochs=3)


def test_an_unknown_optimizer_is_the_only_error() -> None:
    with pytest.raises(SpecError) as caught:
        open_text(f"{SPEC}train: {{optimizer: adam, momentum: 0.9}}\n")
    (fault,) = caught.value.diagnostics
    assert fault.message.startswith("'optimizer' cannot be 'adam'")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train.nesterov=1", "'nesterov' cannot be '1'"),
        ("train.epochs=0", "'epochs' cannot be '0'"),
        ("train.epoch=5", "'train' has no setting 'epoch'"),
        ("train.lr=fast", "unknown name 'fast'"),
        ("train.lr", "no value is given"),
        ("train.lr=", "no value is given"),
        ("epochs=5", "not a setting of 'train'"),
        ("budget.params=5", "not a setting of 'train'"),
        ("train=5", "not a setting of 'train'"),
        ("train.lr.x=5", "'train.lr' is not a mapping"),
    ],
)
def test_wrong_texts(text: str, message: str) -> None:
    with pytest.raises(CnncliError, match=message):
        with_overrides(Recipe(), (text,))


def test_a_wrong_value_is_marked_in_its_option() -> None:
    with pytest.raises(CnncliError) as caught:
        with_overrides(Recipe(), ("train.epochs=0",))
    location = caught.value.diagnostics[0].location
    assert location is not None
    assert (location.source.name, location.column) == ("--set", len("train.epochs=") + 1)
