"""What several tests of training share: a small network with dropout and batch norm, few real digits."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from cnncli.graph.heads import Head, Heads
from cnncli.recipe.data import Data
from cnncli.recipe.recipe import Recipe, recipe_from_json
from cnncli.results.training import Epoch, Progress, Trained
from cnncli.training.computing import choose_computing
from cnncli.training.conduct import Conduct
from cnncli.training.data import load as data
from cnncli.training.data.dataset import Dataset, labeled, of_classes
from cnncli.training.data.feed import Batch
from cnncli.training.evaluate import Manner
from cnncli.training.loop import seed_weights, train
from cnncli.training.observer import Observer, Silent
from cnncli.training.plan import Subject
from cnncli.training.runs.run import Run, create_run, open_run
from cnncli.training.tasks.building import Learned, build_objective
from cnncli.training.tasks.objective import Objective
from cnncli.training.world import ALONE, World

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


HEADS = {"output": Head((10,))}
TWO_HEADS = {"aux": Head((10,), training_only=True), "main": Head((10,))}


def learned(classes: int = 10, input_shape: tuple[int, ...] = (1, 8, 8)) -> Learned:
    """Data of this number of classes, each with one sample."""
    columns = of_classes([str(number) for number in range(classes)])
    return Learned(columns, input_shape, lambda _: torch.ones(classes, dtype=torch.int64))


def objective(heads: Heads | None = None, classes: int = 10, chosen: Recipe | None = None) -> Objective:
    """What heads are trained and measured by; a recipe says nothing of them unless one is given."""
    return build_objective(heads or HEADS, chosen or Recipe(), learned(classes))


def as_trained(network: nn.Module) -> Manner:
    """An evaluation as that of a training: to the bit, it depends on the order of numbers in memory."""
    computing = choose_computing(Recipe(), CPU, network)
    computing.place(network)
    return Manner(forward=computing.forward(network))


def of_labels(labels: Tensor) -> Batch:
    """A batch of samples with these labels, whose inputs do not matter."""
    return Batch(torch.empty(len(labels), 0), {"label": labels})


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


BRIEF = {
    "epochs": 3,
    "batch": 32,
    "seed": 7,
    "optimizer": {"sgd": {"lr": 0.05}},
    "schedule": {"cosine": {"warmup": 1}},
}
"""A recipe for few digits, as a spec would contain it."""


def settings(**changes: Any) -> Recipe:
    """The brief recipe with other values, in the form of a spec, for some of its settings."""
    return recipe_from_json(BRIEF | changes)


@cache
def few_digits(train_images: int = 200, test_images: int = 60) -> Dataset:
    """Real digits of 8x8, unscaled; 200 images make 6 batches of 32 and one of 8."""
    whole = data.load(Data(source="digits"), (1, 8, 8))
    return Dataset(
        whole.name,
        whole.columns,
        labeled(whole.train.images[:train_images], whole.train.labels[:train_images]),
        labeled(whole.test.images[:test_images], whole.test.labels[:test_images]),
    )


def begin(folder: Path, chosen: Recipe, dataset: Dataset | None = None) -> Run:
    return create_run(
        folder,
        name="small",
        spec=SPEC,
        settings=chosen,
        dataset=dataset or few_digits(),
        device=CPU,
    )


def resume(
    folder: Path, chosen: Recipe, observer: Observer | None = None, world: World = ALONE
) -> tuple[nn.Module, Trained]:
    """Train the run in ``folder`` on, as a new process would: from the folder and the seed alone."""
    seed_weights(chosen.seed)
    network = small_network()
    outcome = train(
        Subject(network, HEADS),
        few_digits(),
        chosen,
        open_run(folder),
        device=CPU,
        observer=observer,
        conduct=Conduct(report=0, world=world),
    )
    return network, outcome


def run_whole(folder: Path, chosen: Recipe) -> tuple[nn.Module, Trained]:
    begin(folder, chosen)
    return resume(folder, chosen)


def same_weights(left: nn.Module, right: nn.Module) -> bool:
    ours, theirs = left.state_dict(), right.state_dict()
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def same_tensors(left: Path, right: Path) -> bool:
    """Whether two safetensors files have the same tensors to the last bit, NaN excluded."""
    ours, theirs = load_file(left), load_file(right)
    return list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in ours)


def figures(history: tuple[Epoch, ...]) -> list[tuple[object, ...]]:
    """What must be the same however often a run was stopped: all but the times."""
    return [(each.epoch, each.lr, *each.figures.items()) for each in history]


def of_part(metrics: Epoch, part: str) -> dict[str, float]:
    """The figures of the training part or of the held-out part, without its name."""
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): value for name, value in metrics.figures.items() if name.startswith(prefix)
    }


class Recorder(Silent):
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
    return tuple(map(_epoch, lines))


def _epoch(line: str) -> Epoch:
    values = json.loads(line)
    figures = {name: values.pop(name) for name in list(values) if "." in name}
    return Epoch(**values, figures=figures)


class Killed(BaseException):
    """Ends the process's work at once, as kill -9 would: nothing may catch it and tidy up."""


def raise_at(epoch: int, batch: int, phase: str, act: Callable[[], None]) -> Callable[[Progress], None]:
    def at_progress(progress: Progress) -> None:
        if (progress.epoch, progress.batch, progress.phase) == (epoch, batch, phase):
            act()

    return at_progress


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


def kill() -> None:
    raise Killed


def assert_same_result(folder: Path, network: nn.Module, whole: Path, reference: nn.Module) -> None:
    """Weights, files and figures of two runs are the same to the last bit."""
    assert same_weights(network, reference)
    run, other = open_run(folder), open_run(whole)
    assert figures(read_metrics(run)) == figures(read_metrics(other))
    for ours, theirs in ((run.weights, other.weights), (run.best, other.best)):
        assert ours.exists() == theirs.exists()
        assert not ours.exists() or same_tensors(ours, theirs)
    assert run.record.status == "finished"
    assert {path.name for path in folder.iterdir()} == {path.name for path in whole.iterdir()}
