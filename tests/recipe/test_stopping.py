"""The settings that end a training early, and the penalty, as they are written."""

from __future__ import annotations

import pytest

from cnncli.recipe.metrics import METRICS, OBJECTIVE
from cnncli.recipe.penalty import Penalty
from cnncli.recipe.recipe import Recipe, with_overrides
from cnncli.recipe.stopping import CHOOSING, Stop
from tests.language.support import fault, opened, pointed

SPEC = "input: [1, 8, 8]\nlayers: [flatten, linear: 10]\n"
HEADS = "input: [1, 8, 8]\nlayers: [flatten]\nheads: {a: [linear: 10], b: [linear: 10]}\n"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("7", Stop(patience=7)),
        ("{}", Stop()),
        ("{metric: accuracy}", Stop(metric="accuracy")),
        ("{metric: a.f1, patience: 2}", Stop(metric="a.f1", patience=2)),
    ],
)
def test_a_recipe_ends_early(written: str, expected: Stop) -> None:
    recipe = opened(f"{HEADS}train: {{stop: {written}}}\n").train
    assert recipe.stop == expected
    assert with_overrides(recipe, ["train.stop.patience=3"]).stop == expected.replaced({"patience": 3})


def test_without_a_word_it_does_not() -> None:
    assert (Recipe().stop, Recipe().holdout) == (None, 0.0)
    assert Recipe(stop=Stop()).holdout == 0.1
    assert with_overrides(Recipe(stop=Stop()), ["train.data.holdout=0.3"]).holdout == 0.3
    assert with_overrides(Recipe(stop=Stop()), ["train.data.holdout=0"]).holdout == 0.0


@pytest.mark.parametrize(
    ("written", "message", "at"),
    [
        ("{metric: accuracie}", "unknown metric 'accuracie'", "accuracie"),
        ("{metric: objective}", "unknown metric 'objective'", "objective"),
        ("{metric: c.loss}", "the network has no head 'c'", "c.loss"),
        ("0", "'patience' cannot be '0'", "0"),
        ("{min_delta: 1}", "'stop' has no setting 'min_delta'", "min_delta"),
    ],
)
def test_what_cannot_choose_is_an_error_with_its_place(written: str, message: str, at: str) -> None:
    found = fault(f"{HEADS}train: {{stop: {written}}}\n")
    assert found.message == message
    assert pointed(found) == at


def test_every_metric_says_which_of_two_values_is_better() -> None:
    """A bounded one is best at the end of its range that a perfect network reaches."""
    assert {*CHOOSING} == METRICS.keys() - {OBJECTIVE, "precision", "recall", "ece"}
    for metric in METRICS.values():
        assert metric.better in ("larger", "smaller")
        if metric.is_share:
            assert (metric.better == "larger") == (metric.name != "ece"), metric.name
    assert METRICS["psnr"].better == "larger"
    assert (METRICS["loss"].better, METRICS["mae"].better) == ("smaller", "smaller")


def test_a_penalty_is_told_in_words() -> None:
    assert str(Penalty(l1=1e-6, l2=0.5)) == "l1 1e-06, l2 0.5"
    assert [Penalty().acts, Penalty(l1=1e-9).acts, Penalty(l2=1e-9).acts] == [False, True, True]
    found = fault(f"{SPEC}train: {{l2: 0.1}}\n")
    assert found.hint == "train: {penalty: {l2: 0.1}}"
