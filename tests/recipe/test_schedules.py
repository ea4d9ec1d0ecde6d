"""The settings of schedules as they are written: forms, contradictions with their places, and words."""

from __future__ import annotations

import json

import pytest

from cnncli.diagnostics import CnncliError
from cnncli.recipe.recipe import recipe_from_json, with_overrides
from cnncli.recipe.schedules import SCHEDULES, Cosine, Multistep, OneCycle, Plateau, Schedule, Step
from tests.language.support import fault, opened, pointed

SPEC = "input: [1, 8, 8]\nlayers: [flatten, linear: 10]\n"
HEADS = "input: [1, 8, 8]\nlayers: [flatten]\nheads: {a: [linear: 10], b: [linear: 10]}\n"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{step: 3}", Step(every=3.0)),
        ("{multistep: [3, 4.5]}", Multistep(milestones=(3.0, 4.5))),
        ("{multistep: {milestones: [2*1.5], factor: 0.2}}", Multistep(milestones=(3.0,), factor=0.2)),
        ("{cosine: {cycles: 3, growth: 2}}", Cosine(cycles=3, growth=2.0)),
        ("{plateau: {patience: 3, metric: a.f1}}", Plateau(patience=3, metric="a.f1")),
        ("{onecycle: {momentum: 0.8}}", OneCycle(momentum=0.8)),
    ],
)
def test_how_they_are_written(written: str, expected: Schedule) -> None:
    recipe = opened(f"{HEADS}train: {{schedule: {written}}}\n").train
    assert recipe.schedule == expected
    assert recipe_from_json(json.loads(json.dumps(recipe.plain()))) == recipe


@pytest.mark.parametrize(
    ("written", "message", "at"),
    [
        ("{multistep: [3, 12]}", "the training ends before 12 epochs are over", "["),
        ("{multistep: [6, 3]}", "milestones must rise", "["),
        ("{multistep: [3, 3]}", "milestones must rise", "["),
        ("{multistep: []}", "no milestones", "["),
        ("{multistep: [0]}", "'milestones' cannot be '0'", "0"),
        ("{multistep: {milestones: [2, 5], warmup: 3}}", "the learning rate still rises after 2 epochs", "["),
        ("{multistep: {warmup: 6}}", "the learning rate still rises after 5 epochs", "multistep"),
        ("{step: 10}", "the training ends before 10 epochs are over", "10"),
        ("{step: {factor: 1}}", "a factor of 1 has no effect", "1"),
        ("{cosine: {warmup: 10.5}}", "the warmup is longer than the training", "10.5"),
        ("{cosine: {warmup_from: 0.1}}", "'warmup_from' needs a warmup", "0.1"),
        ("{cosine: {growth: 2}}", "'growth' needs several cycles", "2"),
        ("{cosine: {factor: 0.5}}", "'factor' needs several cycles", "0.5"),
        (
            "{cosine: {cycles: 3, factor: 0.5, floor: 0.25}}",
            "the last cycle starts at 0.25 of lr and cannot fall",
            "0.25",
        ),
        ("{linear: {floor: 1}}", "a floor of 1 leaves nothing to fall", "1"),
        ("{polynomial: {floor: 1}}", "a floor of 1 leaves nothing to fall", "1"),
        ("{exponential: 1}", "a factor of 1 has no effect", "1"),
        ("{onecycle: {momentum: 0.95}}", "the momentum must fall while the learning rate rises", "0.95"),
        ("{onecycle: {warmup: 0}}", "'warmup' cannot be '0'", "0"),
        ("{plateau: 10}", "the training ends before this patience does", "10"),
        ("{plateau: {metric: accuracie}}", "unknown metric 'accuracie'", "accuracie"),
        ("{plateau: {metric: c.loss}}", "the network has no head 'c'", "c.loss"),
    ],
)
def test_what_can_have_no_effect_is_an_error_with_its_place(written: str, message: str, at: str) -> None:
    found = fault(f"{HEADS}train: {{epochs: 10, schedule: {written}}}\n")
    assert found.message == message
    assert pointed(found) == at


def test_an_optimizer_without_momentum() -> None:
    plain = "optimizer: {sgd: {momentum: 0}}"
    found = fault(f"{SPEC}train: {{{plain}, schedule: {{onecycle: {{momentum: 0.8}}}}}}\n")
    assert (found.message, pointed(found)) == ("the optimizer has no momentum", "0.8")
    assert opened(f"{SPEC}train: {{{plain}, schedule: onecycle}}\n").train.course == OneCycle(warmup=3.0)


def test_shorter_trainings_contradict_too() -> None:
    recipe = opened(f"{SPEC}train: {{epochs: 20, schedule: {{multistep: [5, 10]}}}}\n").train
    assert with_overrides(recipe, ["train.epochs=11"]).epochs == 11
    with pytest.raises(CnncliError, match="the training ends before 10 epochs are over"):
        with_overrides(recipe, ["train.epochs=10"])


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_name_is_enough_for_any_training(name: str) -> None:
    for epochs in (6, 10, 300):
        recipe = opened(f"{SPEC}train: {{epochs: {epochs}, schedule: {name}}}\n").train
        assert str(recipe.course).startswith(f"{name} schedule")


def test_what_is_unset_follows_from_the_length() -> None:
    assert Step().settled(30, 0.9) == Step(every=10.0)
    assert Multistep().settled(30, 0.9) == Multistep(milestones=(15.0, 22.5))
    assert OneCycle().settled(30, 0.9) == OneCycle(warmup=9.0, momentum=0.85)
    assert OneCycle().settled(30, 0.85) == OneCycle(warmup=9.0)
    assert Cosine(cycles=2).settled(30, 0.9) == Cosine(cycles=2)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("cosine", "cosine schedule"),
        ("{cosine: {floor: 0.01, warmup: 1}}", "cosine schedule to 0.01 of lr, warmup of 1 epoch"),
        (
            "{cosine: {cycles: 3, growth: 2, factor: 0.5}}",
            (
                "cosine schedule in 3 cycles, each 2 times as long as the one before, "
                "each from 0.5 of the start of the one before"
            ),
        ),
        (
            "{linear: {warmup: 2.5, warmup_from: 0.1}}",
            "linear schedule, warmup of 2.5 epochs from 0.1 of lr",
        ),
        ("{polynomial: 2}", "polynomial schedule of power 2"),
        ("step", "step schedule times 0.1 every 4 epochs"),
        ("{multistep: [4, 6.5]}", "multistep schedule times 0.1 after epochs 4 and 6.5"),
        ("exponential", "exponential schedule times 0.95 in every epoch"),
        (
            "onecycle",
            (
                "onecycle schedule to 4e-06 of lr, momentum down to 0.85 and back, "
                "warmup of 3.6 epochs from 0.04 of lr"
            ),
        ),
        (
            "{plateau: {floor: 0.01}}",
            "plateau schedule times 0.1 after 5 epochs without a better val.loss, down to 0.01 of lr",
        ),
    ],
)
def test_schedules_in_words(written: str, words: str) -> None:
    recipe = opened(f"{SPEC}train: {{epochs: 12, schedule: {written}}}\n").train
    assert str(recipe.course) == words
