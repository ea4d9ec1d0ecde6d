"""Images per second of training LeNet-5 on Fashion-MNIST: cnncli against hand-written loops.

    python benchmarks/train_speed.py [--data DIR] [--images N] [--rounds N]

All train the same network from the same weights on the same images with the same normalization, optimizer,
batch size and shuffling, one after another in this process, in an order that changes every round:

- cnncli: ``cnncli.training.loop.train`` on the network built from specs/lenet5.yaml, including running
  accuracy, schedule and checks for interrupts; the time is the epoch's own ``seconds``, which exclude the
  evaluation and the checkpoint that follow it
- by hand: bytes in memory, an index per batch, forward, backward, step, and nothing else
- DataLoader: ``torch.utils.data.DataLoader`` over the same bytes, each image converted to a picture, then to
a
  tensor, and normalized in ``__getitem__``, as torchvision's data set with ToTensor and Normalize does
- DataLoader, lean: the same with a data set that does as little as possible; shown for comparison
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from cnncli.graph import open_spec
from cnncli.graph.heads import heads_of
from cnncli.network import build_network
from cnncli.recipe.data import Data
from cnncli.recipe.optimizers import SGD
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.schedules import Constant
from cnncli.training.data.dataset import Dataset, Split, labeled
from cnncli.training.data.load import load
from cnncli.training.data.normalization import measure
from cnncli.training.data.recorded import Normalization
from cnncli.training.loop import seed_weights, train
from cnncli.training.runs.run import create_run

BATCH = 128
LR = 0.05
MOMENTUM = 0.9
SPEC = Path(__file__).parents[1] / "specs" / "lenet5.yaml"
GOALS = {"by hand": 0.95, "DataLoader": 1.8}


def lenet5() -> nn.Module:
    """Return LeNet-5 as usually written today, by hand."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.Tanh(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120),
        nn.Tanh(),
        nn.Linear(120, 84),
        nn.Tanh(),
        nn.Linear(84, 10),
    )


def with_cnncli(dataset: Dataset, _normalization: Normalization) -> float:
    """Return the seconds of one epoch in cnncli's loop."""
    optimizer = SGD(lr=LR, momentum=MOMENTUM, weight_decay=0.0)
    settings = Recipe(epochs=1, batch=BATCH, optimizer=optimizer, schedule=Constant())
    cpu = torch.device("cpu")
    seed_weights(0)
    graph = open_spec(SPEC).graph
    network = build_network(graph)
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(
            Path(folder) / "run", name="lenet5", spec="", settings=settings, dataset=dataset, device=cpu
        )
        outcome = train(network, heads_of(graph), dataset, settings, run, device=cpu)
    if outcome.signal is not None:
        sys.exit(128 + outcome.signal)
    return outcome.history[0].seconds


def by_hand(dataset: Dataset, normalization: Normalization) -> float:
    """Return the seconds of one epoch in a minimal loop over the bytes in memory."""
    images, labels = dataset.train.images, dataset.train.labels
    mean, std = normalization.mean[0] * 255, normalization.std[0] * 255
    seed_weights(0)
    network = lenet5().train()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
    begun = time.perf_counter()
    for index in torch.randperm(len(labels)).split(BATCH):
        batch = (images[index].float() - mean) / std
        loss = functional.cross_entropy(network(batch), labels[index])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begun


class Pictures(TorchDataset[tuple[Tensor, int]]):
    """The work of torchvision's data set with ToTensor and Normalize: a picture, a tensor, normalized."""

    def __init__(self, split: Split, normalization: Normalization) -> None:
        self.images, self.labels = split.images[:, 0], split.labels
        self.mean, self.std = normalization.mean, normalization.std

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index].numpy())
        image = torch.from_numpy(np.array(picture)).unsqueeze(0).to(torch.float32).div(255)
        mean = torch.as_tensor(self.mean).view(-1, 1, 1)
        std = torch.as_tensor(self.std).view(-1, 1, 1)
        return image.sub_(mean).div_(std), int(self.labels[index])


class Tensors(TorchDataset[tuple[Tensor, Tensor]]):
    """The least that a data set over bytes in memory can do for one image."""

    def __init__(self, split: Split, normalization: Normalization) -> None:
        self.images, self.labels = split.images, split.labels
        self.mean, self.std = normalization.mean[0] * 255, normalization.std[0] * 255

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index].float().sub_(self.mean).div_(self.std), self.labels[index]


def over_loader(images: TorchDataset[Any]) -> float:
    """Return the seconds of one epoch in a minimal loop over a DataLoader."""
    loader = DataLoader(images, batch_size=BATCH, shuffle=True)
    seed_weights(0)
    network = lenet5().train()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
    begun = time.perf_counter()
    for batch, labels in loader:
        loss = functional.cross_entropy(network(batch), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begun


def with_pictures(dataset: Dataset, normalization: Normalization) -> float:
    """Return the seconds of one epoch over a DataLoader, the way tutorials do it."""
    return over_loader(Pictures(dataset.train, normalization))


def with_tensors(dataset: Dataset, normalization: Normalization) -> float:
    """Return the seconds of one epoch over a DataLoader whose data set does as little as possible."""
    return over_loader(Tensors(dataset.train, normalization))


CONTENDERS: dict[str, Callable[[Dataset, Normalization], float]] = {
    "cnncli": with_cnncli,
    "by hand": by_hand,
    "DataLoader": with_pictures,
    "DataLoader, lean": with_tensors,
}


def measure_all(dataset: Dataset, rounds: int) -> dict[str, list[float]]:
    """Return the images per second of each contender in each round, after one round that is not counted."""
    normalization = measure(dataset.train.rows)
    speeds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    names = list(CONTENDERS)
    for round_ in range(-1, rounds):
        # Each contender has every position in the order equally often.
        first = round_ % len(names)
        for name in (*names[first:], *names[:first]):
            seconds = CONTENDERS[name](dataset, normalization)
            if round_ >= 0:
                speeds[name].append(dataset.train.count / seconds)
    return speeds


def main() -> int:
    """Measure, print, and fail if a goal is missed."""
    parser = argparse.ArgumentParser(description="Images per second of training LeNet-5 on Fashion-MNIST.")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="folder of the idx files")
    parser.add_argument("--images", type=int, default=10000, help="images of an epoch")
    parser.add_argument("--rounds", type=int, default=8, help="rounds that are counted")
    arguments = parser.parse_args()

    whole = load(Data(source=f"idx:{arguments.data}"), (1, 32, 32))
    part = labeled(whole.train.images[: arguments.images], whole.train.labels[: arguments.images])
    # One held-out image, since the evaluation after the epoch is not measured.
    test = labeled(whole.test.images[:1], whole.test.labels[:1])
    speeds = measure_all(Dataset(whole.name, whole.columns, part, test), arguments.rounds)

    print(f"LeNet-5, batch {BATCH}, {part.count:,} images an epoch, medians of {arguments.rounds} rounds")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for name, values in speeds.items():
        middle, least, most = statistics.median(values), min(values), max(values)
        print(f"{name:>16}: {middle:8,.0f} images/s ({least:,.0f} to {most:,.0f})")
    return report_ratios(speeds)


def report_ratios(speeds: dict[str, list[float]]) -> int:
    """Print the ratios; return 1 if a goal is missed."""
    missed = 0
    for other in list(CONTENDERS)[1:]:
        # Ratios are taken within a round, so that a machine that slows down meanwhile affects both alike.
        ratio = statistics.median(
            ours / theirs for ours, theirs in zip(speeds["cnncli"], speeds[other], strict=True)
        )
        goal = GOALS.get(other)
        verdict = "no goal" if goal is None else f"goal {goal}: {'met' if ratio >= goal else 'MISSED'}"
        missed |= goal is not None and ratio < goal
        print(f"cnncli / {other:<16}: {ratio:.3f} ({verdict})")
    return missed


if __name__ == "__main__":
    sys.exit(main())
