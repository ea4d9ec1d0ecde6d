"""What each of two processes does in ``test_together.py``; it gets the folder that both write to."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from torch import nn

import cnncli
from cnncli.diagnostics import CnncliError
from cnncli.recipe.recipe import Recipe
from cnncli.results.training import Trained
from cnncli.training.conduct import Conduct
from cnncli.training.data.feed import Batch
from cnncli.training.loop import seed_weights, train
from cnncli.training.observer import Silent
from cnncli.training.plan import Plan, Subject
from cnncli.training.runs.followed import followed
from cnncli.training.runs.run import open_run
from cnncli.training.state import State
from cnncli.training.step import step
from cnncli.training.world import joined
from tests.live_memory import Living
from tests.training.support import CPU, HEADS, Recorder, begin, few_digits, raise_at, settings, small_network

IMAGES = 203
"""Six batches of 33 have shares of 16 and 17, and the last one has shares of 2 and 3."""

EVERYTHING = settings(
    batch=33,
    transforms=["crop", "mixup"],
    accumulate=2,
    clip={"norm": 1.0},
    average={"ema": 0.9},
    penalty={"l2": 0.01},
    optimizer={"sgd": {"lr": 0.05}},
)
SYNCHRONIZED = settings(batch=33, sync_batchnorm=True, epochs=2)
DROPPING = settings(save={"steps": 2})

PLANNED = """
name: planned
input: [1, 8, 8]
layers:
  - conv: {channels: 6, kernel: 3, padding: same, activation: relu}
  - conv: {channels: 6, kernel: 3, padding: same, activation: relu}
  - globalavgpool
  - linear: 10
train:
  data: {source: digits, limit: 0.14, holdout: 0.1}
  batch: 59
"""
"""180 images: three batches of shares of 29 and 30, and one of 3, of which one process has none."""

SIZED: Mapping[str, Any] = {
    "flops": "60M",
    "resolution": 4,
    "memory": "150kB",
    "transforms": ["flip", "cutmix"],
    "average": {"swa": 0.3},
    "optimizer": {"sgd": {"lr": 0.5}},
    "schedule": {"plateau": {"patience": 1, "factor": 0.5}},
    "stop": 2,
}
HALVED: Mapping[str, Any] = {
    "epochs": 2,
    "batch": 36,
    "precision": "fp16",
    "clip": {"value": 0.01},
    "average": {"ema": 0.9},
    "recompute": ["conv1:conv1_activation"],
}
"""Five whole batches: two slices of each process are four of one, and 16 bits round as there."""

ROOMY = """
input: [1, 8, 8]
layers: [{convolutions}, flatten, linear: {width}, relu, linear: 10]
train: {{data: {{source: digits, limit: 0.14}}, batch: 61, epochs: 1}}
"""
"""Three batches with shares of 30 and 31, and one with two shares of 9."""

WIDE = ROOMY.format(convolutions="relu", width=2000)
"""A network whose steps need most while gradients are added up."""

LONG = ROOMY.format(convolutions="conv: {channels: 64, kernel: 3, padding: same}, relu", width=10)
"""One whose steps need most in a pass."""

THAWED = """
input: [1, 8, 8]
layers:
  - {conv: {channels: 6, kernel: 3, norm: batch, activation: relu}, name: stem}
  - {conv: {channels: 6, kernel: 3, norm: batch, activation: relu}, name: body}
  - globalavgpool
  - linear: 10
train:
  data: {source: digits, limit: 0.14}
  batch: 60
  epochs: 2
  sync_batchnorm: true
  groups: [{match: "stem*", freeze: true, unfreeze_at: 2}]
"""
"""A network whose first layers begin to learn, and to gather statistics, with the second epoch."""

DIVERGING: Mapping[str, Any] = {"optimizer": {"sgd": {"lr": 1e15}}, "schedule": "constant"}


def plain_network() -> nn.Module:
    """A network that treats each image by itself, and always in the same way."""
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 6, 10))


def normalizing_network() -> nn.Module:
    """One that treats an image in the light of all of its batch."""
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 10))


def trained(
    folder: Path,
    chosen: Recipe,
    build: Callable[[], nn.Module],
    at_progress: Callable[..., None] | None = None,
) -> Trained:
    """Train the run in a folder, which the first process creates, from its checkpoint or the beginning."""
    world, dataset = joined(), few_digits(IMAGES)
    if world.leads and not folder.exists():
        begin(folder, chosen, dataset)
    world.wait()
    seed_weights(chosen.seed)
    return train(
        Subject(build(), HEADS),
        dataset,
        chosen,
        followed(open_run(folder), world),
        device=CPU,
        observer=Recorder(at_progress) if world.leads else Silent(),
        conduct=Conduct(report=0.0, world=world),
    )


def planned(folder: Path, spec: str = PLANNED, **how: Any) -> str:
    """Train the network of a spec; return the error that ends the training."""
    try:
        cnncli.loads(spec).train(run=folder, device="cpu", **how)
    except CnncliError as error:
        return str(error)
    return ""


def check_memory(folder: Path, spec: str) -> None:
    """Compare what a step needs with what is said before the first one."""
    launch = cnncli.loads(spec).begin(run=folder, device="cpu", memory="1GiB")
    peaks = []

    def measured(plan: Plan, state: State, samples: Batch, batch: int) -> None:
        state.optimizer.zero_grad(set_to_none=True)
        kept = [each for own in state.optimizer.state.values() for each in own.values()]
        there = [*state.network.state_dict().values(), samples.inputs, *kept]
        with Living(there) as living:
            step(plan, state, samples, batch)
        peaks.append(int(living.peak) + sum(each.nbytes for each in there))

    with mock.patch("cnncli.training.loop.step", measured):
        launch.start()
    within = launch.introduction.within
    assert within is not None
    (peak,) = launch.world.largest(max(peaks))
    assert peak == pytest.approx(within.peak, rel=0.02), within


def stop() -> None:
    """Send a signal to this process alone."""
    os.kill(os.getpid(), signal.SIGUSR1)


def main(folder: Path) -> None:
    """Train several runs; check what only processes that are connected can show."""
    world = joined()
    rows = torch.full((world.rank * 2, 3), float(world.rank))
    assert torch.equal(world.gathered(rows), torch.ones(2, 3))
    assert world.told("first" if world.leads else "") == "first"
    spoken = torch.tensor([[world.speaks()]])
    assert world.gathered(spoken).flatten().tolist() == [True, False]
    trained(folder / "everything", EVERYTHING, plain_network)
    trained(folder / "synchronized", SYNCHRONIZED, normalizing_network)
    trained(folder / "whole", DROPPING, small_network)

    trained(folder / "begun by one", EVERYTHING, plain_network)
    found = trained(folder / "begun by two", EVERYTHING, plain_network, raise_at(2, 3, "train", stop))
    assert found.signal == signal.SIGUSR1
    for place in ((2, 3, "train"), (2, 0, "evaluate")):
        found = trained(folder / "stopped", DROPPING, small_network, raise_at(*place, stop))
        assert found.signal == signal.SIGUSR1, (world.rank, found)
    trained(folder / "stopped", DROPPING, small_network)
    assert not planned(folder / "sized", **SIZED)
    assert not planned(folder / "halved", accumulate=2, **HALVED)
    assert not planned(folder / "thawed", THAWED)
    said = planned(folder / "diverging", **DIVERGING)
    (folder / f"said by {world.rank}").write_text(said)
    for name, spec in (("wide", WIDE), ("long", LONG)):
        check_memory(folder / name, spec)
    world.leave()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
