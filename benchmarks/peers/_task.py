"""What every tool of the resume table trains, and the log of what it learns from.

Every image is a class of its own, so the labels of a batch say which samples are in it, however they were
augmented. The held-out part is made of some of the same images.
"""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.data import Dataset
from torch.utils.hooks import RemovableHandle

from benchmarks.train_speed import PADDING, augmented
from cnncli.graph import open_spec
from cnncli.network import Network, build_network
from cnncli.training.data.sources import digits

SEED: Final = 1
EPOCHS: Final = 4
BATCH: Final = 16
BATCHES: Final = 24
"""Steps of an epoch."""
SAMPLES: Final = BATCH * BATCHES
HELD_OUT: Final = 256
HELD_OUT_BATCH: Final = 128
SAVED_EVERY: Final = 6
"""Steps from one checkpoint to the next; some are at the border of an epoch."""
LR: Final = 0.05
MOMENTUM: Final = 0.9

_SPEC: Final = f"""
name: samples
input: [1, 8, 8]
layers:
  - conv: {{channels: 8, kernel: 3, norm: batch, activation: relu}}
  - flatten
  - dropout: 0.3
  - linear: {SAMPLES}
train:
  data: "npz:DATA"
  seed: {SEED}
  epochs: {EPOCHS}
  batch: {BATCH}
  transforms: [crop: {PADDING}, flip]
  optimizer: {{sgd: {{lr: {LR}, momentum: {MOMENTUM}, weight_decay: 0}}}}
  schedule: constant
  save: {{steps: {SAVED_EVERY}}}
"""


class Task(NamedTuple):
    """The files of what is trained: the images, and the spec of the network and of its training by cnncli."""

    data: Path
    spec: Path

    def network(self) -> Network:
        """Return the network with initial weights, drawn from torch's generator."""
        return build_network(open_spec(str(self.spec)).graph)


def write_task(folder: Path) -> Task:
    """Write the files of the task into a folder."""
    task = Task(folder / "samples.npz", folder / "samples.yaml")
    pixels = digits.load((1, 8, 8), "crop").train.rows.take(slice(SAMPLES)).numpy()
    labels = np.arange(SAMPLES)
    held_out = slice(HELD_OUT)
    np.savez(task.data, x_train=pixels, y_train=labels, x_test=pixels[held_out], y_test=labels[held_out])
    task.spec.write_text(_SPEC.replace("DATA", str(task.data)), encoding="utf-8")
    return task


class Samples(Dataset[tuple[Tensor, Tensor]]):
    """A part of the images, ``train`` or ``test``; the first is cropped and mirrored at random."""

    def __init__(self, task: Task, part: str) -> None:
        with np.load(task.data) as arrays:
            self.images = torch.from_numpy(arrays[f"x_{part}"])
            self.labels = torch.from_numpy(arrays[f"y_{part}"])
        self.augmented = part == "train"

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.images[index].float() / 255
        return ((augmented(image) if self.augmented else image) - 0.5) / 0.25, self.labels[index]


class Moment(NamedTuple):
    """When to kill: after this many ``batches`` of an epoch, those of its evaluation counted after them.

    Epochs count from 0.
    """

    epoch: int
    batches: int


class Watch:
    """Logs what a process learns from, and kills it at a moment, or at the first one after it."""

    def __init__(self, log: Path, moment: Moment | None) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._moment = moment
        self._place = Moment(0, 0)

    def begun(self, steps: int) -> None:
        """Log how many steps were taken before this process, by the checkpoint that it begins with."""
        self._write({"begun": steps})

    def learned(self, epoch: int, batches: int, steps: int, labels: Tensor) -> None:
        """Log a step that was taken; ``batches`` of the epoch and ``steps`` of the training include it."""
        self._write({"step": steps, "epoch": epoch, "labels": labels.tolist()})
        self._reached(Moment(epoch, batches))

    def evaluations(self) -> RemovableHandle:
        """Return a context in which the batches of evaluations count too, in this whole process."""
        return register_module_forward_hook(self._forwarded)

    def _forwarded(self, module: nn.Module, _inputs: object, _output: object) -> None:
        """Count the batches of an evaluation."""
        if isinstance(module, Network) and not module.training and self._place.batches >= BATCHES:
            self._reached(Moment(self._place.epoch, self._place.batches + 1))

    def _write(self, event: dict[str, object]) -> None:
        os.write(self._log, f"{json.dumps(event)}\n".encode())

    def _reached(self, place: Moment) -> None:
        self._place = place
        if self._moment is not None and place >= self._moment:
            os.kill(os.getpid(), signal.SIGKILL)
