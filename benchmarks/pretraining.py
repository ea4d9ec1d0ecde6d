"""Accuracy with few labels: from scratch, after denoising, and after contrastive divergence.

    python benchmarks/pretraining.py [--depth 3] [--labels 5] [--seeds 5] [--folder DIR]
    python benchmarks/pretraining.py --validate --first 10 --seeds 3

The network has layers of 128 sigmoids. Without labels it learns from most training images of the digits, with
labels from a few of each class; both differ from seed to seed. The test part is measured, or with --validate
the training images that are left: the settings below were chosen by those, with other seeds. The runs are
kept in the folder, and the same command again uses the finished ones.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

import cnncli
from cnncli.recipe.data import Data
from cnncli.training.data.load import load

SIZE: Final = (1, 8, 8)
VALIDATION: Final = 300
"""Training images that --validate measures on, and nothing is learned from."""

SCRATCH, DENOISING, DIVERGENCE = "from scratch", "denoising", "contrastive divergence"
WITHOUT_LABELS: Final[Mapping[str, dict[str, Any]]] = {
    DENOISING: {"epochs": 50, "batch": 64, "optimizer": {"adamw": {"lr": 0.001}}},
    DIVERGENCE: {"epochs": 30, "momentum": 0.9},
}
WITH_LABELS: Final[Mapping[str, float]] = {SCRATCH: 0.01, DENOISING: 0.01, DIVERGENCE: 0.01}
"""The learning rates of AdamW."""

ALWAYS: Final[dict[str, Any]] = {"epochs": 60, "batch": 20, "device": "cpu"}


def spec_of(depth: int) -> str:
    """Return the text of a network."""
    hidden = "  - linear: {features: 128, activation: sigmoid}\n" * depth
    return f"name: sigmoids\ninput: [1, 8, 8]\nlayers:\n  - flatten\n{hidden}  - linear: 10\n"


def main() -> None:
    """Train with each seed, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, default=3, help="hidden layers")
    parser.add_argument("--labels", type=int, nargs="+", default=[5], help="of each class")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("runs/pretraining"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    seeds = range(given.first, given.first + given.seeds)
    starts = {seed: started(given, seed) for seed in seeds}
    print("| labels of each class |", " | ".join(WITH_LABELS), "|")
    print("| ---: |", " | ".join(["---:"] * len(WITH_LABELS)), "|")
    for labels in given.labels:
        cells = []
        for method in WITH_LABELS:
            found = [accuracy(given, seed, labels, method, start[method]) for seed, start in starts.items()]
            cells.append(f"{statistics.mean(found):.1%} ± {statistics.stdev(found):.1%}")
        print(f"| {labels} |", " | ".join(cells), "|", flush=True)
    print(f"\nCPU minutes: {(time.process_time() - began) / 60:.1f}")


def started(given: argparse.Namespace, seed: int) -> dict[str, dict[str, Any] | None]:
    """Return where a training with labels begins, by method, after learning without them."""
    folder, text = folder_of(given, seed), spec_of(given.depth)
    folder.mkdir(parents=True, exist_ok=True)
    spec, head = folder / "autoencoder.yaml", f"linear{given.depth + 1}"
    if not spec.exists():
        cnncli.loads(text, name="sigmoids").mirror(f"linear{given.depth}", str(spec))
    images = f"npz:{files(folder, seed).unlabeled}"
    settings = {"seed": seed, "device": "cpu", **WITHOUT_LABELS[DENOISING]}
    denoised = cnncli.load(spec).train(images, run=folder / "denoised", **settings)
    network = cnncli.loads(text, overrides={"train.seed": seed})
    how = {"data": images, "device": "cpu", **WITHOUT_LABELS[DIVERGENCE]}
    learned = network.pretrain(folder / "learned", **how)
    return {
        SCRATCH: None,
        DENOISING: {"from": str(denoised.run), "reset": ["decoder", head]},
        DIVERGENCE: {"from": str(learned.folder), "reset": [head]},
    }


def accuracy(
    given: argparse.Namespace, seed: int, labels: int, method: str, start: dict[str, Any] | None
) -> float:
    """Return the accuracy after learning from a few labels."""
    folder = folder_of(given, seed)
    of_seed = files(folder, seed)
    how: dict[str, Any] = {"seed": seed, **ALWAYS, "optimizer": {"adamw": {"lr": WITH_LABELS[method]}}}
    begin: dict[str, Any] = {} if start is None else {"start": start}
    run = folder / f"{labels}-{method.replace(' ', '-')}"
    few = f"npz:{of_seed.labeled(labels)}"
    trained = cnncli.loads(spec_of(given.depth)).train(few, run=run, **how, **begin)
    held = f"npz:{of_seed.held}" if given.validate else "digits"
    measured = cnncli.evaluate(trained.run, held, device="cpu")
    return float(measured.figures["accuracy"])


def folder_of(given: argparse.Namespace, seed: int) -> Path:
    """Return the folder of the runs of a seed."""
    folder: Path = given.folder / f"{given.depth}-{seed}"
    return folder


class Files(NamedTuple):
    """The images of a seed: those without labels, those for validation, and where those with labels are."""

    unlabeled: Path
    held: Path
    pool: Path

    def labeled(self, count: int) -> Path:
        """Write some images of each class to a file."""
        path = self.pool.with_name(f"{count}.npz")
        if not path.exists():
            with np.load(self.pool) as pool:
                images, classes = pool["images"], pool["classes"]
            chosen = np.concatenate([np.flatnonzero(classes == each)[:count] for each in range(10)])
            save(path, images[chosen], classes[chosen])
        return path


def files(folder: Path, seed: int) -> Files:
    """Write the images of a seed to files."""
    found = Files(*(folder / f"{name}.npz" for name in ("unlabeled", "validation", "pool")))
    if all(each.exists() for each in found):
        return found
    data = load(Data(source="digits"), SIZE)
    order = np.random.default_rng(seed).permutation(data.train.count)
    images, classes = data.train.rows.whole().numpy()[order], data.train.labels.numpy()[order]
    np.savez(found.held, x_test=images[:VALIDATION], y_test=classes[:VALIDATION])
    images, classes = images[VALIDATION:], classes[VALIDATION:]
    save(found.unlabeled, images, classes)
    np.savez(found.pool, images=images, classes=classes)
    return found


def save(path: Path, images: Any, classes: Any) -> None:
    """Write images to learn from; the few that are measured after every epoch decide nothing."""
    np.savez(path, x_train=images, y_train=classes, x_test=images[:20], y_test=classes[:20])


if __name__ == "__main__":
    main()
