"""Scenes, as a user trains on them: masks and tags, warped, mixed, corrupted, stopped within an epoch."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnncli
from cnncli.diagnostics import CnncliError
from tests.training.support import Killed, Recorder, kill, raise_at

SPEC = """
name: scenes
input: [1, 16, 16]
heads:
  where: [conv: {channels: 11, kernel: 3, padding: same}]
  which: [globalavgpool, linear: 10]
layers:
  - conv: {channels: 8, kernel: 3, padding: same, norm: batch, activation: relu}
train:
  data: {source: scenes, limit: 0.04}
  epochs: 2
  batch: BATCH
  transforms: [flip, rotate, brightness, mixup: {p: 0.4}, cutmix: {p: 0.4}]
  corrupt: [noise: 0.1]
  tasks: {which: {binary_cross_entropy: {}, target: labels}}
"""


def network(folder: Path, batch: int) -> cnncli.Architecture:
    path = folder / "net.yaml"
    path.write_text(SPEC.replace("BATCH", str(batch)))
    return cnncli.load(path)


def test_a_resumed_run_ends_as_the_whole_one_and_is_measured_as_its_last_epoch(tmp_path: Path) -> None:
    net = network(tmp_path, 16)
    whole = net.train(run=tmp_path / "whole", device="cpu")
    launch = net.begin(run=tmp_path / "run", device="cpu")
    with pytest.raises(Killed):
        launch.start(Recorder(raise_at(1, 3, "train", kill)), report_every=0)
    resumed = cnncli.resume(tmp_path / "run", device="cpu").start()
    assert [each.figures for each in resumed.history] == [each.figures for each in whole.history]
    last = whole.history[-1].figures
    measured = cnncli.evaluate(tmp_path / "run", device="cpu").figures
    assert measured == {name: last[f"test.{name}"] for name in measured}
    assert {"where.iou", "which.map"} <= measured.keys()
    assert 0 < last["train.where.accuracy"] < 1


def test_a_batch_of_one_is_mixed_with_itself(tmp_path: Path) -> None:
    """So nothing is mixed, and the training is that without."""
    net = cnncli.loads(SPEC.replace("norm: batch, ", "").replace("BATCH", "1"))
    mixed = net.train(run=tmp_path / "mixed", device="cpu", transforms=["mixup", "cutmix"], epochs=1)
    plain = net.train(run=tmp_path / "plain", device="cpu", transforms=[], epochs=1)
    for name, value in plain.history[0].figures.items():
        assert mixed.history[0].figures[name] == pytest.approx(value, rel=1e-3)


def test_an_order_that_cannot_be_is_refused_in_python_too(tmp_path: Path) -> None:
    with pytest.raises(CnncliError, match="'flip' cannot come after 'mixup', which mixes samples"):
        network(tmp_path, 16).train(run=tmp_path / "run", transforms=["mixup", "flip"], device="cpu")
    assert not (tmp_path / "run").exists()
