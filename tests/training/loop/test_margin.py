"""A training on images with a margin, as a user starts it: the run keeps how it is measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import cnncli
from cnncli.diagnostics import CnncliError
from cnncli.graph import open_text
from tests.training.support import Recorder, press_ctrl_c, raise_at

SPEC = """
input: [1, 20, 16]
layers:
  - conv: {channels: 6, kernel: 3, padding: same, activation: relu}
  - conv: {channels: 11, kernel: 1}
train:
  epochs: 2
  batch: 50
  data: {source: scenes, limit: 0.1, margin: 4}
  transforms: [crop: 0, flip]
"""


@pytest.mark.parametrize("how", ["centercrop", "resize"])
def test_every_later_command_measures_as_the_run_says(tmp_path: Path, how: str) -> None:
    network = cnncli.loads(SPEC, overrides=[f"train.evaluation={how}"])
    trained = network.train(run=tmp_path / "run", device="cpu")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["data"]["input"] == [1, 28, 24]
    assert record["settings"]["evaluation"] == how
    last = trained.history[-1].figures
    again = cnncli.evaluate(tmp_path / "run", device="cpu").figures
    assert {f"test.{name}": value for name, value in again.items()}.items() <= last.items()


def test_an_interrupted_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    text = SPEC.replace("[crop: 0, flip]", "[resizedcrop, rotate, flip]")
    cnncli.loads(text).train(run=tmp_path / "whole", device="cpu")
    launch = cnncli.loads(text).begin(run=tmp_path / "run", device="cpu")
    stopped = launch.start(Recorder(raise_at(2, 2, "train", press_ctrl_c)), report_every=0)
    assert stopped.status == "interrupted"
    cnncli.resume(tmp_path / "run", device="cpu").start()
    ours, theirs = (load_file(tmp_path / name / "weights.safetensors") for name in ("run", "whole"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    ("text", "message", "pointed"),
    [
        (SPEC.replace(", margin: 4", ""), "'crop' without padding has no effect", "[crop"),
        (
            "input: [64]\nlayers: [linear: 10]\ntrain: {data: {margin: 2}}",
            "only pictures have a margin",
            "2}}",
        ),
        (
            "input: [1, 8, 8]\nlayers: [flatten, linear: 10]\ntrain: {evaluation: resize}",
            "'resize' has no effect on images without a margin",
            "resize}",
        ),
    ],
)
def test_what_has_no_effect_is_an_error_with_its_place(text: str, message: str, pointed: str) -> None:
    with pytest.raises(CnncliError) as caught:
        open_text(text)
    (found,) = caught.value.diagnostics
    assert found.message.startswith(message)
    assert found.location is not None
    line = text.splitlines()[found.location.line - 1]
    assert line[found.location.column - 1 :].startswith(pointed)


def test_the_target_input_has_no_margin(tmp_path: Path) -> None:
    text = """
input: [1, 8, 8]
layers: [conv: {channels: 1, kernel: 1}]
train: {data: {margin: 2}, tasks: {output: {mse: {}, target: input}}, epochs: 1}
"""
    trained = cnncli.loads(text).train(run=tmp_path / "run", device="cpu")
    assert trained.status == "finished"  # the target is the image without its margin, as the network sees it


def test_the_preview_shows_what_is_trained_on(tmp_path: Path) -> None:
    shown = cnncli.loads(SPEC).preview(tmp_path / "out.png")
    assert shown.samples == 8
    assert (tmp_path / "out.png").stat().st_size > 1000
