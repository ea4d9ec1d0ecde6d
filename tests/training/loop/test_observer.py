"""What an observer receives."""

from __future__ import annotations

from pathlib import Path

from cnncli.training.conduct import Conduct
from cnncli.training.loop import train
from cnncli.training.plan import Subject
from tests.training.support import (
    CPU,
    HEADS,
    Recorder,
    begin,
    few_digits,
    of_part,
    resume,
    settings,
    small_network,
)


def test_progress_and_epochs_are_reported(tmp_path: Path) -> None:
    chosen = settings(epochs=2)
    begin(tmp_path / "run", chosen)
    recorder = Recorder()
    _, outcome = resume(tmp_path / "run", chosen, recorder)
    assert tuple(recorder.epochs) == outcome.history
    places = [(each.epoch, each.phase, each.batch, each.batches) for each in recorder.progress]
    one_epoch = [("train", batch, 7) for batch in range(1, 8)] + [("evaluate", 0, 1)]
    assert places == [(epoch, *place) for epoch in (1, 2) for place in one_epoch]
    for epoch, metrics in enumerate(outcome.history):
        last = recorder.progress[8 * epoch + 6]
        assert last.figures == {f"train.{name}": value for name, value in of_part(metrics, "train").items()}
        assert last.lr == metrics.lr
        assert last.images_per_second > 0


def test_progress_is_reported_at_intervals(tmp_path: Path) -> None:
    chosen = settings()
    run = begin(tmp_path / "run", chosen)
    recorder = Recorder()
    train(
        Subject(small_network(), HEADS),
        few_digits(),
        chosen,
        run,
        device=CPU,
        observer=recorder,
        conduct=Conduct(report=3600),
    )
    assert recorder.progress == []
    assert len(recorder.epochs) == 3
