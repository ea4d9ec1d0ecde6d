"""Validation, early stopping and over-fitting as they are typed and shown."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from cnncli.cli.app import application

runner = CliRunner()
SPEC = """
name: tiny
input: [1, 8, 8]
layers: [flatten, linear: 64, relu, linear: 10]
train:
  data: {source: digits, limit: 0.05}
  epochs: 100
  batch: 16
  optimizer: {sgd: {lr: 0.1, weight_decay: 0}}
  schedule: constant
"""


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.yaml"
    path.write_text(SPEC)
    return path


def call(*arguments: str | int | Path) -> tuple[int, str, str]:
    result = runner.invoke(application(), [*map(str, arguments)], env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def lines(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


def test_a_training_that_stops_early(spec: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    code, text, errors = call("train", spec, "--run", run, "--set", "train.stop=10", "--device", "cpu")
    assert code == 0, errors
    assert "65 images to train on, 143 for validation, 359 held out" in text
    assert (
        "143 of 1,438 training images split off as the validation part, the same share of each class; "
        "train.stop or train.schedule.plateau needs one, and train.data.holdout sets its share"
    ) in text
    assert "\nstops after 10 epochs without a better val.loss\n" in text
    assert "\nmeasures the test part once, with the weights of the epoch with the best val.loss\n" in text
    assert re.search(r"epoch +lr +train loss +accuracy +val loss +accuracy", text)

    losses = [each["val.loss"] for each in lines(run)]
    best = losses.index(min(losses)) + 1
    assert len(losses) == best + 10 < 100
    reason = f"stopped after epoch {best + 10}: no better val.loss since epoch {best}"
    assert f"\n{reason}\nthe best val.loss of {best + 10} epochs is that of epoch {best}\n" in text
    outcome = json.loads((run / "run.json").read_text())["outcome"]
    assert (outcome["epoch"], outcome["reason"]) == (best, reason)

    # Both parts can be measured again, with these weights.
    for part in ("test", "val"):
        code, found, errors = call("evaluate", run, "--split", part, "--format", "json", "--device", "cpu")
        assert code == 0, errors
        page = json.loads(found)
        assert page["part"] == part
        expected = outcome["figures"] if part == "test" else lines(run)[best - 1]
        details = {"precision", "recall", "ece"}
        assert details < page["figures"].keys()
        for name in page["figures"].keys() - details:
            assert page["figures"][name] == expected[f"{part}.{name}"]
    shown = call("evaluate", run, "--split", "val")[1]
    assert "\nval accuracy" in shown
    assert "measured the 143 validation images of digits" in shown
    assert "\ntest accuracy" in call("evaluate", run)[1]

    # It is over-fitted, and there is something to do about it that is not done yet.
    assert f"over-fits since epoch {best}: val.loss rose from {min(losses):.4f} to" in text
    offered = re.findall(
        r"^  ([a-z ]+): ", text.partition("what helps, and is not used yet:")[2], re.MULTILINE
    )
    assert offered == [
        "more data",
        "a smaller network",
        "a penalty on weights",
        "dropout",
        "another task",
        "data augmentation",
        "transfer learning",
    ]
    assert outcome["overfitting"].startswith(f"over-fits since epoch {best}: ")

    code, text, errors = call("train", "--resume", run, "--set", "train.epochs=200")
    assert code == 0, errors
    assert f"\n{reason}; more epochs do not change that\n" in text
    assert "continues after" not in text
    assert f"\n{reason}\nthe best val.loss of {best + 10} epochs is that of epoch {best}\n" in text
    assert len(lines(run)) == best + 10


def test_the_last_weights_can_be_measured(spec: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ("--set", "train.data.holdout=0.1", "--set", "train.epochs=12", "--device", "cpu")
    code, text, errors = call("train", spec, "--run", run, *options)
    assert code == 0, errors
    best = json.loads((run / "run.json").read_text())["outcome"]["epoch"]
    assert f"\nthe best val.accuracy of 12 epochs is that of epoch {best}\n" in text
    for which, epoch, name in (
        ([], best, "best.safetensors"),
        (["--weights", "best"], best, "best.safetensors"),
        (["--weights", "last"], 12, "weights.safetensors"),
    ):
        found = call("evaluate", run, "--split", "val", *which, "--format", "json", "--device", "cpu")[1]
        page = json.loads(found)
        every_epoch = page["figures"].keys() - {"precision", "recall", "ece"}
        figures = {f"val.{name}": page["figures"][name] for name in every_epoch}
        assert figures.items() <= lines(run)[epoch - 1].items()
        assert f"with the weights in {name}" in page["notes"]
    code, _, errors = call("evaluate", run, "--weights", "worst")
    assert (code, "no such weights" in errors) == (2, True)


def test_a_training_that_does_not(spec: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ("--set", "train.epochs=2", "--device", "cpu")
    code, text, errors = call("train", spec, "--run", run, *options)
    assert code == 0, errors
    assert "validation" not in text
    assert "over-fits" not in text
    assert re.search(r"train loss +accuracy +test loss", text)
    outcome = json.loads((run / "run.json").read_text())["outcome"]
    assert (outcome["epoch"], outcome["reason"], outcome["overfitting"]) == (2, "", "")
    assert outcome["figures"].items() <= lines(run)[-1].items()
    code, _, errors = call("evaluate", run, "--split", "val")
    assert code == 2
    assert "has no validation part to measure" in errors
    assert call("evaluate", run, "--split", "train")[0] == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["train.stop=5", "train.data.holdout=0"], "train.stop needs a validation part"),
        (["train.stop.metric=psnr"], "train.stop.metric: psnr is not measured"),
        (["train.stop.metric=head.loss"], "the network has no head 'head'"),
        (["train.data.holdout=0.95"], "'holdout' cannot be '0.95'"),
    ],
)
def test_what_cannot_be_done_is_said_before_a_folder_is_made(
    spec: Path, tmp_path: Path, settings: list[str], message: str
) -> None:
    options = [word for each in settings for word in ("--set", each)]
    code, _, errors = call("train", spec, "--run", tmp_path / "run", *options)
    assert code == 2
    assert message in errors
    assert not (tmp_path / "run").exists()


def test_another_stop_is_another_run(spec: Path, tmp_path: Path) -> None:
    call("train", spec, "--run", tmp_path / "run", "--set", "train.epochs=1", "--device", "cpu")
    code, _, errors = call("train", "--resume", tmp_path / "run", "--set", "train.stop=5")
    assert code == 2
    assert "stop: nothing, not patience and metric" in errors


@pytest.mark.slow
def test_killed_after_the_best_epoch_and_resumed(spec: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "cnncli", "train"]
    new = [str(spec), "--set", "train.stop={patience: 60, metric: loss}", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def whole(folder: Path) -> None:
        run = [*command, *new, "--run", str(folder)]
        subprocess.run(run, check=True, env=environment, stdout=subprocess.DEVNULL)

    whole(tmp_path / "whole")
    run = tmp_path / "run"
    with subprocess.Popen(
        [*command, *new, "--run", str(run)], env=environment, stdout=subprocess.DEVNULL
    ) as process:
        metrics = run / "metrics.jsonl"
        while not metrics.exists() or metrics.read_text().count("\n") < 20:
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
    assert json.loads((run / "run.json").read_text())["status"] == "running"
    subprocess.run([*command, "--resume", str(run)], check=True, env=environment, stdout=subprocess.DEVNULL)
    ours, theirs = (load_file(each / "weights.safetensors") for each in (run, tmp_path / "whole"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    ends = [json.loads((each / "run.json").read_text())["outcome"] for each in (run, tmp_path / "whole")]
    assert ends[0] == ends[1]
    assert ends[0]["reason"]
