"""Train on few digits with none, each and all of the lecture's remedies against over-fitting.

    python benchmarks/overfitting.py [--seeds 5] [--images 100] [--epochs 100]

A network that is large for that many digits of 8x8 pixels is trained on the same digits each time; a seed
changes its initial weights, the order, the transforms and dropout. What is shown are mean and deviation over
the seeds of the figures after the last epoch: the accuracy on what was trained on and on 359 held-out digits,
and both losses. The loss of the training part is that of an epoch, with dropout and transforms.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

import cnncli

SPEC = """
name: digits
input: [1, 8, 8]
vars: {width: 32, dropout: 0}
defaults: {conv: {kernel: 3, padding: same, activation: relu}}
layers:
  - {conv: width, name: first}
  - maxpool: 2
  - {conv: width*2, name: second}
  - maxpool: 2
  - flatten
  - {linear: {features: width*8, activation: relu}, name: third}
  - {dropout: $dropout}
heads:
  digit: [{linear: 10, name: out}]
  parity: [{linear: 2, name: out}]
train:
  batch: 25
  optimizer: {sgd: {lr: 0.03, weight_decay: 0}}
  tasks:
    digit: cross_entropy
    parity:
      cross_entropy:
      target: {of: label, map: [even, odd, even, odd, even, odd, even, odd, even, odd]}
      weight: 0
"""
PRETRAINING = """
name: pretraining
input: [1, 8, 8]
vars: {width: 32}
defaults: {conv: {kernel: 3, padding: same, activation: relu}, convtranspose: {kernel: 2, stride: 2}}
layers:
  - {conv: width, name: first}
  - maxpool: 2
  - {conv: width*2, name: second}
  - maxpool: 2
  - convtranspose: width
  - relu
  - convtranspose: width
  - relu
  - conv: {channels: 1, activation: none}
train:
  epochs: 30
  batch: 64
  corrupt: [noise: 0.3]
  tasks: {output: {mse: {}, target: input}}
  optimizer: {adamw: {lr: 0.003}}
"""
PRETRAINED = ("first", "second")
"""The layers that both networks have."""


class Remedy(NamedTuple):
    """What is changed: variables of the spec, settings of the recipe, the number of images, first weights."""

    name: str
    variables: Sequence[str] = ()
    settings: Mapping[str, Any] = {}
    more: int = 1
    transfers: bool = False


TRANSFORMS = [{"rotate": 15}, {"scale": 1.15}, {"translate": 0.1}]
PARITY = {"tasks": {"parity": {"weight": 0.3}}}
REMEDIES = (
    Remedy("none"),
    Remedy("more data: four times as many images", more=4),
    Remedy("a smaller network: a quarter of the width", ["width=8"]),
    Remedy("regularization: an L2 penalty of 0.01", settings={"penalty": {"l2": 0.01}}),
    Remedy("dropout of 0.5 before the last layer", ["dropout=0.5"]),
    Remedy("multi-task learning: parity with weight 0.3", settings=PARITY),
    Remedy("data augmentation: rotate, scale, translate", settings={"transforms": TRANSFORMS}),
    Remedy("transfer: convolutions pretrained by denoising", transfers=True),
    Remedy(
        "all of them, at full width",
        ["dropout=0.5"],
        {"penalty": {"l2": 0.01}, "transforms": TRANSFORMS, **PARITY},
        more=4,
        transfers=True,
    ),
)
FIGURES = ("train.digit.accuracy", "test.digit.accuracy", "train.digit.loss", "test.digit.loss")


def figures(remedy: Remedy, seed: int, images: int, epochs: int, trunk: nn.Module) -> list[float]:
    """Return the figures of a training after its last epoch."""
    network = cnncli.loads(SPEC, overrides=remedy.variables)
    with tempfile.TemporaryDirectory() as folder:
        launch = network.begin(
            {"limit": remedy.more * images / 1438},
            run=Path(folder) / "run",
            device="cpu",
            seed=seed,
            epochs=max(1, epochs // remedy.more),
            **remedy.settings,
        )
        if remedy.transfers:
            transfer(trunk, launch.network)
        last = launch.start().history[-1].figures
    return [last[name] for name in FIGURES]


def pretrained(seed: int) -> nn.Module:
    """Return a network that has learned to remove noise from all training digits, without labels."""
    with tempfile.TemporaryDirectory() as folder:
        launch = cnncli.loads(PRETRAINING).begin(run=Path(folder) / "run", device="cpu", seed=seed)
        launch.start()
        return launch.network


def transfer(source: nn.Module, target: nn.Module) -> None:
    """Copy the weights of the layers that both networks have."""
    ours = dict(target.named_parameters())
    with torch.no_grad():
        for name, weights in source.named_parameters():
            if name.split(".")[0] in PRETRAINED:
                ours[name].copy_(weights)


def main() -> None:
    """Run all trainings and print a table in Markdown."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--images", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=100)
    arguments = parser.parse_args()
    begun = time.perf_counter()
    trunks = [pretrained(seed) for seed in range(arguments.seeds)]
    print("| remedy | accuracy, trained on | accuracy, held out | loss, trained on | loss, held out |")
    print("| --- | ---: | ---: | ---: | ---: |", flush=True)
    for remedy in REMEDIES:
        found = [
            figures(remedy, seed, arguments.images, arguments.epochs, trunks[seed])
            for seed in range(arguments.seeds)
        ]
        columns = [(statistics.mean(each), statistics.stdev(each)) for each in zip(*found, strict=True)]
        shares = [f"{mean:.1%} ± {deviation:.1%}" for mean, deviation in columns[:2]]
        losses = [f"{mean:.3f} ± {deviation:.3f}" for mean, deviation in columns[2:]]
        print(f"| {' | '.join([remedy.name, *shares, *losses])} |", flush=True)
    seconds = time.perf_counter() - begun
    print(f"\n{arguments.seeds} seeds, {seconds:.0f} s, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
