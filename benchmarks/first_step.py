"""From the command to the first step of a training: CPU time, as a ratio to the import of torch alone.

    python benchmarks/first_step.py [--rounds 15]

``cnncli train lenet5 --data digits`` ends here as soon as the optimizer has stepped once; the other process
is ``import torch``. Both are fresh, take turns on one thread, and are charged with all that they used,
interpreter included. Prints the medians, and the median of the ratios of each round.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

TORCH = "import os, torch; os._exit(0)"
TRAIN = """
import os
from torch.optim.optimizer import register_optimizer_step_post_hook
register_optimizer_step_post_hook(lambda *_: os._exit(0))
from cnncli.cli import main
main()
raise SystemExit("the optimizer did not step")
"""
GOAL = 1.3


def main() -> int:
    """Measure and print; return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    # Without bytecode the package would be compiled in every process.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}
    found: dict[str, list[float]] = {"import torch": [], "first step": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            run = ("train", "lenet5", "--data", "digits", "--device", "cpu", "--run", f"{folder}/{number}")
            seconds = (
                cpu_seconds(["-c", TORCH], environment),
                cpu_seconds(["-c", TRAIN, *run], environment),
            )
            if number:  # the first round fills the caches
                for each, value in zip(found.values(), seconds, strict=True):
                    each.append(value)
    for name, values in found.items():
        print(f"{name}: {statistics.median(values):.2f} s of CPU time")
    torch, first = found.values()
    ratio = statistics.median(mine / base for mine, base in zip(first, torch, strict=True))
    print(f"ratio {ratio:.2f}, {'within' if ratio <= GOAL else 'MISSES'} the goal of {GOAL}")
    return int(ratio > GOAL)


def cpu_seconds(arguments: Sequence[str], environment: Mapping[str, str]) -> float:
    """Return the CPU time of ``python <arguments>``, in user and system mode; it must succeed."""
    with Path(os.devnull).open("wb") as nowhere:
        process = os.posix_spawn(
            sys.executable,
            [sys.executable, *arguments],
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, nowhere.fileno(), 1)],
        )
    _, status, used = os.wait4(process, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"python {arguments[0]} failed")
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
