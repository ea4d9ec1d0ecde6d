"""Accuracy with few labels: from scratch, after denoising, and after contrastive divergence.

    python benchmarks/pretraining.py [--data idx:DIR] [--labels 2 5 20] [--seeds 5] [--folder DIR]
    python benchmarks/pretraining.py --validate --first 10 --seeds 2

The network has three layers of 256 sigmoids. Without labels it learns from 6,000 training images of
Fashion-MNIST, with labels from a few of each class; both differ from seed to seed. The test part is measured,
or with --validate training images that nothing is learned from: the settings below were chosen by those, with
other seeds. The runs are kept in the folder, and the same command again uses the finished ones.
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

SPEC: Final = """
name: three layers of sigmoids
input: [1, 28, 28]
layers:
  - flatten
  - linear: {features: 256, activation: sigmoid}
  - linear: {features: 256, activation: sigmoid}
  - linear: {features: 256, activation: sigmoid}
  - linear: 10
"""
CODE: Final = "linear3"
HEAD: Final = "linear4"
SIZE: Final = (1, 28, 28)
UNLABELED: Final = 6000
"""Training images that are learned from without labels."""

VALIDATION: Final = 2000
"""Training images that --validate measures on."""

SCRATCH, DENOISING, DIVERGENCE = "from scratch", "denoising", "contrastive divergence"
WITHOUT_LABELS: Final[Mapping[str, dict[str, Any]]] = {
    DENOISING: {"epochs": 15, "optimizer": {"adamw": {"lr": 0.001}}},
    DIVERGENCE: {"epochs": 10},
}
GENTLY: Final[dict[str, Any]] = {
    "optimizer": {"adamw": {"lr": 0.003}},
    "groups": [{"match": "linear[123]", "lr": 0.0001}],
}
"""The layers that have learned something change more slowly than the last one, which has not."""

WITH_LABELS: Final[Mapping[str, dict[str, Any]]] = {
    SCRATCH: {"optimizer": {"adamw": {"lr": 0.001}}},
    DENOISING: GENTLY,
    DIVERGENCE: GENTLY,
}
ALWAYS: Final[dict[str, Any]] = {"epochs": 60, "batch": 20, "device": "cpu"}


def main() -> None:
    """Train with each seed, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", default="idx:data/fashion-mnist")
    parser.add_argument("--labels", type=int, nargs="+", default=[2, 5, 20], help="of each class")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path("runs/pretraining"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    seeds = range(given.first, given.first + given.seeds)
    starts = {seed: started(given.folder / str(seed), seed, given.data) for seed in seeds}
    print("| labels of each class |", " | ".join(WITH_LABELS), "|")
    print("| ---: |", " | ".join(["---:"] * len(WITH_LABELS)), "|")
    for labels in given.labels:
        cells = []
        for method in WITH_LABELS:
            found = [accuracy(given, seed, labels, method, start[method]) for seed, start in starts.items()]
            cells.append(f"{statistics.mean(found):.1%} ± {statistics.stdev(found):.1%}")
        print(f"| {labels} |", " | ".join(cells), "|", flush=True)
    print(f"\nCPU minutes: {(time.process_time() - began) / 60:.1f}")


def started(folder: Path, seed: int, source: str) -> dict[str, dict[str, Any] | None]:
    """Return where a training with labels begins, by method, after learning without them."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = folder / "autoencoder.yaml"
    if not spec.exists():
        cnncli.loads(SPEC, name="sigmoids").mirror(CODE, str(spec))
    images = f"npz:{files(folder, seed, source).unlabeled}"
    settings = {"seed": seed, **WITHOUT_LABELS[DENOISING]}
    denoised = cnncli.load(spec).train(images, run=folder / "denoised", device="cpu", **settings)
    network = cnncli.loads(SPEC, overrides={"train.seed": seed})
    how = {"data": images, "device": "cpu", **WITHOUT_LABELS[DIVERGENCE]}
    learned = network.pretrain(folder / "learned", **how)
    return {
        SCRATCH: None,
        DENOISING: {"from": str(denoised.run), "reset": ["decoder", HEAD]},
        DIVERGENCE: {"from": str(learned.folder), "reset": [HEAD]},
    }


def accuracy(
    given: argparse.Namespace, seed: int, labels: int, method: str, start: dict[str, Any] | None
) -> float:
    """Return the accuracy after learning from a few labels."""
    folder = given.folder / str(seed)
    of_seed = files(folder, seed, given.data)
    few = of_seed.labeled(labels)
    how = {"seed": seed, **ALWAYS, **WITH_LABELS[method], **({} if start is None else {"start": start})}
    run = folder / f"{labels}-{method.replace(' ', '-')}"
    trained = cnncli.loads(SPEC).train(f"npz:{few}", run=run, **how)
    held = f"npz:{of_seed.held}" if given.validate else given.data
    measured = cnncli.evaluate(trained.run, held, device="cpu")
    return float(measured.figures["accuracy"])


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


def files(folder: Path, seed: int, source: str) -> Files:
    """Write the images of a seed to files."""
    found = Files(*(folder / f"{name}.npz" for name in ("unlabeled", "validation", "pool")))
    if all(each.exists() for each in found):
        return found
    data = load(Data(source=source), SIZE)
    order = np.random.default_rng(seed).permutation(data.train.count)
    images, classes = data.train.rows.whole().numpy()[order], data.train.labels.numpy()[order]
    np.savez(found.held, x_test=images[:VALIDATION], y_test=classes[:VALIDATION])
    images, classes = images[VALIDATION:], classes[VALIDATION:]
    save(found.unlabeled, images[:UNLABELED], classes[:UNLABELED])
    np.savez(found.pool, images=images[:UNLABELED], classes=classes[:UNLABELED])
    return found


def save(path: Path, images: Any, classes: Any) -> None:
    """Write images to learn from; the few that are measured after every epoch decide nothing."""
    np.savez(path, x_train=images, y_train=classes, x_test=images[:20], y_test=classes[:20])


if __name__ == "__main__":
    main()
