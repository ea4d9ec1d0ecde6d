"""Training itself: it learns, it repeats to the last bit, and no way of stopping it changes the result."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from cnncli.diagnostics import CnncliError, UsageError
from cnncli.language.sections import Train
from cnncli.results.training import Progress
from cnncli.training.data.batches import epoch_order
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.normalization import measure
from cnncli.training.evaluate import evaluate
from cnncli.training.loop import seed_weights, train
from cnncli.training.runs import files
from cnncli.training.runs import run as runs
from cnncli.training.runs.run import open_run
from cnncli.training.runs.weights import load_weights
from cnncli.training.session import check_trainable
from tests.training.support import (
    CPU,
    Recorder,
    begin,
    few_digits,
    figures,
    go_on,
    read_metrics,
    run_whole,
    same_weights,
    settings,
    small_network,
)


@pytest.fixture(autouse=True)
def _no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of runs are made here; that files are synced, and when, is tested in test_files.py."""
    monkeypatch.setattr(os, "fsync", lambda _handle: None)


class Killed(BaseException):
    """Ends the process's work at once, as kill -9 would: nothing may catch it and tidy up."""


def raise_at(epoch: int, batch: int, phase: str, act: Callable[[], None]) -> Callable[[Progress], None]:
    def at_progress(progress: Progress) -> None:
        if (progress.epoch, progress.batch, progress.phase) == (epoch, batch, phase):
            act()

    return at_progress


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def kill() -> None:
    raise Killed


def assert_same_result(folder: Path, network: nn.Module, whole: Path, reference: nn.Module) -> None:
    """Weights, files and figures of two runs are the same to the last bit."""
    assert same_weights(network, reference)
    run, other = open_run(folder), open_run(whole)
    assert figures(read_metrics(run)) == figures(read_metrics(other))
    ours, theirs = load_file(run.weights), load_file(other.weights)
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert run.record.status == "finished"
    assert {path.name for path in folder.iterdir()} == {path.name for path in whole.iterdir()}


def test_equals_a_loop_written_by_hand(tmp_path: Path) -> None:
    """The oracle: plain PyTorch, SGD with one rate, a network without chance."""
    chosen = settings(epochs=2, schedule="constant", warmup=0.0, momentum=0.9, weight_decay=0.01)
    dataset = few_digits()
    normalization = measure(dataset.train.images)

    def network() -> nn.Module:
        torch.manual_seed(5)
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.Tanh(), nn.Linear(20, 10))

    reference = network()
    weights = [value for name, value in reference.named_parameters() if "weight" in name]
    biases = [value for name, value in reference.named_parameters() if "bias" in name]
    groups = [{"params": weights, "weight_decay": 0.01}, {"params": biases, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.05, momentum=0.9)
    images = (dataset.train.images.double() / 255 - normalization.mean[0]) / normalization.std[0]
    losses = []
    for epoch in range(2):
        total = 0.0
        for index in epoch_order(200, 7, epoch).split(32):
            loss = nn.functional.cross_entropy(reference(images[index].float()), dataset.train.labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(index)
        losses.append(total / 200)

    trained = network()
    run = begin(tmp_path / "run", chosen)
    outcome = train(trained, dataset, chosen, run, device=CPU)
    for ours, theirs in zip(trained.parameters(), reference.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert [each.train_loss for each in outcome.history] == pytest.approx(losses, rel=1e-4)


def test_learns_the_digits(tmp_path: Path) -> None:
    _, outcome = run_whole(tmp_path / "run", settings(epochs=12))
    assert outcome.status == "finished"
    assert outcome.signal is None
    assert outcome.history[-1].test_accuracy > 0.85
    assert outcome.history[-1].train_loss < outcome.history[0].train_loss / 3


@pytest.mark.parametrize("chosen", [settings(), settings(optimizer="adamw", lr=0.01, batch=199)])
def test_same_seed_same_bits(tmp_path: Path, chosen: Any) -> None:
    first, outcome = run_whole(tmp_path / "a", chosen)
    second, again = run_whole(tmp_path / "b", chosen)
    assert same_weights(first, second)
    assert figures(outcome.history) == figures(again.history)
    assert_same_result(tmp_path / "b", second, tmp_path / "a", first)


def test_another_seed_other_bits(tmp_path: Path) -> None:
    first, _ = run_whole(tmp_path / "a", settings(epochs=1))
    second, _ = run_whole(tmp_path / "b", settings(epochs=1, seed=8))
    assert not same_weights(first, second)


def test_files_say_what_was_returned(tmp_path: Path) -> None:
    chosen = settings()
    network, outcome = run_whole(tmp_path / "run", chosen)
    run = open_run(tmp_path / "run")
    assert read_metrics(run) == outcome.history
    assert [json.loads(line)["epoch"] for line in run.metrics.read_text().splitlines()] == [1, 2, 3]
    assert run.record.settings == chosen
    assert run.record.normalization == measure(few_digits().train.images)
    loaded = small_network()
    load_weights(loaded, run.weights)
    assert same_weights(loaded, network)
    found = evaluate(loaded, few_digits().test, run.record.normalization, CPU)
    assert (found.loss, found.top1) == (outcome.history[-1].test_loss, outcome.history[-1].test_accuracy)


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
    _, outcome = go_on(tmp_path / "run", chosen, observer)
    assert (outcome.status, outcome.signal) == ("interrupted", signal.SIGINT)
    assert len(outcome.history) == epoch - 1
    assert (observer.progress[-1].epoch, observer.progress[-1].phase) == (epoch, phase) or phase == "train"
    stopped = open_run(tmp_path / "run")
    assert stopped.record.status == "interrupted"
    assert stopped.weights.exists()
    network, outcome = go_on(tmp_path / "run", chosen)
    assert outcome.status == "finished"
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


@pytest.mark.slow
def test_stopping_after_every_batch_changes_nothing(tmp_path: Path) -> None:
    chosen = settings(epochs=2, optimizer="adamw", lr=0.01)
    reference, _ = run_whole(tmp_path / "whole", chosen)
    begin(tmp_path / "run", chosen)

    def stop(progress: Progress) -> None:
        if progress.phase == "train":
            press_ctrl_c()

    stopped = 0
    network, outcome = go_on(tmp_path / "run", chosen, Recorder(stop))
    while outcome.status == "interrupted":
        stopped += 1
        network, outcome = go_on(tmp_path / "run", chosen, Recorder(stop))
    assert stopped == 14
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


def test_sigterm_is_told_apart(tmp_path: Path) -> None:
    chosen = settings()
    begin(tmp_path / "run", chosen)
    observer = Recorder(raise_at(1, 2, "train", lambda: signal.raise_signal(signal.SIGTERM)))
    _, outcome = go_on(tmp_path / "run", chosen, observer)
    assert outcome.signal is signal.SIGTERM


def test_second_ctrl_c_ends_at_once_and_handlers_are_put_back(tmp_path: Path) -> None:
    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    chosen = settings()
    begin(tmp_path / "run", chosen)

    def twice() -> None:
        press_ctrl_c()
        press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        go_on(tmp_path / "run", chosen, Recorder(raise_at(2, 2, "train", twice)))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    network, _ = go_on(tmp_path / "run", chosen)
    reference, _ = run_whole(tmp_path / "whole", chosen)
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


@pytest.mark.parametrize("checkpoint_seconds", [0.0, 600.0])
def test_killed_between_batches(tmp_path: Path, checkpoint_seconds: float) -> None:
    chosen = settings()
    reference, _ = run_whole(tmp_path / "whole", chosen)
    begin(tmp_path / "run", chosen)
    with pytest.raises(Killed):
        go_on(
            tmp_path / "run",
            chosen,
            Recorder(raise_at(2, 4, "train", kill)),
            checkpoint_seconds=checkpoint_seconds,
        )
    kept = open_run(tmp_path / "run").read_checkpoint()
    assert kept is not None
    assert (kept.position.epochs, kept.position.batches) == (1, 3 if checkpoint_seconds == 0 else 0)
    assert open_run(tmp_path / "run").record.status == "running"
    network, _ = go_on(tmp_path / "run", chosen)
    assert_same_result(tmp_path / "run", network, tmp_path / "whole", reference)


class Writes:
    """Counts what reaches the disk; at the one numbered ``fatal`` the process dies, before or after it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fatal: int, *, before: bool) -> None:
        self.count = 0
        self._fatal, self._before = fatal, before
        replace, append = Path.replace, files.append_line
        monkeypatch.setattr(Path, "replace", lambda path, target: self._at(lambda: replace(path, target)))
        monkeypatch.setattr(runs, "append_line", lambda path, line: self._at(lambda: append(path, line)))

    def _at(self, write: Callable[[], object]) -> None:
        self.count += 1
        if self.count == self._fatal and self._before:
            raise Killed
        write()
        if self.count == self._fatal:
            raise Killed


@pytest.mark.slow
def test_killed_at_any_write(tmp_path: Path) -> None:
    """Die before and after every single change to the folder, from its making on; then resume."""
    chosen = settings(epochs=2)
    reference, _ = run_whole(tmp_path / "whole", chosen)
    for before in (True, False):
        for fatal in range(1, 100):
            folder = tmp_path / f"run-{before}-{fatal}"
            with pytest.MonkeyPatch.context() as patch, suppress(Killed):
                writes = Writes(patch, fatal, before=before)
                begin(folder, chosen)
                go_on(folder, chosen)
            if writes.count < fatal:
                assert fatal > 10
                break
            if not (folder / "run.json").exists():
                assert fatal == 1
                begin(folder, chosen)  # nothing was begun: the folder can still be given to --run
            network, _ = go_on(folder, chosen)
            assert_same_result(folder, network, tmp_path / "whole", reference)


def test_torn_line_and_forgotten_files_are_mended(tmp_path: Path) -> None:
    chosen = settings()
    reference, _ = run_whole(tmp_path / "whole", chosen)
    folder = tmp_path / "run"
    begin(folder, chosen)
    go_on(folder, chosen, Recorder(raise_at(3, 2, "train", press_ctrl_c)))
    run = open_run(folder)
    files.append_line(run.metrics, run.metrics.read_text().splitlines()[0])
    with run.metrics.open("a") as file:
        file.write('{"epoch": 4, "lr"')
    run.weights.unlink()
    (folder / ".checkpoint.safetensors.partial").write_bytes(b"half of")
    network, _ = go_on(folder, chosen)
    assert_same_result(folder, network, tmp_path / "whole", reference)


def test_a_finished_run_goes_on_for_more_epochs(tmp_path: Path) -> None:
    run_whole(tmp_path / "run", settings(epochs=2))
    longer = settings(epochs=4)
    _, outcome = go_on(tmp_path / "run", longer)
    assert [each.epoch for each in outcome.history] == [1, 2, 3, 4]
    assert open_run(tmp_path / "run").record.settings.epochs == 4
    _, whole = run_whole(tmp_path / "whole", longer)
    # The schedule is that of four epochs from the third on.
    assert [each.lr for each in outcome.history[2:]] == [each.lr for each in whole.history[2:]]
    assert outcome.history[1].lr < whole.history[1].lr


def test_a_finished_run_has_nothing_left_to_do(tmp_path: Path) -> None:
    reference, outcome = run_whole(tmp_path / "run", settings())
    recorder = Recorder()
    network, again = go_on(tmp_path / "run", settings(), recorder)
    assert again == outcome
    assert same_weights(network, reference)
    assert recorder.progress == []


def test_fewer_epochs_than_are_done(tmp_path: Path) -> None:
    run_whole(tmp_path / "run", settings(epochs=2))
    with pytest.raises(UsageError, match="already"):
        go_on(tmp_path / "run", settings(epochs=1))
    assert open_run(tmp_path / "run").record.status == "finished"


def test_divergence_is_named_and_the_last_good_state_kept(tmp_path: Path) -> None:
    chosen = settings(lr=1e30, warmup=0.0, schedule="constant")
    begin(tmp_path / "run", chosen)
    with pytest.raises(
        CnncliError, match=r"in epoch 1, batch \d of 7 \(step \d\), at a learning rate of 1e\+30"
    ) as e:
        go_on(tmp_path / "run", chosen)
    assert e.value.diagnostics[0].code == "diverged"
    run = open_run(tmp_path / "run")
    assert run.record.status == "diverged"
    kept = run.read_checkpoint()
    assert kept is not None
    assert kept.position.batches == 0
    seed_weights(chosen.seed)
    for name, value in small_network().state_dict().items():
        assert torch.equal(kept.network[name], value)


class TurnsBad(nn.Module):
    """Learns, until its weight is made infinite in the forward pass numbered ``fatal``."""

    def __init__(self, fatal: int) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.passes, self.fatal = 0, fatal

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "meta" and self.training:
            self.passes += 1
            if self.passes == self.fatal:
                with torch.no_grad():
                    self.layer.weight[0, 0] = math.inf
        result: torch.Tensor = self.layer(x.flatten(1))
        return result


def test_the_first_bad_batch_is_the_one_named(tmp_path: Path) -> None:
    chosen = settings()
    run = begin(tmp_path / "run", chosen)
    with pytest.raises(CnncliError, match=r"in epoch 2, batch 3 of 7 \(step 10\)"):
        train(TurnsBad(10), few_digits(), chosen, run, device=CPU)  # reported at the end of the epoch
    kept = open_run(tmp_path / "run").read_checkpoint()
    assert kept is not None
    assert (kept.position.epochs, kept.position.batches) == (1, 0)
    assert len(read_metrics(run)) == 1


def test_observer_is_told_where_training_stands(tmp_path: Path) -> None:
    chosen = settings(epochs=2)
    begin(tmp_path / "run", chosen)
    recorder = Recorder()
    _, outcome = go_on(tmp_path / "run", chosen, recorder)
    assert tuple(recorder.epochs) == outcome.history
    places = [(each.epoch, each.phase, each.batch, each.batches) for each in recorder.progress]
    one_epoch = [("train", batch, 7) for batch in range(1, 8)] + [("evaluate", 0, 1)]
    assert places == [(epoch, *place) for epoch in (1, 2) for place in one_epoch]
    for epoch, metrics in enumerate(outcome.history):
        last = recorder.progress[8 * epoch + 6]
        assert (last.loss, last.accuracy, last.lr) == (metrics.train_loss, metrics.train_accuracy, metrics.lr)
        assert last.images_per_second > 0


def test_observer_is_not_told_more_often_than_wanted(tmp_path: Path) -> None:
    chosen = settings()
    run = begin(tmp_path / "run", chosen)
    recorder = Recorder()
    train(small_network(), few_digits(), chosen, run, device=CPU, observer=recorder, update_seconds=3600)
    assert recorder.progress == []
    assert len(recorder.epochs) == 3


def test_two_processes_do_not_share_a_run(tmp_path: Path) -> None:
    chosen = settings()
    run = begin(tmp_path / "run", chosen)
    with run.locked(), pytest.raises(UsageError, match="another process"):
        go_on(tmp_path / "run", chosen)
    go_on(tmp_path / "run", chosen)


def test_path_of_the_data_is_kept_such_that_it_holds_anywhere(tmp_path: Path) -> None:
    """Settings may name a relative path; the run names the data as it was found."""
    dataset = few_digits()
    moved = Dataset("idx:/data/digits", dataset.classes, dataset.train, dataset.test)
    chosen = settings(epochs=1, data="idx:digits")
    run = begin(tmp_path / "run", chosen, moved)
    assert run.record.settings.data == "idx:/data/digits"
    again = Dataset("idx:/elsewhere", dataset.classes, dataset.train, dataset.test)
    train(small_network(), again, chosen, run, device=CPU)
    record = open_run(tmp_path / "run").record
    assert (record.settings.data, record.data.source) == ("idx:/elsewhere", "idx:/elsewhere")


@pytest.mark.parametrize(
    ("network", "chosen", "message"),
    [
        (small_network(7), settings(), "tells 7 classes apart"),
        (nn.Flatten(), settings(), "tells 64 classes"),
        (small_network(), settings(losses={"auxx": 1.0}), "no head of the network"),
        (small_network(), settings(nesterov=True, momentum=0.0), "nesterov"),
    ],
)
def test_what_does_not_go_together_is_said_before_a_folder_is_made(
    network: nn.Module, chosen: Train, message: str
) -> None:
    check_trainable(small_network(), few_digits(), settings())
    with pytest.raises(UsageError, match=message):
        check_trainable(network, few_digits(), chosen)
