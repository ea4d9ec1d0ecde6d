"""What several tests of training share: a small network with dropout and batch norm, few real digits."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnncli.language.sections import Train
from cnncli.results.training import Epoch, Progress
from cnncli.training.data import load as data
from cnncli.training.data.dataset import Dataset, Split
from cnncli.training.loop import Outcome, seed_weights, train
from cnncli.training.observer import Observer
from cnncli.training.runs.run import Run, create_run, open_run

CPU = torch.device("cpu")
SPEC = "name: small\n"


def small_network(classes: int = 10) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3),
        nn.Linear(4 * 6 * 6, classes),
    )


class TwoHeads(nn.Module):
    """A network with a main head, and one more in training only."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU())
        self.aux = nn.Linear(16, classes)
        self.main = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.trunk(x)
        heads = {"aux": self.aux(features)} if self.training else {}
        return heads | {"main": self.main(features)}


def settings(**changes: Any) -> Train:
    return Train(**{"epochs": 3, "batch": 32, "lr": 0.05, "warmup": 1.0, "seed": 7} | changes)


@cache
def few_digits(train_images: int = 200, test_images: int = 60) -> Dataset:
    """Real digits of 8x8, unscaled; 200 images make 6 batches of 32 and one of 8."""
    whole = data.load("digits", (1, 8, 8), "resize")
    return Dataset(
        whole.name,
        whole.classes,
        Split(whole.train.images[:train_images], whole.train.labels[:train_images]),
        Split(whole.test.images[:test_images], whole.test.labels[:test_images]),
    )


def begin(folder: Path, chosen: Train, dataset: Dataset | None = None) -> Run:
    return create_run(
        folder,
        name="small",
        spec=SPEC,
        settings=chosen,
        dataset=dataset or few_digits(),
        device=CPU,
    )


def go_on(
    folder: Path, chosen: Train, observer: Observer | None = None, **options: Any
) -> tuple[nn.Module, Outcome]:
    """Train the run in ``folder`` on, as a new process would: from the folder and the seed alone."""
    seed_weights(chosen.seed)
    network = small_network()
    outcome = train(
        network,
        few_digits(),
        chosen,
        open_run(folder),
        device=CPU,
        observer=observer,
        update_seconds=0,
        **options,
    )
    return network, outcome


def run_whole(folder: Path, chosen: Train) -> tuple[nn.Module, Outcome]:
    begin(folder, chosen)
    return go_on(folder, chosen)


def same_weights(left: nn.Module, right: nn.Module) -> bool:
    ours, theirs = left.state_dict(), right.state_dict()
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def figures(history: tuple[Epoch, ...]) -> list[tuple[float, ...]]:
    """What must be the same however often a run was stopped: all but the times."""
    return [
        (each.epoch, each.lr, each.train_loss, each.train_accuracy, each.test_loss, each.test_accuracy)
        for each in history
    ]


class Recorder:
    """An observer that keeps all it is told, and calls ``at_progress`` with each progress."""

    def __init__(self, at_progress: Any = None) -> None:
        self.progress: list[Progress] = []
        self.epochs: list[Epoch] = []
        self._at_progress = at_progress

    def progressed(self, progress: Progress) -> None:
        self.progress.append(progress)
        if self._at_progress is not None:
            self._at_progress(progress)

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        assert epochs >= metrics.epoch
        self.epochs.append(metrics)


def read_metrics(run: Run) -> tuple[Epoch, ...]:
    """The lines of ``metrics.jsonl``; while a run is going on, the last may be unfinished."""
    if not run.metrics.exists():
        return ()
    lines = run.metrics.read_text(encoding="utf-8").split("\n")[:-1]
    return tuple(Epoch(**json.loads(line)) for line in lines)
