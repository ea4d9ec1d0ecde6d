"""A training with a validation part: what chooses, what is kept, and that an interruption changes nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cnncli.diagnostics import UsageError
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.stopping import Stop
from cnncli.results.training import Trained
from cnncli.training.conduct import Conduct
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.load import with_validation
from cnncli.training.evaluate import evaluate
from cnncli.training.loop import seed_weights, train
from cnncli.training.plan import Subject
from cnncli.training.runs import run as runs
from cnncli.training.runs.checkpoint import Position
from cnncli.training.runs.run import open_run
from cnncli.training.runs.weights import load_weights
from tests.training.support import (
    CPU,
    HEADS,
    Killed,
    Recorder,
    as_trained,
    assert_same_result,
    begin,
    few_digits,
    figures,
    kill,
    objective,
    of_part,
    press_ctrl_c,
    raise_at,
    read_metrics,
    same_weights,
    settings,
    small_network,
)

CHOSEN = settings(
    epochs=40,
    seed=8,
    optimizer={"sgd": {"lr": 0.1}},
    schedule="constant",
    stop={"patience": 4, "metric": "accuracy"},
)
"""With this recipe the sixth epoch is the best one, so the training ends after the tenth."""


@cache
def with_val() -> Dataset:
    """161 images to train on, 39 for validation, 60 to test."""
    return with_validation(few_digits(), 0.2, 0.0)


def trained_on(
    folder: Path, observer: Recorder | None = None, chosen: Recipe = CHOSEN, dataset: Dataset | None = None
) -> tuple[nn.Module, Trained]:
    """Train the run in ``folder`` on, as a new process would."""
    seed_weights(chosen.seed)
    network = small_network()
    outcome = train(
        Subject(network, HEADS),
        dataset or with_val(),
        chosen,
        open_run(folder),
        device=CPU,
        observer=observer,
        conduct=Conduct(report=0),
    )
    return network, outcome


def whole(folder: Path, chosen: Recipe = CHOSEN) -> tuple[nn.Module, Trained]:
    begin(folder, chosen, with_val())
    return trained_on(folder, chosen=chosen)


def test_the_best_weights_on_the_validation_part_are_kept(tmp_path: Path) -> None:
    network, trained = whole(tmp_path / "run")
    accuracies = [each.figures["val.accuracy"] for each in trained.history]
    best = accuracies.index(max(accuracies)) + 1
    outcome = trained.outcome
    assert outcome is not None
    assert (outcome.epoch, outcome.chosen_by) == (best, "val.accuracy")
    assert (best, len(accuracies)) == (6, 10)
    assert outcome.reason == (f"stopped after epoch {best + 4}: no better val.accuracy since epoch {best}")

    # The weights are those of a training that ends after that epoch.
    shorter, _ = whole(tmp_path / "shorter", CHOSEN.replaced({"epochs": best}))
    assert same_weights(network, shorter)
    other = small_network()
    load_weights(other, open_run(tmp_path / "run").best)
    assert same_weights(other, shorter)

    # The last ones are there too: those of a training of ten epochs that never stops.
    never = CHOSEN.replaced({"epochs": 10, "stop": Stop(patience=99, metric="accuracy")})
    whole(tmp_path / "never", never)
    last, same = (load_file(open_run(tmp_path / name).weights) for name in ("run", "never"))
    assert all(torch.equal(last[name], same[name]) for name in same)
    assert not all(torch.equal(last[name], value) for name, value in shorter.state_dict().items())


def test_the_test_part_is_measured_once_with_these_weights(tmp_path: Path) -> None:
    recorder = Recorder()
    begin(tmp_path / "run", CHOSEN, with_val())
    network, trained = trained_on(tmp_path / "run", recorder)
    assert trained.outcome is not None
    for each in trained.history:
        assert of_part(each, "test") == {}
        assert {*of_part(each, "val")} == {"loss", "accuracy", "top5", "f1"}
    run = open_run(tmp_path / "run")
    network = small_network()
    load_weights(network, run.best)
    measured = {
        part: evaluate(
            network, split, run.record.normalization, CPU, objective(), manner=as_trained(network)
        ).figures
        for part, split in (("test", with_val().test), ("val", with_val().val))
        if split is not None
    }
    assert {f"test.{name}": value for name, value in measured["test"].items()} == trained.outcome.figures
    assert measured["val"] == of_part(trained.history[trained.outcome.epoch - 1], "val")


def test_how_it_ended_is_recorded(tmp_path: Path) -> None:
    _, trained = whole(tmp_path / "run")
    assert trained.outcome is not None
    record = open_run(tmp_path / "run").record
    assert (record.status, record.outcome) == ("finished", trained.outcome)
    assert (record.data.train_images, record.data.val_images, record.data.test_images) == (161, 39, 60)
    written = json.loads((tmp_path / "run" / "run.json").read_text())["outcome"]
    assert written["epoch"] == trained.outcome.epoch
    assert written["figures"] == trained.outcome.figures


def test_without_stopping_the_best_accuracy_chooses(tmp_path: Path) -> None:
    chosen = CHOSEN.replaced({"epochs": 9, "stop": None})
    network, trained = whole(tmp_path / "run", chosen)
    losses = [each.figures["val.loss"] for each in trained.history]
    assert losses.index(min(losses)) + 1 != 6
    assert trained.outcome is not None
    assert (trained.outcome.epoch, trained.outcome.chosen_by) == (6, "val.accuracy")
    assert trained.outcome.figures.keys() == {"test.loss", "test.accuracy", "test.top5", "test.f1"}
    run = open_run(tmp_path / "run")
    assert (run.kept(None), run.kept("best"), run.kept("last")) == (run.best, run.best, run.weights)
    other = small_network()
    load_weights(other, run.best)
    assert same_weights(network, other)
    load_weights(other, run.weights)
    assert not same_weights(network, other)


def test_without_a_validation_part_the_epochs_have_the_test_part(tmp_path: Path) -> None:
    begin(tmp_path / "run", settings())
    _, trained = trained_on(tmp_path / "run", chosen=settings(), dataset=few_digits())
    assert trained.outcome is not None
    assert (trained.outcome.epoch, trained.outcome.chosen_by) == (3, "")
    run = open_run(tmp_path / "run")
    assert (run.best.exists(), run.kept(None)) == (False, run.weights)
    with pytest.raises(UsageError, match="has no best weights"):
        run.kept("best")
    assert trained.outcome.figures == {
        name: value for name, value in trained.history[-1].figures.items() if name.startswith("test.")
    }


def test_all_epochs_without_a_reason_to_stop(tmp_path: Path) -> None:
    chosen = CHOSEN.replaced({"epochs": 3})
    _, trained = whole(tmp_path / "run", chosen)
    assert trained.outcome is not None
    assert (len(trained.history), trained.outcome.reason) == (3, "")


STAGES = [
    (1, 3, "train"),  # before there is a best epoch
    (2, 0, "evaluate"),
    (9, 2, "train"),  # after the best epoch, whose weights are in a file only
    (9, 0, "evaluate"),
]


@pytest.mark.parametrize("act", [press_ctrl_c, kill])
@pytest.mark.parametrize("stage", STAGES)
def test_stopped_at_any_time_the_result_is_the_same(
    tmp_path: Path, stage: tuple[int, int, str], act: Any
) -> None:
    reference, trained = whole(tmp_path / "whole")
    begin(tmp_path / "run", CHOSEN, with_val())
    recorder = Recorder(raise_at(*stage, act))
    try:
        _, stopped = trained_on(tmp_path / "run", recorder)
    except Killed:
        assert act is kill
    else:
        assert (stopped.status, stopped.outcome) == ("interrupted", None)
    network, again = trained_on(tmp_path / "run")
    assert again.outcome == trained.outcome
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


def test_an_interrupt_of_the_last_measurement(tmp_path: Path) -> None:
    reference, trained = whole(tmp_path / "whole")
    begin(tmp_path / "run", CHOSEN, with_val())
    recorder = Recorder(lambda progress: press_ctrl_c() if not progress.figures else None)
    _, stopped = trained_on(tmp_path / "run", recorder)
    assert (stopped.status, figures(stopped.history)) == ("interrupted", figures(trained.history))
    assert recorder.progress[-1].epoch == len(trained.history)
    network, again = trained_on(tmp_path / "run")
    assert again.outcome == trained.outcome
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


@pytest.mark.parametrize("written", ["save_weights", "save_best", "add_metrics"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_crash_between_the_files_of_an_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, call: int
) -> None:
    """The checkpoint is written, and the best weights are not."""
    reference, _ = whole(tmp_path / "whole")
    begin(tmp_path / "run", CHOSEN, with_val())
    real, calls = getattr(runs.Run, written), []

    def dies(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == call:
            raise Killed
        real(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(runs.Run, written, dies)
        with pytest.raises(Killed):
            trained_on(tmp_path / "run")
    network, _ = trained_on(tmp_path / "run")
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


def test_lost_weights_of_the_best_epoch_are_an_error(tmp_path: Path) -> None:
    """A checkpoint has those of the last batch only."""
    begin(tmp_path / "run", CHOSEN, with_val())
    trained_on(tmp_path / "run", Recorder(raise_at(9, 2, "train", press_ctrl_c)))
    run = open_run(tmp_path / "run")
    kept = run.best.read_bytes()
    run.save_best(small_network(), Position(5))
    with pytest.raises(UsageError, match="does not have the weights of epoch"):
        trained_on(tmp_path / "run")
    run.best.unlink()
    with pytest.raises(UsageError, match="no such file"):
        trained_on(tmp_path / "run")
    run.best.write_bytes(kept)
    run.weights.unlink()
    assert trained_on(tmp_path / "run")[1].status == "finished"


def test_a_damaged_checkpoint_of_the_best_epoch(tmp_path: Path) -> None:
    """The one before has not reached the epoch of the best weights, which is repeated, in two goes."""
    reference, _ = whole(tmp_path / "whole")
    begin(tmp_path / "run", CHOSEN, with_val())
    with pytest.raises(Killed):
        trained_on(tmp_path / "run", Recorder(raise_at(7, 1, "train", kill)))
    run = open_run(tmp_path / "run")
    run.checkpoint.write_bytes(b"")
    assert run.position == Position(5)
    _, stopped = trained_on(tmp_path / "run", Recorder(raise_at(6, 2, "train", press_ctrl_c)))
    assert stopped.status == "interrupted"
    network, _ = trained_on(tmp_path / "run")
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


@pytest.mark.parametrize("name", ["val.accuracy", "val.loss", "train.loss"])
def test_a_checkpoint_without_the_figures_that_choose_is_damaged(tmp_path: Path, name: str) -> None:
    whole(tmp_path / "run")
    run = open_run(tmp_path / "run")
    kept = run.read_checkpoint()
    assert kept is not None
    first = kept.history[0]
    less = {each: value for each, value in first.figures.items() if each != name}
    run.save(replace(kept, history=(replace(first, figures=less), *kept.history[1:])))
    with pytest.raises(UsageError, match="is damaged: epoch 1 lacks figures"):
        trained_on(tmp_path / "run")


def test_more_epochs_do_not_undo_a_stop(tmp_path: Path) -> None:
    network, trained = whole(tmp_path / "run")
    recorder = Recorder()
    again, same = trained_on(tmp_path / "run", recorder, CHOSEN.replaced({"epochs": 80}))
    assert same == trained
    assert recorder.epochs == []
    assert same_weights(again, network)


def test_more_epochs_continue_what_was_not_stopped(tmp_path: Path) -> None:
    """The finished run ended with the best weights, but it continues from its last ones."""
    short = CHOSEN.replaced({"epochs": 9})
    whole(tmp_path / "run", short)
    network, longer = trained_on(tmp_path / "run")
    reference, trained = whole(tmp_path / "whole")
    assert longer.outcome == trained.outcome
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


def test_the_figures_of_a_file_are_its_history(tmp_path: Path) -> None:
    _, trained = whole(tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert read_metrics(run) == trained.history
    tensors = load_file(run.weights)
    assert all(torch.isfinite(each).all() for each in tensors.values())
