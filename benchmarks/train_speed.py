"""Images per second of training LeNet-5 on Fashion-MNIST: cnncli against two hand-written loops.

    python benchmarks/train_speed.py [--data DIR] [--images N] [--rounds N]

All three train the same network from the same weights on the same images with the same normalisation,
optimiser, batch size and shuffling, one after another in this process, in an order that changes every round:

- cnncli: ``cnncli.training.loop.train`` on the network compiled from specs/lenet5.yaml, with all that it does
  besides (running accuracy, schedule, looking for interrupts); its own ``seconds`` for the epoch, which leave
  out the evaluation and the checkpoint that follow it
- by hand: bytes in memory, an index per batch, forward, backward, step, and nothing else
- DataLoader: ``torch.utils.data.DataLoader`` over the same bytes, each image made a normalised float tensor
  by the data set's ``__getitem__``, as ToTensor and Normalize do
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from cnncli.spec.sections import Train
from cnncli.training.data import load
from cnncli.training.dataset import Dataset, Split
from cnncli.training.loop import seed_weights, train
from cnncli.training.normalisation import Normalisation, measure
from cnncli.training.runs import create_run

BATCH = 128
LR = 0.05
MOMENTUM = 0.9
GOALS = {"by hand": 0.95, "DataLoader": 1.8}


def lenet5() -> nn.Module:
    """LeNet-5 as usually written today, by hand."""
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


def with_cnncli(dataset: Dataset, normalisation: Normalisation) -> float:
    """Seconds of one epoch in cnncli's loop."""
    del normalisation  # the run measures its own, of the same images
    settings = Train(epochs=1, batch=BATCH, lr=LR, momentum=MOMENTUM, weight_decay=0.0, schedule="constant")
    cpu = torch.device("cpu")
    seed_weights(0)
    network = lenet5()
    with tempfile.TemporaryDirectory() as folder:
        run = create_run(
            Path(folder) / "run", name="lenet5", spec="", settings=settings, dataset=dataset, device=cpu
        )
        return train(network, dataset, settings, run, device=cpu).history[0].seconds


def by_hand(dataset: Dataset, normalisation: Normalisation) -> float:
    """Seconds of one epoch in a minimal loop over the bytes in memory."""
    images, labels = dataset.train.images, dataset.train.labels
    mean, std = normalisation.mean[0] * 255, normalisation.std[0] * 255
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


class Images(TorchDataset[tuple[Tensor, Tensor]]):
    """Bytes in memory, made a normalised float tensor image by image."""

    def __init__(self, split: Split, normalisation: Normalisation) -> None:
        self.split = split
        self.mean, self.std = normalisation.mean[0], normalisation.std[0]

    def __len__(self) -> int:
        return self.split.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.split.images[index].float().div_(255).sub_(self.mean).div_(self.std)
        return image, self.split.labels[index]


def with_dataloader(dataset: Dataset, normalisation: Normalisation) -> float:
    """Seconds of one epoch in a minimal loop over a DataLoader."""
    loader = DataLoader(Images(dataset.train, normalisation), batch_size=BATCH, shuffle=True)
    seed_weights(0)
    network = lenet5().train()
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=MOMENTUM)
    begun = time.perf_counter()
    for images, labels in loader:
        loss = functional.cross_entropy(network(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - begun


CONTENDERS: dict[str, Callable[[Dataset, Normalisation], float]] = {
    "cnncli": with_cnncli,
    "by hand": by_hand,
    "DataLoader": with_dataloader,
}


def measure_all(dataset: Dataset, rounds: int) -> dict[str, list[float]]:
    """Images per second of each contender in each round, after one round that is not counted."""
    normalisation = measure(dataset.train.images)
    speeds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    names = list(CONTENDERS)
    for round_ in range(-1, rounds):
        # Each comes first, second and last equally often.
        turn = round_ % len(names)
        for name in (*names[turn:], *names[:turn]):
            seconds = CONTENDERS[name](dataset, normalisation)
            if round_ >= 0:
                speeds[name].append(dataset.train.count / seconds)
    return speeds


def main() -> int:
    """Measure, print, and fail where a goal is missed."""
    parser = argparse.ArgumentParser(description="Images per second of training LeNet-5 on Fashion-MNIST.")
    parser.add_argument("--data", default="/usr/share/datasets/fashion-mnist", help="folder of the idx files")
    parser.add_argument("--images", type=int, default=20000, help="images of an epoch")
    parser.add_argument("--rounds", type=int, default=9, help="rounds that are counted")
    arguments = parser.parse_args()

    whole = load(f"idx:{arguments.data}", (1, 32, 32), "resize")
    part = Split(whole.train.images[: arguments.images], whole.train.labels[: arguments.images])
    # One held-out image: what follows the epoch is not measured.
    test = Split(whole.test.images[:1], whole.test.labels[:1])
    dataset = Dataset(whole.name, whole.classes, part, test)
    speeds = measure_all(dataset, arguments.rounds)

    print(
        f"LeNet-5, batch {BATCH}, {part.count} images, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, median of {arguments.rounds} rounds (slowest to fastest)"
    )
    for name, values in speeds.items():
        print(
            f"{name:>10}: {statistics.median(values):8,.0f} images/s ({min(values):,.0f} to {max(values):,.0f})"
        )
    missed = False
    for other, goal in GOALS.items():
        # Neighbours in time are compared, so that a machine that slows down meanwhile does so for both.
        ratio = statistics.median(
            ours / theirs for ours, theirs in zip(speeds["cnncli"], speeds[other], strict=True)
        )
        missed |= ratio < goal
        print(
            f"cnncli / {other:<10}: {ratio:.3f} (goal: at least {goal}{', missed' if ratio < goal else ''})"
        )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
