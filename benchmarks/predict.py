"""``cnncli predict`` on many small images against a loop that is written by hand.

    python benchmarks/predict.py [--rounds N] [--images N]

PNG files of 28x28 pixels in gray go through LeNet-5, in one process, in an order that changes every round.
The loop decodes each file with Pillow, normalizes all of them, runs the same network without gradients in
batches of 128, and takes the five most probable classes. ``cnncli predict`` also opens the run, checks its
digests, builds the network and reads its weights, finds the files, and decodes them in threads with all
checks. Neither imports anything while it is measured.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import cnncli
from cnncli.training.runs.run import open_run
from cnncli.training.runs.weights import load_weights

GOAL = 1.5
BATCH = 128
SPEC = """
name: LeNet-5
input: [1, 28, 28]
layers:
  - conv: {channels: 6, kernel: 5, padding: 2, activation: relu}
  - maxpool: 2
  - conv: {channels: 16, kernel: 5, activation: relu}
  - maxpool: 2
  - flatten
  - linear: {features: 120, activation: relu}
  - linear: {features: 84, activation: relu}
  - linear: 10
train: {epochs: 1, data: {limit: 0.1}}
"""


def write_images(folder: Path, count: int) -> list[Path]:
    """Write images of strokes on black, which compress as digits do."""
    folder.mkdir()
    draw, paths = np.random.default_rng(0), []
    for number in range(count):
        pixels = np.zeros((28, 28), np.uint8)
        row, column = draw.integers(4, 16, 2)
        pixels[row : row + 8, column : column + 8] = draw.integers(0, 256, (8, 8))
        paths.append(folder / f"{number:05}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


def trained(folder: Path) -> Path:
    """Return the folder of a short training on bundled digits."""
    return cnncli.loads(SPEC).train("digits", run=folder, device="cpu").run


def by_hand(run: Path, paths: list[Path]) -> Callable[[], object]:
    """Return the loop: the network is there already."""
    opened = open_run(run)
    network = cnncli.load(run / "spec.yaml").module().eval()
    load_weights(network, opened.weights)
    mean, deviation = opened.record.normalization.mean[0], opened.record.normalization.std[0]

    def loop() -> object:
        arrays = []
        for path in paths:
            with Image.open(path) as image:
                arrays.append(np.asarray(image.convert("L")))
        pixels = torch.from_numpy(np.stack(arrays)).unsqueeze(1).float()
        with torch.inference_mode():
            scores = [network((part / 255 - mean) / deviation) for part in pixels.split(BATCH)]
        return torch.cat(scores).softmax(1).topk(5)

    return loop


def seconds(action: Callable[[], object]) -> float:
    """Return how long a call takes."""
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun


def main() -> None:
    """Print the times and their ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--images", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run, paths = trained(folder / "run"), write_images(folder / "images", options.images)
        ways = {
            "by hand": by_hand(run, paths),
            "cnncli predict": lambda: cnncli.predict(run, folder / "images", device="cpu"),
        }
        found: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(options.rounds + 1):
            for way in sorted(ways, reverse=turn % 2 == 1):
                taken = seconds(ways[way])
                if turn:  # the first round fills the caches
                    found[way].append(taken)
    print(f"{options.images:,} images of 1x28x28, LeNet-5, {torch.get_num_threads()} threads")
    for way, times in found.items():
        print(f"{way:<15} {1000 * statistics.median(times):7.1f} ms")
    pairs = zip(found["cnncli predict"], found["by hand"], strict=True)
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    print(f"ratio {ratio:.2f}, goal below {GOAL}: {'met' if ratio < GOAL else 'missed'}")


if __name__ == "__main__":
    main()
