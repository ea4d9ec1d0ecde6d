"""Accuracy with few labels: from scratch, after denoising, and after contrastive divergence.

    python benchmarks/pretraining.py [--labels 2 5 20] [--seeds 5] [--validate] [--folder DIR]

The network is deep_belief_net. Without labels it learns from all training images of the digits; with labels
from a few of each class, which differ from seed to seed. What is measured is the held-out part, or with
--validate a part of the training images instead, by which the settings below were chosen. Pretraining is done
once for each seed. The runs are kept in the folder, and the same command again uses those that are finished.
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

SPEC = "deep_belief_net"
CODE = "linear3"
HEAD = "linear4"
SIZE = (1, 8, 8)
VALIDATION = 300
"""Training images that --validate measures on, which no training with labels uses."""

SCRATCH, DENOISING, DIVERGENCE = "from scratch", "denoising", "contrastive divergence"
WITHOUT_LABELS: Final[Mapping[str, dict[str, Any]]] = {
    DENOISING: {"epochs": 30, "optimizer": {"adamw": {"lr": 0.001}}},
    DIVERGENCE: {"epochs": 20},
}
WITH_LABELS: Final[Mapping[str, dict[str, Any]]] = {
    SCRATCH: {"epochs": 100, "optimizer": {"adamw": {"lr": 0.001}}},
    DENOISING: {"epochs": 100, "optimizer": {"adamw": {"lr": 0.001}}},
    DIVERGENCE: {"epochs": 100, "optimizer": {"adamw": {"lr": 0.001}}},
}


def main() -> None:
    """Train with each seed, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--labels", type=int, nargs="+", default=[2, 5, 20], help="of each class")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("runs/pretraining"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    starts = {seed: started(given.folder / str(seed), seed) for seed in range(given.seeds)}
    print("| labels of each class |", *(f"{method} |" for method in WITH_LABELS))
    print("| ---: |", "---: |" * len(WITH_LABELS))
    for labels in given.labels:
        cells = []
        for method in WITH_LABELS:
            found = [
                accuracy(given.folder / str(seed), seed, labels, method, start[method], given.validate)
                for seed, start in starts.items()
            ]
            cells.append(f"{statistics.mean(found):.1%} ± {statistics.stdev(found):.1%} |")
        print(f"| {labels} |", *cells, flush=True)
    print(f"\nCPU minutes: {(time.process_time() - began) / 60:.1f}")


def started(folder: Path, seed: int) -> dict[str, dict[str, Any] | None]:
    """Return where a training with labels begins, by method, after learning without them."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / "autoencoder.yaml"
    if not spec.exists():
        cnncli.load(SPEC).mirror(CODE, str(spec))
    settings: dict[str, Any] = {"seed": seed, **WITHOUT_LABELS[DENOISING]}
    denoised = cnncli.load(spec).train(run=folder / "denoised", device="cpu", **settings)
    network = cnncli.load(SPEC, overrides=[f"train.seed={seed}"])
    learned = network.pretrain(folder / "learned", device="cpu", **WITHOUT_LABELS[DIVERGENCE])
    return {
        SCRATCH: None,
        DENOISING: {"from": str(denoised.run), "reset": ["decoder", HEAD]},
        DIVERGENCE: {"from": str(learned.folder), "reset": [HEAD]},
    }


def accuracy(
    folder: Path, seed: int, labels: int, method: str, start: dict[str, Any] | None, validate: bool
) -> float:
    """Return the accuracy on the held-out images after learning from a few labels."""
    data = few(folder, seed, labels, validate)
    run = folder / f"{data.stem}-{method.replace(' ', '-')}"
    more = {} if start is None else {"start": start}
    how: dict[str, Any] = {"seed": seed, "batch": 20, **WITH_LABELS[method], **more}
    trained = cnncli.load(SPEC).train(f"npz:{data}", run=run, device="cpu", **how)
    return float(trained.history[-1].figures["test.accuracy"])


def few(folder: Path, seed: int, labels: int, validate: bool) -> Path:
    """Write a file with a few images of each class, drawn with the seed, and those to measure on."""
    path = folder / f"{labels}{'-val' if validate else ''}.npz"
    if path.exists():
        return path
    digits = load(Data(source="digits"), SIZE)
    images, classes = digits.train.rows.whole().numpy(), digits.train.labels.numpy()
    order = np.random.default_rng(seed).permutation(len(images))
    kept, held = order[:-VALIDATION], order[-VALIDATION:]
    chosen = np.concatenate([kept[classes[kept] == each][:labels] for each in range(10)])
    test = (
        (images[held], classes[held])
        if validate
        else tuple(part.numpy() for part in (digits.test.rows.whole(), digits.test.labels))
    )
    np.savez(path, x_train=images[chosen], y_train=classes[chosen], x_test=test[0], y_test=test[1])
    return path


if __name__ == "__main__":
    main()
