"""Accuracy with few digits: from scratch, and from weights that were learned on Fashion-MNIST.

    python benchmarks/transfer.py --data idx:DIR [--labels 5 20 100] [--seeds 5] [--folder DIR]
    python benchmarks/transfer.py --data idx:DIR --validate --first 10 --seeds 3 --rates 0.001 0.003 0.01

The network is fashion_cnn with width 8. It learns Fashion-MNIST once; then each seed chooses its digits and
the first weights of the last layer, or of all layers. Digits of 8x8 pixels are enlarged to 28x28. The test
part is measured, or with --validate training images that are not chosen: the rates below were chosen by
those, with other seeds. The runs are kept in the folder, and the same command again uses the finished ones.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

import cnncli
from cnncli.recipe.data import Data
from cnncli.training.data.load import load

VALIDATION: Final = 300
"""Training images that --validate measures on, and nothing is learned from."""

SCRATCH, LAST, WHOLE = "from scratch", "last layer alone", "whole network"
WAYS: Final[Mapping[str, dict[str, Any]]] = {
    SCRATCH: {},
    LAST: {"groups": [{"match": "conv*", "freeze": True}]},
    WHOLE: {},
}
RATE: Final = 0.03
"""The learning rate of AdamW for 40 epochs; for 8, 0.01 is better but for the last layer alone."""

HEAD: Final = "linear1"
PRETRAINED: Final[dict[str, Any]] = {"epochs": 4, "device": "cpu", "seed": 0}
FINE: Final[dict[str, Any]] = {
    "batch": 20,
    "device": "cpu",
    "transforms": [],
    "schedule": {"cosine": {}},
}


def main() -> None:
    """Train with each seed, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", required=True, help="Fashion-MNIST, such as idx:data/fashion-mnist")
    parser.add_argument("--labels", type=int, nargs="+", default=[5, 20, 100], help="of each class")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--rates", type=float, nargs="+", default=[RATE], help="learning rates to compare")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("runs/transfer"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    learned = network(0).train(given.data, run=given.folder / "fashion", **PRETRAINED).run
    print("| labels of each class | rate |", " | ".join(WAYS), "|")
    print("| ---: | ---: |", " | ".join(["---:"] * len(WAYS)), "|")
    for labels in given.labels:
        for rate in given.rates:
            cells = [cell(given, labels, way, learned, rate) for way in WAYS]
            print(f"| {labels} | {rate} |", " | ".join(cells), "|", flush=True)
    print(f"\nCPU minutes: {(time.process_time() - began) / 60:.1f}")


def network(seed: int) -> cnncli.Architecture:
    """Return the network."""
    return cnncli.load("fashion_cnn", width=8, overrides={"train.seed": seed})


def cell(given: argparse.Namespace, labels: int, way: str, learned: Path, rate: float) -> str:
    """Return mean and standard deviation of the accuracies of all seeds."""
    seeds = range(given.first, given.first + given.seeds)
    found = [accuracy(given, seed, labels, way, learned, rate) for seed in seeds]
    return f"{statistics.mean(found):.1%} ± {statistics.stdev(found):.1%}"


def accuracy(
    given: argparse.Namespace, seed: int, labels: int, way: str, learned: Path, rate: float
) -> float:
    """Return the accuracy after learning from a few digits."""
    folder = given.folder / str(seed)
    few = chosen(folder, seed, labels)
    begin: dict[str, Any] = {} if way == SCRATCH else {"start": {"from": str(learned), "reset": [HEAD]}}
    how = {
        "seed": seed,
        "epochs": given.epochs,
        **FINE,
        "optimizer": {"adamw": {"lr": rate}},
        **WAYS[way],
        **begin,
    }
    run = folder / f"{labels}-{way.replace(' ', '-')}-{rate}-{given.epochs}"
    trained = network(seed).train(f"npz:{few}", run=run, **how)
    held = f"npz:{folder / 'validation.npz'}" if given.validate else "digits"
    return float(cnncli.evaluate(trained.run, held, device="cpu").figures["accuracy"])


def chosen(folder: Path, seed: int, labels: int) -> Path:
    """Write the digits of a seed to files, and return the one to learn from."""
    folder.mkdir(parents=True, exist_ok=True)
    data = load(Data(source="digits"), (1, 8, 8))
    order = np.random.default_rng(seed).permutation(data.train.count)
    images, classes = data.train.rows.whole().numpy()[order], data.train.labels.numpy()[order]
    np.savez(folder / "validation.npz", x_test=images[:VALIDATION], y_test=classes[:VALIDATION])
    images, classes = images[VALIDATION:], classes[VALIDATION:]
    places = np.concatenate([np.flatnonzero(classes == each)[:labels] for each in range(10)])
    path = folder / f"{labels}.npz"
    # The few that are measured after every epoch decide nothing.
    held, of_held = images[:20], classes[:20]
    np.savez(path, x_train=images[places], y_train=classes[places], x_test=held, y_test=of_held)
    return path


if __name__ == "__main__":
    main()
