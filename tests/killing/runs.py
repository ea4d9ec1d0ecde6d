"""Trainings that are killed: in processes that are forked with torch imported, or that are started anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cnncli.results.training import Epoch
from cnncli.training.runs.checkpoint import Checkpoint
from cnncli.training.runs.files import temporary_of
from cnncli.training.runs.names import CHECKPOINT, FILES, RECORD
from cnncli.training.runs.run import Run, open_run
from cnncli.training.runs.weights import read_tensors
from tests.heeding import heed_signals
from tests.training.support import figures

TICK = 0.01
"""Seconds between two looks at the run that nobody kills; the others are killed within its time."""

AT_END = "finished, while pictures of it were drawn"
MOST_KILLS = 8
"""How often one run is killed; then it may end."""
IMPORTED = ("cnncli.report.pages.train", "cnncli.training.launch.starting", "matplotlib.figure")
SETTINGS = ("--set", "train.save={steps: 1}", "--device", "cpu")


class Started(NamedTuple):
    """A process that trains, and is a child of this one."""

    number: int

    def ended(self, *, wait: bool) -> tuple[int, float] | None:
        """Return its exit code and its seconds of CPU time; None if it is still working."""
        number, status, used = os.wait4(self.number, 0 if wait else os.WNOHANG)
        code = os.waitstatus_to_exitcode(status)
        return (code, used.ru_utime + used.ru_stime) if number else None


def forked(spec: Path, folder: Path) -> Started:
    """Train in a copy of this process, which has imported everything and has no threads."""
    number = os.fork()
    if number:
        return Started(number)
    try:
        heed_signals()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        sys.argv = ["cnncli", *command(spec, folder)]
        from cnncli.cli import main

        main()
    except SystemExit as end:
        os._exit(int(end.code or 0))
    finally:
        os._exit(99)


def started(spec: Path, folder: Path) -> Started:
    """Train with the command that a user types."""
    words = [sys.executable, "-m", "cnncli", *command(spec, folder)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, preexec_fn=heed_signals)  # noqa: PLW1509
    return Started(process.pid)


def command(spec: Path, folder: Path) -> list[str]:
    return ["train", str(spec), "--run", str(folder), *SETTINGS]


@dataclass
class Tally:
    """What happened: kills by the place where the run was, runs, and those that ended otherwise."""

    kills: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    differences: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def before_end(self) -> int:
        """The kills of runs that were not finished yet."""
        return self.kills.total() - self.kills[AT_END]


def kill_until(tally: Tally, kills: int, spec: Path, place: Path, random: Random, *, fork: bool) -> None:
    """Train, kill and continue with the same command, until there are this many more kills."""
    begin = forked if fork else started
    if fork:
        for name in IMPORTED:
            import_module(name)
    whole = place / "whole"
    process, ticks, ended = begin(spec, whole), 0, None
    while ended is None:
        time.sleep(TICK)
        ended, ticks = process.ended(wait=False), ticks + (not is_finished(whole))
    assert ended[0] == 0, ended
    expected = result(whole)
    goal = tally.before_end + kills
    while tally.before_end < goal:
        folder = place / f"run-{tally.runs}"
        tally.runs += 1
        for _ in range(min(MOST_KILLS, goal - tally.before_end)):
            process = begin(spec, folder)
            time.sleep(TICK * random.uniform(0, ticks))
            if (ended := process.ended(wait=False)) is None:
                os.kill(process.number, signal.SIGKILL)
                ended = process.ended(wait=True)
            assert ended is not None
            tally.seconds += ended[1]
            if ended[0] != -signal.SIGKILL:
                assert ended[0] == 0, ended
                break
            tally.kills[where(folder)] += 1
        ended = begin(spec, folder).ended(wait=True)
        assert ended is not None
        tally.seconds += ended[1]
        found = [f"exit code {ended[0]}"] if ended[0] else list(differing(expected, result(folder)))
        tally.differences += [f"run {tally.runs} of {spec.stem}: {each}" for each in found]


def is_finished(folder: Path) -> bool:
    """Return whether a run is finished, if it has begun: its pictures are drawn after that."""
    record = folder / RECORD
    return record.exists() and '"status": "finished"' in record.read_text(encoding="utf-8")


def where(folder: Path) -> str:
    """Return how far a run is whose process was killed."""
    if not (folder / RECORD).exists():
        return "before the run began"
    if any(temporary_of(folder / name).exists() for name in FILES):
        return "while a file was written"
    run = open_run(folder)
    kept = run.read_checkpoint() if (folder / CHECKPOINT).exists() else None
    if run.record.status == "finished":
        return AT_END
    if kept is None:
        return "before the first checkpoint"
    if kept.position.batches == 0:
        return "between two epochs, or in the first step of one"
    return "in an epoch, or in the evaluation after it"


def result(folder: Path) -> Mapping[str, Any]:
    """Return everything in a finished run but times."""
    run = open_run(folder)
    kept = run.read_checkpoint()
    assert kept is not None
    history: tuple[Epoch, ...] = kept.history
    return {
        "status": run.record.status,
        "outcome": run.record.outcome,
        "history": figures(history),
        "files": sorted(each.name for each in folder.iterdir()),
        **dict(tensors(run, kept)),
    }


def tensors(run: Run, kept: Checkpoint) -> Iterator[tuple[str, Tensor]]:
    for section in ("network", "average", "optimizer", "scaler", "random"):
        for name, value in getattr(kept, section).items():
            yield f"checkpoint {section} {name}", value
    for path in (run.weights, run.best):
        for name, value in read_tensors(path)[0].items():
            yield f"{path.name} {name}", value


def differing(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of what is not the same to the last bit."""
    for name in dict.fromkeys((*expected, *found)):
        ours, theirs = found.get(name), expected.get(name)
        if isinstance(ours, Tensor) and isinstance(theirs, Tensor):
            same = torch.equal(ours, theirs)
        else:
            same = ours is not None and bool(ours == theirs)
        if not same:
            yield name
