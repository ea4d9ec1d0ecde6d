"""Cold start to a printed table: cnncli against torch with torchinfo, each in fresh processes.

    python benchmarks/cold_start.py [--rounds 7]

Prints medians over interleaved rounds, so that a temporary load on the machine slows all contenders alike:
VGG-16 with both, the floor (Python, and the libraries of the command line), cnncli on ResNet-152, at a larger
input, and on specs of 1,000 to 20,000 layers. Wall time and peak
memory are those of the whole process, interpreter included.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VGG16 = ROOT / "specs" / "vgg" / "vgg16.yaml"

PEER = """
import torch, torchinfo
from torch import nn

def features():
    channels = 3
    for width in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512, 0):
        if width == 0:
            yield nn.MaxPool2d(2, 2)
            continue
        yield nn.Conv2d(channels, width, 3, padding=1)
        yield nn.ReLU(inplace=True)
        channels = width

classifier = [nn.Linear(512 * 7 * 7, 4096), nn.ReLU(True), nn.Dropout(), nn.Linear(4096, 4096),
              nn.ReLU(True), nn.Dropout(), nn.Linear(4096, 1000)]
model = nn.Sequential(
    nn.Sequential(*features()), nn.AdaptiveAvgPool2d(7), nn.Flatten(), nn.Sequential(*classifier)
)
print(torchinfo.summary(model, (1, 3, 224, 224), verbose=0))
"""

LIBRARIES = "import os, typer, yaml; os._exit(0)"
"""The floor for a command line with typer and YAML; cnncli too ends without taking modules apart."""


class Cost(NamedTuple):
    """One process: seconds of wall time, and MiB of peak memory."""

    seconds: float
    mebibytes: float


def main() -> int:
    """Measure and print; return 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        commands = contenders(Path(folder))
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for _ in range(rounds + 1):
            for name, command in commands.items():
                costs[name].append(run(command))
    # The first round fills the caches of the file system and writes the bytecode.
    medians = {name: median(measured[1:]) for name, measured in costs.items()}
    width = max(map(len, medians))
    print(f"{'':{width}}  seconds     MiB")
    for name, cost in medians.items():
        print(f"{name:{width}}  {cost.seconds:7.3f}  {cost.mebibytes:6.1f}")
    print(f"\nmedians of {rounds} rounds")
    # A list, so that every goal is shown, not only those up to the first one missed.
    met = [shown(*goal) for goal in goals(medians)]
    return 0 if all(met) else 1


def goals(medians: Mapping[str, Cost]) -> Iterator[tuple[str, float, float, bool]]:
    """Yield the goals: a description, the figure, its bound, and whether the bound is a minimum."""
    ours, theirs = medians["cnncli vgg16"], medians["torch + torchinfo vgg16"]
    yield "times faster than torch + torchinfo on VGG-16", theirs.seconds / ours.seconds, 25, True
    yield "times less memory", theirs.mebibytes / ours.mebibytes, 1, True
    yield "MiB of memory for VGG-16", ours.mebibytes, 25, False
    small, large = (medians[f"cnncli resnet18 at {size}"].seconds for size in (224, 4096))
    yield "times the time at 4096x4096 as at 224x224", large / small, 1.2, False
    yield "seconds for 10,000 layers", medians["cnncli 10,000 layers"].seconds, 2, False
    growth = medians["cnncli 20,000 layers"].seconds / medians["cnncli 10,000 layers"].seconds
    yield "times the time for 20,000 layers as for 10,000", growth, 2.3, False


def shown(words: str, figure: float, bound: float, at_least: bool) -> bool:
    """Print one goal; return whether it is met."""
    met = figure >= bound if at_least else figure <= bound
    goal = f"at {'least' if at_least else 'most'} {bound:g}"
    print(f"{figure:8.2f} {words} (goal: {goal}){'' if met else '  MISSED'}")
    return met


def contenders(folder: Path) -> dict[str, Sequence[str]]:
    """Return the command lines by name."""
    inspect = [str(Path(sys.executable).with_name("cnncli")), "inspect"]
    commands: dict[str, Sequence[str]] = {
        "python alone": [sys.executable, "-c", "pass"],
        "import typer, yaml": [sys.executable, "-c", LIBRARIES],
        "cnncli vgg16": [*inspect, str(VGG16)],
        "torch + torchinfo vgg16": [sys.executable, "-c", PEER],
        "cnncli resnet152": [*inspect, str(ROOT / "specs/resnet/resnet152.yaml")],
        "cnncli resnet18 at 224": [*inspect, str(ROOT / "specs/resnet/resnet18.yaml")],
        "cnncli resnet18 at 4096": [
            *inspect,
            str(ROOT / "specs/resnet/resnet18.yaml"),
            "--input",
            "3x4096x4096",
        ],
    }
    for count in (1_000, 5_000, 10_000, 20_000):
        path = folder / f"{count}.yaml"
        path.write_text(long_spec(count), encoding="utf-8")
        commands[f"cnncli {count:,} layers"] = [*inspect, str(path)]
    return commands


def long_spec(count: int) -> str:
    """Return a spec of ``count`` convolutions, written without 'repeat'."""
    layer = "  - conv: {channels: 8, kernel: 3, padding: same}\n"
    return f"name: long\ninput: [3, 32, 32]\nlayers:\n{layer * count}"


def run(command: Sequence[str]) -> Cost:
    """Run a command to completion and discard its output."""
    # Installed packages have compiled bytecode; a checkout must be allowed to write its own.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["CNNCLI_MAX_OUTPUT"] = "100MB"  # the table of 20,000 layers
    with Path(os.devnull).open("w") as nowhere:
        begun = time.perf_counter()
        pid = os.posix_spawn(
            command[0], list(command), environment, file_actions=[(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)]
        )
        _, status, usage = os.wait4(pid, 0)
        seconds = time.perf_counter() - begun
    if status != 0:
        sys.exit(f"failed: {' '.join(command)[:100]}")
    # ru_maxrss counts KiB on Linux and bytes on macOS.
    return Cost(seconds, usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10))


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(*(statistics.median(figures) for figures in zip(*costs, strict=True)))


if __name__ == "__main__":
    sys.exit(main())
