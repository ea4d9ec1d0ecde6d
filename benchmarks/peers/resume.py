"""Resume trainings that were killed, with cnncli and its peers: the same order of samples, the same weights?

    python -m venv ../peers && ../peers/bin/pip install -e '.[train]' -r benchmarks/peers/requirements.txt
    ../peers/bin/python -m benchmarks.peers.resume [--tools cnncli timm] [--kills 20]

Each tool trains the same small network, with dropout, random crops and mirror images, shuffled samples and
momentum, on one thread of the CPU, and writes a checkpoint every 6 of its 96 steps as its documentation says.
It does so twice without interruption, which must be the same to the last bit, and then once for each kill: it
is killed with SIGKILL, in turn in the middle of an epoch, at its border, inside an evaluation, and twice in
one epoch, and started again as its documentation says. All processes of a tool are forked from one that has
imported it. A run has

- the same order if the steps that led to its weights learned from the same samples, step by step. Steps after
  the last checkpoint are taken again; only the last time counts.
- the same weights if all tensors of the network are equal to the last bit.

Samples are skipped if the steps that led to the weights never learned from them in an epoch, and seen twice
if they did so more than once. Of their number and of the steps that were taken again the table has the median
of all runs, of the weights the largest difference.

The exit code is 1 if a run of cnncli ended otherwise than the one without interruption.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from random import Random
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import cnncli
from benchmarks.peers._task import BATCHES, EPOCHS, SAMPLES, Moment, Task, Watch, write_task

_LOG: Final = "learned.jsonl"
_OUTPUT: Final = "output.txt"
_WEIGHTS: Final = "final.safetensors"

Train: TypeAlias = Callable[[Task, Path, Watch], Mapping[str, Tensor]]


class Tool(NamedTuple):
    """A row of the table: its name, the module here that trains, and how it does."""

    name: str
    module: str
    options: Mapping[str, bool] = MappingProxyType({})

    def train(self) -> Train:
        """Import the tool, and return what trains with it."""
        module = import_module(f"benchmarks.peers.{self.module}")
        return partial(module.train, **self.options)


TOOLS: Final[Mapping[str, Tool]] = {
    "cnncli": Tool("cnncli", "_cnncli"),
    "lightning": Tool("Lightning", "_lightning"),
    "lightning-stateful": Tool("Lightning, `StatefulDataLoader`", "_lightning", {"stateful": True}),
    "lightning-random": Tool(
        "Lightning, `StatefulDataLoader` and a callback that saves torch's random state",
        "_lightning",
        {"stateful": True, "random": True},
    ),
    "accelerate": Tool("accelerate", "_accelerate"),
    "accelerate-seedable": Tool("accelerate, `use_seedable_sampler`", "_accelerate", {"seedable": True}),
    "accelerate-stateful": Tool(
        "accelerate, `use_seedable_sampler` and `use_stateful_dataloader`",
        "_accelerate",
        {"seedable": True, "stateful": True},
    ),
    "timm": Tool("timm", "_timm"),
    "timm-recovery": Tool("timm, `--recovery-interval`", "_timm", {"recovery": True}),
}
PACKAGES: Final = ("accelerate", "lightning", "timm", "torch", "torchdata")


class Learned(NamedTuple):
    """A step that led to the weights: its epoch, from 0, and the samples that it learned from."""

    epoch: int
    samples: tuple[int, ...]


class Result(NamedTuple):
    """A finished run: the steps that led to its weights, how many were taken again, and the weights."""

    steps: tuple[Learned, ...]
    again: int
    weights: Mapping[str, Tensor]


class Compared(NamedTuple):
    """A run beside the one without interruption."""

    same_order: bool
    same_weights: bool
    skipped: int
    twice: int
    again: int
    difference: float


def main() -> None:
    """Measure and print a table in Markdown.

    Raises:
        SystemExit: with 1 if a run of cnncli ended otherwise than the one without interruption, or a tool
            failed.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.resume")
    parser.add_argument("--tools", nargs="+", choices=TOOLS, default=list(TOOLS))
    parser.add_argument("--kills", type=int, default=20, help="runs of each tool that are killed")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(", ".join(["cnncli " + cnncli.__version__, *map(installed, PACKAGES)]))
    print("| tool | same order | same weights | skipped | seen twice | steps again | weights differ by |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |", flush=True)
    codes = [forked(partial(measure, TOOLS[name], given.kills, given.seed)) for name in given.tools]
    sys.exit(1 if any(codes) else 0)


def installed(package: str) -> str:
    """Return the version of a package, with its name."""
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def forked(work: Callable[[], None]) -> int:
    """Return the exit code of a copy of this process that does some work; negative for a signal."""
    process = get_context("fork").Process(target=work)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def measure(tool: Tool, kills: int, seed: int) -> None:
    """Carry out all runs of a tool and print its row.

    Raises:
        SystemExit: it has failed, does not repeat itself even without interruption, or is cnncli and has not
            passed.
    """
    train = tool.train()
    random = Random(seed)  # noqa: S311 - moments
    with tempfile.TemporaryDirectory(prefix="resume-") as temporary:
        place = Path(temporary)
        task = write_task(place)
        whole = result(train, task, place / "whole")
        if not passed(again := compare(whole, result(train, task, place / "control"))):
            sys.exit(f"{tool.name} does not repeat itself: {again}")
        runs = [
            compare(whole, result(train, task, place / f"run-{number}", moments(number, random)))
            for number in range(kills)
        ]
    print(row(tool, runs), flush=True)
    sys.exit(1 if tool.module == "_cnncli" and not all(map(passed, runs)) else 0)


def moments(number: int, random: Random) -> tuple[Moment, ...]:
    """Return when a run is killed: each fourth in the same kind of place."""
    epoch = random.randrange(EPOCHS)
    kinds: tuple[tuple[Moment, ...], ...] = (
        (Moment(epoch, random.randrange(2, BATCHES - 1)),),
        (Moment(epoch, random.choice((1, BATCHES))),),
        (Moment(epoch, BATCHES + 1),),
        (Moment(epoch, random.randrange(6, 13)), Moment(epoch, random.randrange(16, BATCHES - 1))),
    )
    return kinds[number % len(kinds)]


def result(train: Train, task: Task, folder: Path, kills: Sequence[Moment] = ()) -> Result:
    """Train in a new folder to the end, killed at these moments and started again.

    A process that ends before a second moment has skipped it, which is left to the comparison.

    Raises:
        SystemExit: a process failed, or was not killed at the first moment.
    """
    folder.mkdir()
    for moment in (*kills, None):
        code = forked(partial(process, train, task, folder, moment))
        if code == 0 and moment not in kills[:1]:
            break
        if code != -signal.SIGKILL:
            output = (folder / _OUTPUT).read_text(encoding="utf-8", errors="replace")
            sys.exit(f"exit code {code} instead of a kill at {moment}:\n{output[-4000:]}")
    steps, again = history((folder / _LOG).read_text(encoding="utf-8"))
    return Result(steps, again, load_file(folder / _WEIGHTS))


def process(train: Train, task: Task, folder: Path, moment: Moment | None) -> None:
    """Train in this process, with its output in a file, until the end or a moment."""
    output = os.open(folder / _OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    watch = Watch(folder / _LOG, moment)
    with watch.evaluations():
        weights = train(task, folder, watch)
    save_file({name: each.detach().clone() for name, each in weights.items()}, folder / _WEIGHTS)


def history(log: str) -> tuple[tuple[Learned, ...], int]:
    """Return the steps that led to the end of a log, and how many were taken again."""
    steps: list[Learned] = []
    again = 0
    for line in log.splitlines():
        event: dict[str, Any] = json.loads(line)
        if "begun" in event:
            again += len(steps) - event["begun"]
            del steps[event["begun"] :]
            continue
        steps.append(Learned(event["epoch"], tuple(event["labels"])))
        assert event["step"] == len(steps), event
    return tuple(steps), again


def compare(whole: Result, run: Result) -> Compared:
    """Return what is different in a run from the one without interruption."""
    seen = Counter((step.epoch, sample) for step in run.steps for sample in step.samples)
    assert whole.weights.keys() == run.weights.keys()
    pairs = [(run.weights[name], each) for name, each in whole.weights.items()]
    numbers = [pair for pair in pairs if pair[0].is_floating_point()]
    return Compared(
        same_order=run.steps == whole.steps,
        same_weights=all(torch.equal(*pair) for pair in pairs),
        skipped=EPOCHS * SAMPLES - len(seen),
        twice=seen.total() - len(seen),
        again=run.again,
        difference=max(float((ours - theirs).abs().max()) for ours, theirs in numbers),
    )


def passed(run: Compared) -> bool:
    """Return whether a run is as if nobody had killed it."""
    return run.same_order and run.same_weights


def row(tool: Tool, runs: Sequence[Compared]) -> str:
    """Return the row of a tool."""
    cells = [
        tool.name,
        f"{sum(run.same_order for run in runs)} of {len(runs)}",
        f"{sum(run.same_weights for run in runs)} of {len(runs)}",
        f"{statistics.median(run.skipped for run in runs):g}",
        f"{statistics.median(run.twice for run in runs):g}",
        f"{statistics.median(run.again for run in runs):g}",
        f"{max(run.difference for run in runs):.2g}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
