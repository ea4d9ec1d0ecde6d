"""The same command again continues a run that it matches, and leaves alone what it does not match."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from typer.testing import CliRunner

import cnncli
from cnncli.cli.app import application
from cnncli.cli.exit_codes import DIVERGED, OK, WRONG
from cnncli.training.runs.run import open_run
from tests.heeding import heed_signals
from tests.training.support import Killed, Recorder, figures, kill, raise_at, read_metrics, same_tensors

SPEC = """
name: tiny
input: [1, 8, 8]
layers: [flatten, linear: 12, relu, dropout: 0.2, linear: 10]
train:
  data: {source: digits, limit: 0.2}
  epochs: 2
  batch: 32
  save: {steps: 5}
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC)
    return path


def call(*arguments: str | Path) -> tuple[int, str, str]:
    words = [*map(str, arguments), "--device", "cpu"]
    result = CliRunner().invoke(application(), words, env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {each.name: (each.read_bytes(), each.stat().st_mtime_ns) for each in folder.iterdir()}


def test_a_finished_run_is_left_as_it_is(spec: Path, tmp_path: Path) -> None:
    command = "train", spec, "--run", tmp_path / "run"
    code, first, errors = call(*command)
    assert code == OK, errors
    before = content(tmp_path / "run")
    for again in (command, ("train", "--resume", tmp_path / "run")):
        code, text, errors = call(*again)
        assert code == OK, errors
        assert "\nall 2 epochs are finished; --set train.epochs=4 would continue the run\n" in text
        result = first[first.index("\ntest ") :]
        assert text.endswith(result)
        assert content(tmp_path / "run") == before

    # What is lost is written again, and the rest is as it was.
    weights = tmp_path / "run" / "weights.safetensors"
    weights.rename(tmp_path / "before")
    assert call(*command)[0] == OK
    assert same_tensors(weights, tmp_path / "before")
    assert content(tmp_path / "run")["run.json"][0] == before["run.json"][0]


def test_more_epochs_continue(spec: Path, tmp_path: Path) -> None:
    assert call("train", spec, "--run", tmp_path / "run")[0] == OK
    code, text, errors = call("train", spec, "--run", tmp_path / "run", "--set", "train.epochs=3")
    assert code == OK, errors
    assert "\ncontinues after epoch 2 of 3\n" in text
    told = (
        "train.epochs, and with it the schedule, was 2 so far, and is 3 from here on; all other settings are"
    )
    assert f"{told} those" in " ".join(text.split())
    assert [each.epoch for each in read_metrics(open_run(tmp_path / "run"))] == [1, 2, 3]
    # spec.yaml, which the run was started with, says 2 epochs; the settings of the run say 3.
    code, _, errors = call("train", spec, "--run", tmp_path / "run")
    assert (code, "the run is already after epoch 3" in errors) == (WRONG, True)


def test_a_run_that_ends_earlier_says_so(spec: Path, tmp_path: Path) -> None:
    """It was killed after two of five epochs, and the spec alone says two."""
    launch = cnncli.load(spec).begin(run=tmp_path / "run", device="cpu", epochs=5, save={"steps": 99})
    with pytest.raises(Killed):
        launch.start(Recorder(raise_at(3, 1, "train", kill)), report_every=0)
    code, text, errors = call("train", spec, "--run", tmp_path / "run")
    assert code == OK, errors
    assert "was 5 so far, and is 2 from here on" in " ".join(text.split())
    assert "\nall 2 epochs are finished; --set train.epochs=4 would continue the run\n" in text
    code, text, errors = call("train", spec, "--run", tmp_path / "run", "--set", "train.epochs=1")
    assert (code, "already after epoch 2" in errors) == (WRONG, True)


@pytest.mark.parametrize(
    ("old", "new", "options", "message"),
    [
        ("linear: 12", "linear: 13", [], "linear1.linear.features: 12, not 13"),
        ("relu", "tanh", [], "relu1: relu, not nothing"),
        ("", "", ["--set", "train.batch=16"], "batch: 32, not 16"),
        ("", "", ["--limit", "0.3"], "data.limit: 0.2, not 0.3"),
        ("", "", ["--set", "train.optimizer=adamw"], "optimizer: sgd, not adamw"),
        ("", "", ["--data", "npz:other.npz"], "the data is not the data that"),
    ],
)
def test_what_does_not_match_is_refused_by_name(
    spec: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
    options: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("train", spec, "--run", "run")[0] == OK
    before = content(tmp_path / "run")
    spec.write_text(SPEC.replace(old, new))
    if "npz:other.npz" in options:
        write_other_data()
    code, text, errors = call("train", spec, "--run", "run", *options)
    assert (code, text) == (WRONG, "")
    assert message in errors
    assert "run was started with" in errors
    assert content(tmp_path / "run") == before


def write_other_data() -> None:
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8).astype(np.uint8) * 15
    np.savez(
        "other.npz", x_train=images[300:], y_train=labels[300:], x_test=images[:300], y_test=labels[:300]
    )


def test_data_that_is_gone_is_missed_before_anything_is_written(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_other_data()
    command = "train", spec, "--run", "run", "--data", "npz:other.npz", "--set", "train.data.limit=1"
    assert call(*command)[0] == OK
    before = content(tmp_path / "run")
    Path("other.npz").rename("moved.npz")
    code, text, errors = call(*command, "--set", "train.epochs=3")
    assert (code, text) == (WRONG, "")
    assert "other.npz" in errors
    assert content(tmp_path / "run") == before
    moved = ("train", spec, "--run", "run", "--data", "npz:moved.npz", "--set", "train.data.limit=1")
    assert call(*moved, "--set", "train.epochs=3")[0] == OK


def test_what_has_no_effect_on_the_result_may_differ(spec: Path, tmp_path: Path) -> None:
    """Where a checkpoint is written, what the spec says of its paper and its budget, and its comments."""
    assert call("train", spec, "--run", tmp_path / "run")[0] == OK
    spec.write_text(f"# a comment\n{SPEC.replace('steps: 5', 'minutes: 1')}\nbudget: {{params: 9k}}\n")
    assert call("train", spec, "--run", tmp_path / "run", "--set", "train.epochs=3")[0] == OK


def test_a_run_that_diverged_is_refused(spec: Path, tmp_path: Path) -> None:
    command = "train", spec, "--run", tmp_path / "run", "--set", "train.optimizer.sgd.lr=1e30"
    assert call(*command)[0] == DIVERGED
    code, _, errors = call(*command)
    assert (code, "diverged, and would do so again" in errors) == (WRONG, True)


@pytest.mark.slow
def test_a_command_that_is_killed_and_repeated_ends_as_one_that_is_not(spec: Path, tmp_path: Path) -> None:
    """First with SIGKILL, then as Slurm ends a job."""
    run, whole = tmp_path / "run", tmp_path / "whole"
    options = ["--set", "train.epochs=40"]
    command = [sys.executable, "-m", "cnncli", "train", str(spec), *options, "--run", str(run)]
    done = 0
    for sent, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGUSR1, 128 + signal.SIGUSR1)):
        with subprocess.Popen(
            command,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=heed_signals,  # noqa: PLW1509 - the tests start no threads
        ) as process:
            while epochs_of(run) < done + 3:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(sent)
            text, _ = process.communicate(timeout=120)
        assert process.returncode == code
        assert ("\ncontinues " in text) == (done > 0)
        done = epochs_of(run)
        assert done < 40
    for folder in (run, whole):
        assert call("train", spec, "--run", folder, *options)[0] == OK
    assert same_tensors(run / "weights.safetensors", whole / "weights.safetensors")
    assert figures(read_metrics(open_run(run))) == figures(read_metrics(open_run(whole)))


def epochs_of(run: Path) -> int:
    metrics = run / "metrics.jsonl"
    return metrics.read_text().count("\n") if metrics.exists() else 0
