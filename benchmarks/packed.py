"""Training on a pack against training on the same data in memory.

    python benchmarks/packed.py [--rounds N] [--cold]

Two epochs of cnncli's loop on random images, from the same weights, in an order that changes every round; the
time is the second epoch's own ``seconds``. The network is small, so that getting the data counts. The files
of the pack are in the cache of the system; with ``--cold`` it forgets them before each training (Linux).
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import cnncli
from cnncli.diagnostics import readable_bytes
from cnncli.recipe.data import Data
from cnncli.training.data.load import load
from cnncli.training.launch.packing import pack_shaped

GOAL = 0.95
SHAPES = {"3x32x32": (10_000, (3, 32, 32)), "3x224x224": (500, (3, 224, 224))}
SPEC = """
name: small
input: [{channels}, {height}, {width}]
layers:
  - conv: {{channels: 8, kernel: {kernel}, stride: {kernel}, activation: relu}}
  - flatten
  - linear: 10
train: {{epochs: 2, batch: 64}}
"""


def arrays(folder: Path, count: int, shape: tuple[int, ...]) -> Path:
    """Write random images to an .npz file."""
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (count, *shape), np.uint8)
    labels = draw.integers(0, 10, count)
    path = folder / "data.npz"
    np.savez(path, x_train=images, y_train=labels, x_test=images[:10], y_test=np.arange(10))
    return path


def drop(folder: Path) -> None:
    """Let the system forget the files of a pack."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def seconds(spec: str, source: str, place: Path) -> float:
    """Return the seconds of the second epoch: in the first one, pages of a map get their addresses."""
    network = cnncli.loads(spec)
    with tempfile.TemporaryDirectory(dir=place) as folder:
        trained = network.train(source, run=Path(folder) / "run", device="cpu")
    if trained.signal is not None:
        sys.exit(128 + trained.signal)
    return trained.history[-1].seconds


def measure(name: str, rounds: int, *, cold: bool) -> float:
    """Print the figures of a shape of images; return the speed relative to data in memory."""
    count, shape = SHAPES[name]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        source = f"npz:{arrays(place, count, shape)}"
        pack_shaped(shape, Data(source=source), place / "pack")
        channels, height, width = shape
        spec = SPEC.format(channels=channels, height=height, width=width, kernel=height // 8)
        sources: dict[str, str] = {"memory": source, "pack": f"packed:{place / 'pack'}"}
        times: dict[str, list[float]] = {key: [] for key in sources}
        for number in range(-1, rounds):
            order = [*sources] if number % 2 else [*sources][::-1]
            for key in order:
                if cold and key == "pack":
                    drop(place / "pack")
                spent = seconds(spec, sources[key], place)
                if number >= 0:
                    times[key].append(spent)
        nbytes = load(Data(source=sources["pack"]), shape).train.nbytes
    ratio = statistics.median(
        memory / pack for memory, pack in zip(times["memory"], times["pack"], strict=True)
    )
    memory, pack = (count / statistics.median(times[key]) for key in sources)
    size = f"{count:,} images of {name}, {readable_bytes(nbytes)}"
    print(f"{size}: memory {memory:,.0f} images/s, pack {pack:,.0f}, pack / memory {ratio:.3f}", flush=True)
    return ratio


def main() -> int:
    """Measure, print, and fail if the goal is missed."""
    parser = argparse.ArgumentParser(description="Training on a pack against data in memory.")
    parser.add_argument("--rounds", type=int, default=8, help="rounds that are counted")
    parser.add_argument("--cold", action="store_true", help="without the cache of the system; no goal")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    ratios = [measure(name, arguments.rounds, cold=arguments.cold) for name in SHAPES]
    if arguments.cold:
        return 0
    verdict = "met" if min(ratios) >= GOAL else "MISSED"
    print(f"goal: at least {GOAL} of the speed of data in memory: {verdict}")
    return min(ratios) < GOAL


if __name__ == "__main__":
    sys.exit(main())
