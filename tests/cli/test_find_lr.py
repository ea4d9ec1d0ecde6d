"""``cnncli train --find-lr``: rates that are tried, the one that is suggested, and nothing left behind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

import cnncli
from cnncli.cli.app import application
from cnncli.cli.exit_codes import DIVERGED
from cnncli.diagnostics import CnncliError

SPEC = """\
name: small_lenet
input: [1, 8, 8]
layers:
  - conv: {channels: 6, kernel: 3, activation: relu}
  - maxpool: 2
  - flatten
  - linear: {features: 40, activation: relu}
  - linear: 10
train: {data: digits, epochs: 1, batch: 32, transforms: [crop: 1], schedule: constant}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.yaml").write_text(SPEC)
    return tmp_path


def call(*words: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), ["train", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def document(*words: str) -> dict[str, Any]:
    code, text, errors = call("net.yaml", "--find-lr", "--device", "cpu", *words, "--format", "json")
    assert (code, errors) == (0, "")
    found: dict[str, Any] = json.loads(text)
    return found


def content(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def loss(rate: float, optimizer: str) -> float:
    """The loss after an epoch; infinite if the training has diverged."""
    network = cnncli.load("net.yaml", overrides={f"train.optimizer.{optimizer}.lr": rate})
    try:
        return network.train(device="cpu").history[-1].figures["test.loss"]
    except CnncliError as error:
        return float("inf") if error.diagnostics[0].code == "diverged" else -1.0


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.usefixtures("folder")
def test_the_suggested_rate_is_better_than_much_smaller_and_larger_ones(optimizer: str) -> None:
    suggested = document("--set", f"train.optimizer={optimizer}")["suggestion"]["lr"]
    small, good, large = (loss(factor * suggested, optimizer) for factor in (0.01, 1, 100))
    assert good < 0.7 * min(small, large)


@pytest.mark.slow
def test_nothing_is_kept_but_the_picture(folder: Path) -> None:
    found = document("--output", "curve.svg")
    assert content(folder) == ["curve.svg", "net.yaml"]
    assert ET.parse("curve.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own
    assert found["picture"] == "curve.svg"
    assert (found["name"], found["optimizer"], found["lr"]) == ("small_lenet", "sgd", 0.05)
    rates = [each["lr"] for each in found["rates"]]
    assert (rates[0], rates == sorted(rates), found["exploded"]) == (1e-6, True, True)
    assert document()["rates"] == found["rates"]


def test_the_page(folder: Path) -> None:
    Path("recipe.yaml").write_text("optimizer: {adamw: {lr: 0.5}}\nbatch: 16\n")
    words = ("net.yaml", "--find-lr", "--recipe", "recipe.yaml", "--data", "digits", "--limit", "0.5")
    code, text, errors = call(*words, "--device", "cpu", "-o", "curve.png")
    assert (code, errors) == (0, "")
    lines = text.splitlines()
    assert lines[0] == "small_lenet: learning-rate range test on cpu"
    assert lines[1].startswith("suggested: train.optimizer.adamw.lr=0.0")
    assert lines[1].endswith("; the recipe has 0.5")
    assert "transforms of training images: crop (padding 1, fill 0)" in lines
    assert any("batch 16" in line for line in lines)
    assert "the curve is in curve.png" in lines
    assert content(folder) == ["curve.png", "net.yaml", "recipe.yaml"]


@pytest.mark.usefixtures("folder")
def test_a_loss_that_explodes_at_once() -> None:
    code, text, errors = call("net.yaml", "--find-lr", "--set", "train.penalty.l2=1e12", "--device", "cpu")
    assert (code, text) == (DIVERGED, "")
    assert "the loss explodes at a learning rate of 1.2e-06, after 2 steps" in errors


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("net.yaml", "--find-lr", "-o", "net.yaml"), "net.yaml does not end in .svg or .png"),
        (("net.yaml", "--find-lr", "-o", "no/curve.svg"), "no such folder: no"),
        (("net.yaml", "-o", "curve.svg"), "--output is for the curve of --find-lr"),
        (("net.yaml", "--find-lr", "--run", "new"), "--find-lr trains nothing, so there is no run"),
        (("net.yaml", "--find-lr", "--dry-run"), "--dry-run and --find-lr cannot be combined"),
        (("--resume", "x", "--find-lr"), "--resume takes spec, settings and folder"),
        (("net.yaml", "--find-lr", "--set", "train.batch=0"), "'batch' cannot be '0'"),
    ],
)
def test_what_cannot_be_done(words: tuple[str, ...], message: str) -> None:
    code, _, errors = call(*words)
    assert code == 2
    assert message in errors
