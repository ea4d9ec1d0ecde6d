"""Which epoch is the best one, and when a training ends: a loop that counts decides the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnncli.diagnostics import UsageError
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.schedules import Plateau
from cnncli.recipe.stopping import Stop
from cnncli.results.training import Epoch
from cnncli.training.stopping import best_epoch, check_chosen, check_watched, choosing, reason_to_stop


def curve(values: list[float], name: str = "val.loss") -> tuple[Epoch, ...]:
    return tuple(Epoch(number, 0.1, 1.0, 1.0, {name: value}) for number, value in enumerate(values, 1))


def counted_out(values: list[float], patience: int, *, larger: bool) -> tuple[int, int | None]:
    """The best epoch, and the one after which a counter of epochs without a better value is full."""
    best, kept, waited = None, 0, 0
    for number, value in enumerate(values, 1):
        if best is None or (value > best if larger else value < best):
            best, kept, waited = value, number, 0
        else:
            waited += 1
            if waited == patience:
                return kept, number
    return kept, None


VALUES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=12)


@given(VALUES, st.integers(1, 4), st.sampled_from(["loss", "accuracy", "head.psnr", "head.mae"]))
def test_a_counter_decides_the_same(values: list[float], patience: int, metric: str) -> None:
    stop = Stop(metric=metric, patience=patience)
    larger = metric in ("accuracy", "head.psnr")
    best, end = counted_out(values, patience, larger=larger)
    history = curve(values, f"val.{metric}")
    reached = history if end is None else history[:end]
    assert best_epoch(reached, stop) == best
    assert [bool(reason_to_stop(history[:count], stop)) for count in range(len(reached) + 1)] == [
        *([False] * len(reached)),
        end is not None,
    ]


def test_what_chooses_without_a_stop() -> None:
    """The metric of a line of the log, of the network as a whole; the loss where there is no other."""
    assert choosing(None, ["val.loss", "val.accuracy", "val.top5"]) == "val.accuracy"
    assert choosing(None, ["val.loss", "val.mae", "val.psnr", "val.ssim"]) == "val.psnr"
    assert choosing(None, ["train.accuracy", "val.loss", "val.aux.accuracy"]) == "val.loss"
    assert choosing(Stop(metric="top5"), ["val.loss", "val.accuracy"]) == "val.top5"
    assert best_epoch(curve([0.5, 0.75, 0.75], "val.accuracy"), None) == 2
    assert best_epoch(curve([0.5, 0.75, 0.25]), None) == 3


def test_the_reason_in_words() -> None:
    history = curve([3.0, 2.0, 2.0, 2.5])
    assert reason_to_stop(history, Stop(patience=2)) == (
        "stopped after epoch 4: no better val.loss since epoch 2"
    )
    assert reason_to_stop(history, Stop(patience=3)) == ""
    assert reason_to_stop(history, None) == ""


def test_what_is_not_measured_cannot_choose() -> None:
    check_watched(Recipe(stop=Stop(), schedule=Plateau()), ["loss", "accuracy"], has_val=True)
    check_watched(Recipe(), [], has_val=False)
    with pytest.raises(UsageError, match=r"train\.stop\.metric: psnr is not measured") as caught:
        check_watched(Recipe(stop=Stop(metric="psnr")), ["loss", "accuracy"], has_val=True)
    assert caught.value.diagnostics[0].expected == "loss or accuracy"
    with pytest.raises(UsageError, match=r"train\.schedule\.plateau\.metric: a\.f1 is not measured"):
        check_watched(Recipe(schedule=Plateau(metric="a.f1")), ["loss", "b.f1"], has_val=True)


@pytest.mark.parametrize("recipe", [Recipe(stop=Stop()), Recipe(schedule=Plateau())])
def test_what_decides_needs_a_validation_part(recipe: Recipe) -> None:
    assert recipe.holdout == 0.1
    with pytest.raises(UsageError, match=r"train\.(stop|schedule\.plateau) needs a validation part"):
        check_watched(recipe, ["loss"], has_val=False)


def test_what_the_targets_do_not_determine_cannot_choose() -> None:
    """R2 of values that are all the same, for example."""
    check_chosen(Recipe(), {})
    for recipe in (Recipe(stop=Stop(metric="r2")), Recipe(schedule=Plateau(metric="r2"))):
        check_chosen(recipe, {"val.r2": 0.5})
        with pytest.raises(UsageError, match=r"val\.r2 is not determined by the targets"):
            check_chosen(recipe, {"val.loss": 1.0})
