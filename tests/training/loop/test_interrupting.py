"""An interrupted run ends with the same weights and files as one that was not."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from cnncli.interrupts import SIGNALS
from cnncli.results.training import Epoch, Progress
from cnncli.training.runs.run import open_run
from cnncli.training.world import World
from tests.training.support import (
    Recorder,
    assert_same_result,
    begin,
    press_ctrl_c,
    raise_at,
    resume,
    run_whole,
    settings,
)


@pytest.mark.parametrize(
    ("epoch", "batch", "phase"),
    [
        (1, 1, "train"),
        (1, 7, "train"),
        (2, 3, "train"),
        (2, 0, "evaluate"),
        (3, 7, "train"),
        (3, 0, "evaluate"),
    ],
)
def test_ctrl_c_and_resuming_change_nothing(tmp_path: Path, epoch: int, batch: int, phase: str) -> None:
    chosen = settings()
    reference, _ = run_whole(tmp_path / "whole", chosen)
    begin(tmp_path / "run", chosen)
    observer = Recorder(raise_at(epoch, batch, phase, press_ctrl_c))
    _, outcome = resume(tmp_path / "run", chosen, observer)
    assert (outcome.status, outcome.signal) == ("interrupted", signal.SIGINT)
    assert len(outcome.history) == epoch - 1
    assert (observer.progress[-1].epoch, observer.progress[-1].phase) == (epoch, phase) or phase == "train"
    stopped = open_run(tmp_path / "run")
    assert stopped.record.status == "interrupted"
    assert stopped.weights.exists()
    network, outcome = resume(tmp_path / "run", chosen)
    assert outcome.status == "finished"
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


class StopsBetweenEpochs(Recorder):
    """Presses Ctrl-C after the first epoch, when no batch of the next was trained on."""

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        super().epoch_finished(metrics, epochs)
        press_ctrl_c()


def test_an_interrupt_between_two_epochs_changes_nothing(tmp_path: Path) -> None:
    chosen = settings()
    reference, _ = run_whole(tmp_path / "whole", chosen)
    begin(tmp_path / "run", chosen)
    _, outcome = resume(tmp_path / "run", chosen, StopsBetweenEpochs())
    assert (outcome.status, len(outcome.history)) == ("interrupted", 1)
    network, _ = resume(tmp_path / "run", chosen)
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


@pytest.mark.slow
def test_stopping_after_every_batch_changes_nothing(tmp_path: Path) -> None:
    chosen = settings(epochs=2, optimizer={"adamw": {"lr": 0.01}})
    reference, _ = run_whole(tmp_path / "whole", chosen)
    begin(tmp_path / "run", chosen)

    def stop(progress: Progress) -> None:
        if progress.phase == "train":
            press_ctrl_c()

    stopped = 0
    network, outcome = resume(tmp_path / "run", chosen, Recorder(stop))
    while outcome.status == "interrupted":
        stopped += 1
        network, outcome = resume(tmp_path / "run", chosen, Recorder(stop))
    assert stopped == 14
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


@pytest.mark.parametrize("sent", SIGNALS)
def test_every_signal_is_reported(tmp_path: Path, sent: signal.Signals) -> None:
    chosen = settings()
    begin(tmp_path / "run", chosen)
    observer = Recorder(raise_at(1, 2, "train", lambda: signal.raise_signal(sent)))
    _, outcome = resume(tmp_path / "run", chosen, observer)
    assert (outcome.status, outcome.signal) == ("interrupted", sent)
    assert open_run(tmp_path / "run").record.status == "interrupted"


def test_a_process_whose_torchrun_was_killed_saves_and_ends(tmp_path: Path) -> None:
    """Nobody would end it, and the next attempt would find the folder locked."""
    chosen = settings()
    begin(tmp_path / "run", chosen)
    _, outcome = resume(tmp_path / "run", chosen, world=World(agent=os.getppid()))
    assert outcome.status == "finished"
    begin(tmp_path / "orphaned", chosen)
    _, outcome = resume(tmp_path / "orphaned", chosen, world=World(agent=os.getpid()))
    assert (outcome.status, outcome.signal) == ("interrupted", signal.SIGTERM)
    assert open_run(tmp_path / "orphaned").record.status == "interrupted"


def test_second_ctrl_c_ends_at_once_and_handlers_are_restored(tmp_path: Path) -> None:
    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    chosen = settings()
    begin(tmp_path / "run", chosen)

    def twice() -> None:
        press_ctrl_c()
        press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        resume(tmp_path / "run", chosen, Recorder(raise_at(2, 2, "train", twice)))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    network, _ = resume(tmp_path / "run", chosen)
    reference, _ = run_whole(tmp_path / "whole", chosen)
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


def test_an_output_that_is_closed_ends_a_training_that_is_saved(tmp_path: Path) -> None:
    chosen = settings()
    reference, _ = run_whole(tmp_path / "whole", chosen)
    for number, place in enumerate([(2, 3, "train"), (2, 0, "evaluate")]):
        folder = tmp_path / str(number)
        begin(folder, chosen)

        def close() -> None:
            raise BrokenPipeError

        with pytest.raises(BrokenPipeError):
            resume(folder, chosen, Recorder(raise_at(*place, close)))
        run = open_run(folder)
        assert run.record.status == "interrupted"
        assert (run.position.epochs, run.position.batches) == (1, place[1] or 7)
        network, _ = resume(folder, chosen)
        assert_same_result(folder, network, tmp_path / "whole", reference)
