"""Accuracy of a spec on held-out images with several seeds, and the CPU time of its trainings.

    python benchmarks/seeds.py fashion_cnn --data idx:data/fashion-mnist [--seeds 5] [--folder runs/seeds]
    python benchmarks/seeds.py lenet5 --data idx:data/fashion-mnist --set train.precision=bf16

Everything but its own options is passed on to `cnncli train`. The runs are kept: the same command again
measures those that are finished, and continues the one that is not. CPU time is that of what it trained.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

import cnncli


def main() -> None:
    """Train with each seed, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("spec")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on")
    parser.add_argument("--folder", type=Path, default=Path("runs/seeds"))
    given, words = parser.parse_known_args()
    accuracies = []
    print("| seed | accuracy | CPU minutes |\n| ---: | ---: | ---: |")
    for seed in range(given.seeds):
        run = given.folder / f"{Path(given.spec).stem}-{seed}"
        seconds = trained([given.spec, "--run", str(run), "--set", f"train.seed={seed}", "--quiet", *words])
        accuracies.append(cnncli.evaluate(run).figures["accuracy"])
        print(f"| {seed} | {accuracies[-1]:.2%} | {seconds / 60:.1f} |", flush=True)
    mean, deviation = statistics.mean(accuracies), statistics.stdev(accuracies)
    print(f"\nmean {mean:.2%}, standard deviation {deviation:.2%}")


def trained(words: list[str]) -> float:
    """Train as the command line does, and return its CPU time in seconds.

    Raises:
        SystemExit: it failed.
    """
    process = subprocess.Popen([sys.executable, "-m", "cnncli", "train", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise SystemExit(code)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
