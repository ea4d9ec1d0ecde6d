"""``cnncli inspect --symbolic`` against ``cnncli inspect``, and ``cnncli sizes``, in separate processes.

    python benchmarks/symbolic.py

Medians of interleaved rounds. The goal: formulas take at most twice as long as numbers, sizes a second.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

NETWORKS = ("resnet152", "unet", "googlenet")
ROUNDS = 7
MOST = 2.0
"""How many times longer formulas may take than numbers."""


def main() -> None:
    """Measure, print, and exit with 1 if the goal is missed."""
    missed = False
    for network in NETWORKS:
        contenders = {
            "numbers": ("inspect", network),
            "formulas": ("inspect", network, "--symbolic"),
            "sizes": ("sizes", network),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, arguments in contenders.items():
                seconds[name].append(timed(arguments))
        numbers, formulas, sizes = (statistics.median(each) for each in seconds.values())
        ratio = formulas / numbers
        print(f"{network:10} numbers {numbers:.3f} s, formulas {formulas:.3f} s: {ratio:.2f}x, goal {MOST}x")
        print(f"{'':10} sizes {sizes:.3f} s, goal 1 s")
        missed = missed or ratio > MOST or sizes > 1
    sys.exit(1 if missed else 0)


def timed(arguments: Sequence[str]) -> float:
    """Return the seconds that a command takes, startup included."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "cnncli", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
