"""``cnncli train --dry-run``: what a training would do, need and write, and nothing left behind."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import cnncli
from cnncli.cli.app import application
from cnncli.cli.exit_codes import DIVERGED, UNWRITABLE
from cnncli.diagnostics import usage_error
from cnncli.recipe.data import Data
from cnncli.training.data.load import load
from cnncli.training.device import BACKENDS
from tests.heeding import heed_signals

ROOT = Path(__file__).parents[2]
SPEC = """\
name: tiny
input: [1, 8, 8]
layers:
  - conv: {channels: 8, kernel: 3, norm: batch, activation: relu}
  - flatten
  - dropout: 0.5
  - linear: 10
train: {data: digits, epochs: 2, batch: 64, transforms: [crop: 1], schedule: {cosine: {warmup: 1}}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    return tmp_path


def call(*words: str) -> tuple[int, str, str]:
    more = ("--device", "cpu") if words[0] == "train" else ()
    result = CliRunner().invoke(application(), [*words, *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def document(*words: str) -> dict[str, Any]:
    code, text, errors = call("train", "net.yaml", "--dry-run", *words, "--format", "json")
    assert (code, errors) == (0, "")
    found: dict[str, Any] = json.loads(text)
    return found


def content(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_figures_are_those_of_a_training_and_of_the_other_commands(folder: Path) -> None:
    found = document()
    assert content(folder) == ["net.yaml"]
    code, _, errors = call("train", "net.yaml")
    assert code == 0, errors
    run = folder / "runs" / "tiny-1"
    assert found["folder"] == str(run.relative_to(folder))
    written = {path.name: path.stat().st_size for path in run.iterdir()}
    assert found["files"].keys() == written.keys()
    assert found["files"]["weights.safetensors"] == written["weights.safetensors"]
    # Their metadata have the figures of two epochs, as numbers of different lengths.
    tried, trained = (sizes["checkpoint.safetensors"] for sizes in (found["files"], written))
    assert tried == pytest.approx(trained, abs=300)
    assert (found["steps"]["epoch"], found["steps"]["all"], found["steps"]["carried_out"]) == (23, 46, 6)
    costs = json.loads(call("inspect", "net.yaml", "--format", "json")[1])["totals"]
    assert found["flops"] == {"image": costs["flops"], "step": 3 * 64 * costs["flops"]}
    memory = json.loads(call("memory", "net.yaml", "--batch", "64", "--format", "json")[1])
    assert found["memory"] == {"predicted": memory["training"]["peak"], "measured": None}
    data = load(Data(), (1, 8, 8))
    counts = found["data"]["counts"]["label"]
    assert [each["train"] for each in counts] == data.train.labels.bincount().tolist()
    assert [each["test"] for each in counts] == data.test.labels.bincount().tolist()
    assert found["transforms"] == ["crop (padding 1, fill 0)"]
    assert document()["folder"] == "runs/tiny-2"
    assert "data.source" in found["origins"]["net.yaml"]


def test_times_add_up(folder: Path) -> None:
    found = document("--set", "train.epochs=30")
    seconds = found["seconds"]
    steps = seconds["first_step"] + (30 * 23 - 1) * seconds["step"]
    assert seconds["run"] == pytest.approx(steps + 30 * (seconds["evaluation"] + seconds["saving"]))
    assert all(seconds[name] > 0 for name in ("first_step", "step", "evaluation", "saving"))
    # Roughly what it takes: machines are busy, and such steps short.
    history = cnncli.load("net.yaml").train(epochs=2, run=folder / "new", device="cpu").history
    assert 0.05 < seconds["step"] / (history[1].seconds / 23) < 20


def test_the_page(folder: Path) -> None:
    code, text, errors = call("train", "net.yaml", "--dry-run", "--run", "a/b/c", "--set", "train.epochs=20")
    assert (code, errors) == (0, "")
    lines = text.splitlines()
    assert lines[0] == "tiny: dry run on cpu"
    assert lines[1].startswith("a run takes about ")
    assert "digits: 1,438 images to train on, 359 held out, images of 1x8x8" in lines
    assert "steps: 23 in an epoch, 460 in 20 epochs" in lines
    assert any(line.startswith("in a/b/c ") for line in lines)
    assert "transforms of training images: crop (padding 1, fill 0)" in lines
    assert content(folder) == ["net.yaml"]


def test_a_log_says_how_far_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnncli.report.pages.train.LOG_SECONDS", 0.0)
    code, text, errors = call("train", "net.yaml", "--dry-run", "--format", "json")
    assert (code, json.loads(text)["name"]) == (0, "tiny")
    assert errors.splitlines() == [f"trying steps: {number} of 6" for number in range(1, 7)]
    assert content(folder) == ["net.yaml"]


def test_a_validation_part_is_counted_and_measured(folder: Path) -> None:
    found = document("--set", "train.stop.metric=accuracy", "--set", "train.stop.patience=3")
    counts = found["data"]["counts"]["label"]
    assert sum(each["val"] for each in counts) == found["data"]["val_images"] > 0
    assert sum(each["train"] for each in counts) == found["data"]["train_images"]
    assert found["seconds"]["test"] > 0
    code, text, _ = call("train", "net.yaml", "--dry-run", "--set", "train.stop.patience=3")
    assert code == 0
    assert "a run takes at most about " in text
    assert content(folder) == ["net.yaml"]


def test_notes_name_files_that_cannot_be_read(folder: Path) -> None:
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(40):
        path = folder / "pictures" / ("train" if number < 30 else "test") / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    (folder / "pictures/train/a/0.png").write_bytes(b"not a picture")
    before = content(folder)
    (folder / "net.yaml").write_text(SPEC.replace("linear: 10", "linear: 2"))
    found = document("--data", "folder:pictures", "--set", "train.data.skip=0.1")
    assert any("0.png" in note for note in found["data"]["notes"])
    assert found["data"]["counts"]["label"] == [
        {"name": "a", "train": 14, "test": 5},
        {"name": "b", "train": 15, "test": 5},
    ]
    assert content(folder) == before
    code, _, errors = call("train", "net.yaml", "--dry-run", "--data", "folder:pictures")
    assert code == 2
    assert "raise train.data.skip" in errors


# -- what goes wrong -------------------------------------------------------------------------------


def test_a_failure_is_what_the_training_would_say(folder: Path) -> None:
    too_fast = ("--set", "train.optimizer.sgd.lr=1e30", "--set", "train.schedule=constant", "--run", "new")
    code, text, tried = call("train", "net.yaml", *too_fast, "--dry-run")
    assert (code, text) == (DIVERGED, "")
    assert content(folder) == ["net.yaml"]
    code, _, trained = call("train", "net.yaml", *too_fast)
    assert code == DIVERGED
    message, layer = " ".join(tried.split()).split(" the layer ")
    words = " ".join(trained.split())
    assert words.startswith(message)
    assert words.endswith(layer)
    assert "epoch 1, batch 3 of 23" in tried
    assert "checkpoint" not in tried


@pytest.mark.parametrize("taken", ["new", "new/x.txt", "file"])
def test_a_folder_that_is_not_free(taken: str, folder: Path) -> None:
    place = "new" if taken.startswith("new") else "file/new"
    if "." in taken:
        (folder / "new").mkdir()
    (folder / taken).write_text("kept")
    before = content(folder)
    tried = call("train", "net.yaml", "--dry-run", "--run", place)
    trained = call("train", "net.yaml", "--run", place)
    assert tried[0] == trained[0] == 2
    assert content(folder) == before
    if "." in taken:
        assert tried == trained
    assert f"{place} is not empty" in tried[2] or f"cannot create the run folder {place}" in tried[2]


def test_a_disk_that_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    code, text, errors = call("train", "net.yaml", "--dry-run")
    assert (code, text) == (UNWRITABLE, "")
    assert "runs/tiny-1/run.json" in errors
    assert content(folder) == ["net.yaml"]


@pytest.mark.parametrize(
    "part",
    [
        "state.restore_optimizer",
        "state.fill",
        "loop.evaluate_feed",
        "runs.run.write_checkpoint",
        "runs.run.save_weights",
        "runs.run.append_line",
        "launch.resuming.check_data",
    ],
)
def test_everything_is_carried_out(part: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise usage_error(f"{part} fails")

    monkeypatch.setattr(f"cnncli.training.{part}", failing)
    code, _, errors = call("train", "net.yaml", "--dry-run")
    assert code == 2
    assert f"{part} fails" in errors
    assert content(folder) == ["net.yaml"]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--resume", "x", "--dry-run"), "--resume takes spec, settings and folder"),
        (("net.yaml", "--dry-run", "--preview", "x.png"), "--preview and --dry-run cannot be combined"),
        (("net.yaml", "--dry-run", "--print-recipe"), "--print-recipe and --dry-run cannot be combined"),
        (("net.yaml", "--preview", "x.png", "--print-recipe"), "cannot be combined"),
        (("net.yaml", "--format", "json"), "--format is for the page of --dry-run"),
    ],
)
def test_what_cannot_be_combined(words: tuple[str, ...], message: str) -> None:
    code, _, errors = call("train", *words)
    assert code == 2
    assert message in errors


def test_the_peak_of_a_device_that_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []

    def reset(_: torch.device) -> None:
        happened.append("reset")

    def peak(_: torch.device) -> int:
        happened.append("peak")
        return 123 * 2**20

    counting = BACKENDS["cpu"]._replace(reset_peak=reset, peak=peak)
    monkeypatch.setattr("cnncli.training.launch.dry_run.BACKENDS", {"cpu": counting})
    assert document()["memory"]["measured"] == 123 * 2**20
    assert happened == ["reset", "peak"]
    assert "peak on cpu: 123.0 MiB, measured" in call("train", "net.yaml", "--dry-run")[1]
    assert content(folder) == ["net.yaml"]


def test_memory_that_cannot_be_predicted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of a kind from a plug-in without a memory rule."""

    def unknown(*_: object) -> None:
        raise usage_error("the memory of 'mine' is not known")

    monkeypatch.setattr("cnncli.analysis.memory.slices.step_peak", unknown)
    assert document()["memory"]["predicted"] is None
    text = call("train", "net.yaml", "--dry-run")[1]
    assert "memory of a step with a batch of 64: the memory of 'mine' is not known\n" in text
    assert content(folder) == ["net.yaml"]


# -- signals ---------------------------------------------------------------------------------------

SLOW_STEPS = """
import sys, time
import cnncli.training.loop as loop
step = loop.step
def slow(*given):
    print("step", flush=True)
    time.sleep(0.5)
    step(*given)
loop.step = slow
from cnncli.cli import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sent", "times"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGTERM, 1), (signal.SIGUSR1, 1)]
)
def test_a_signal_leaves_nothing_either(sent: signal.Signals, times: int, folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_STEPS, "train", "net.yaml", "--dry-run", "--device", "cpu"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,  # noqa: PLW1509 - the tests start no threads
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "step\n"
        assert len(content(folder)) > 1
        for _ in range(times):
            process.send_signal(sent)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + sent, errors
    assert "carried out" not in output
    assert "Traceback" not in errors
    assert content(folder) == ["net.yaml"]
