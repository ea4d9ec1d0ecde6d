"""A finished run continues with more epochs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnncli.diagnostics import UsageError
from cnncli.training.runs.run import open_run
from tests.training.support import (
    Recorder,
    resume,
    run_whole,
    same_weights,
    settings,
)


def test_a_finished_run_continues_with_more_epochs(tmp_path: Path) -> None:
    run_whole(tmp_path / "run", settings(epochs=2))
    longer = settings(epochs=4)
    _, outcome = resume(tmp_path / "run", longer)
    assert [each.epoch for each in outcome.history] == [1, 2, 3, 4]
    assert open_run(tmp_path / "run").record.settings.epochs == 4
    _, whole = run_whole(tmp_path / "whole", longer)
    # The schedule is that of four epochs from the third on.
    assert [each.lr for each in outcome.history[2:]] == [each.lr for each in whole.history[2:]]
    assert outcome.history[1].lr < whole.history[1].lr


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    reference, outcome = run_whole(tmp_path / "run", settings())
    recorder = Recorder()
    network, again = resume(tmp_path / "run", settings(), recorder)
    assert again == outcome
    assert same_weights(network, reference)
    assert recorder.progress == []


def test_fewer_epochs_than_are_finished(tmp_path: Path) -> None:
    run_whole(tmp_path / "run", settings(epochs=2))
    with pytest.raises(UsageError, match="already"):
        resume(tmp_path / "run", settings(epochs=1))
    assert open_run(tmp_path / "run").record.status == "finished"
