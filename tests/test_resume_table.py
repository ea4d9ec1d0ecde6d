"""The script of the resume table: what it reads from a log, and how it compares runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
import torch

from benchmarks.peers import _cnncli
from benchmarks.peers._task import BATCH, BATCHES, EPOCHS, SAMPLES, Moment, Samples, Watch, write_task
from benchmarks.peers.resume import Learned, Result, compare, history, moments, passed

ROOT = Path(__file__).parents[1]


def run(*swaps: tuple[int, int], bias: float = 0.0, last: int = EPOCHS * BATCHES) -> Result:
    """A run that takes samples in order, up to a step; some are replaced by others."""
    samples = [*range(SAMPLES)] * EPOCHS
    for place, sample in swaps:
        samples[place] = sample
    steps = (
        Learned(step // BATCHES, tuple(samples[step * BATCH : (step + 1) * BATCH])) for step in range(last)
    )
    return Result(tuple(steps), 0, {"bias": torch.tensor([1.0, bias])})


def test_a_run_like_the_other_one_passes() -> None:
    assert passed(compare(run(), run()))


def test_a_sample_in_the_place_of_another_is_noticed() -> None:
    found = compare(run(), run((3, 4)))
    assert (found.same_order, found.same_weights) == (False, True)
    assert (found.skipped, found.twice) == (1, 1)


def test_exchanged_samples_are_another_order_without_repeats() -> None:
    found = compare(run(), run((0, SAMPLES - 1), (SAMPLES - 1, 0)))
    assert (found.same_order, found.skipped, found.twice) == (False, 0, 0)


def test_steps_that_are_missing_have_skipped_samples() -> None:
    found = compare(run(), run(last=EPOCHS * BATCHES - 2))
    assert (found.same_order, found.skipped, found.twice) == (False, 2 * BATCH, 0)


def test_weights_are_compared_to_the_last_bit() -> None:
    found = compare(run(), run(bias=1e-7))
    assert (found.same_order, found.same_weights) == (True, False)
    assert found.difference == pytest.approx(1e-7)


def test_steps_after_the_checkpoint_of_the_next_process_do_not_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for begun, samples in ((0, [[0], [1], [2]]), (1, [[7], [8]])):
        watch = Watch(log, None)
        watch.begun(begun)
        for step, each in enumerate(samples, begun + 1):
            watch.learned(0, step, step, torch.tensor(each))
    steps, again = history(log.read_text())
    assert [step.samples for step in steps] == [(0,), (7,), (8,)]
    assert again == 2


def test_a_log_with_a_gap_is_refused(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "log", None)
    watch.begun(0)
    watch.learned(0, 2, 2, torch.tensor([0]))
    with pytest.raises(AssertionError):
        history((tmp_path / "log").read_text())


def test_kills_are_of_every_kind_and_in_the_training() -> None:
    drawn = [moments(number, Random(number)) for number in range(20)]  # noqa: S311
    assert all(EPOCHS > moment.epoch >= 0 < moment.batches for each in drawn for moment in each)
    assert sum(each[0].batches > BATCHES for each in drawn) == 5
    assert sum(each[0].batches in {1, BATCHES} for each in drawn) == 5
    twice = [each for each in drawn if len(each) == 2]
    assert len(twice) == 5
    assert all(first.epoch == second.epoch and first.batches < second.batches for first, second in twice)


def test_a_process_is_killed_inside_an_evaluation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kills: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda number, kind: kills.append((number, kind)))
    network = write_task(tmp_path).network()
    watch = Watch(tmp_path / "log", Moment(0, BATCHES + 1))
    images = torch.zeros(2, 1, 8, 8)
    with watch.evaluations():
        network.eval()
        network(images)
        watch.learned(0, BATCHES, BATCHES, torch.tensor([0]))
        network.train()
        network(images)
        assert kills == []
        network.eval()
        network(images)
    assert kills == [(os.getpid(), signal.SIGKILL)]


def test_the_label_of_a_sample_is_its_number(tmp_path: Path) -> None:
    task = write_task(tmp_path)
    parts = [Samples(task, part) for part in ("train", "test")]
    assert all(part[index][1] == index for part in parts for index in range(len(part)))
    assert len(parts[0]) == SAMPLES
    assert parts[0].images.flatten(1).unique(dim=0).shape[0] > SAMPLES // 2
    assert callable(_cnncli.train)


@pytest.mark.campaign
def test_cnncli_passes() -> None:
    words = [sys.executable, "-m", "benchmarks.peers.resume", "--tools", "cnncli", "--kills", "4"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.splitlines()[-1].startswith("| cnncli | 4 of 4 | 4 of 4 | 0 | 0 |")
