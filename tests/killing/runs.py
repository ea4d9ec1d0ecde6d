"""Trainings that are killed: in processes that are forked with torch imported, or that are started anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
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

PAUSE = 0.002
"""Seconds between two looks at whether a command has written anything."""

AT_END = "finished, while pictures of it were drawn"
MOST_KILLS = 8
"""How often one run is killed; then it may end."""
IMPORTED = ("cnncli.report.pages.train", "cnncli.training.launch.starting", "matplotlib.figure")
SETTINGS = ("--set", "train.save={steps: 1}", "--device", "cpu")


class Started(NamedTuple):
    """A process that trains, and is a child of this one."""

    number: int

    def kill(self) -> None:
        """Kill it and what it has started, as when a machine stops, and wait for the end of the latter."""
        started = Path(f"/proc/{self.number}/task/{self.number}/children").read_text(encoding="ascii").split()
        for each in (self.number, *map(int, started)):
            os.kill(each, signal.SIGKILL)
        while any(lives(each) for each in started):
            time.sleep(PAUSE)

    def is_over(self) -> bool:
        """Return whether it has ended; it is still to be asked for its end."""
        return os.waitid(os.P_PID, self.number, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def ended(self) -> tuple[int, float]:
        """Wait for its end, and return its exit code and its seconds of CPU time."""
        _, status, used = os.wait4(self.number, 0)
        return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def lives(number: str) -> bool:
    """Return whether a process has not ended; one that nobody has waited for has."""
    try:
        status = Path(f"/proc/{number}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


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


def together(spec: Path, folder: Path) -> Started:
    """Train in two processes that torchrun starts."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--", "cnncli"]
    words = [sys.executable, *torchrun, *command(spec, folder)]
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(words, stdout=nowhere, stderr=nowhere, preexec_fn=heed_signals)  # noqa: PLW1509
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


def kill_until(
    tally: Tally, kills: int, spec: Path, place: Path, random: Random, begin: Callable[[Path, Path], Started]
) -> None:
    """Train, kill and continue with the same command, until there are this many more kills.

    A forked process may be killed from its first moment on. A command imports torch for longer than it
    trains, so it is killed after it has first written into the run folder.
    """
    if begin is forked:
        for name in IMPORTED:
            import_module(name)
    ticks = ticks_of(begin(spec, place / "whole"), place / "whole", from_first_file=begin is not forked)
    expected = result(place / "whole")
    goal = tally.before_end + kills
    while tally.before_end < goal:
        folder = place / f"run-{tally.runs}"
        tally.runs += 1
        for _ in range(min(MOST_KILLS, goal - tally.before_end)):
            process, before = begin(spec, folder), written(folder)
            while begin is not forked and written(folder) == before and not process.is_over():
                time.sleep(PAUSE)
            time.sleep(TICK * random.uniform(0, ticks))
            process.kill()
            code, seconds = process.ended()
            tally.seconds += seconds
            if code != -signal.SIGKILL:
                assert code == 0, code
                break
            tally.kills[where(folder)] += 1
        code, seconds = begin(spec, folder).ended()
        tally.seconds += seconds
        found = [f"exit code {code}"] if code else list(differing(expected, result(folder)))
        tally.differences += [f"run {tally.runs} of {spec.stem}: {each}" for each in found]


def ticks_of(process: Started, folder: Path, *, from_first_file: bool) -> int:
    """Return for how many ticks a process trains that nobody kills.

    Raises:
        AssertionError: if it fails.
    """
    ticks = 0
    while not process.is_over():
        time.sleep(TICK)
        begun = not from_first_file or bool(written(folder))
        ticks += begun and not is_finished(folder)
    code, _ = process.ended()
    assert code == 0, code
    return ticks


def written(folder: Path) -> tuple[tuple[str, int], ...]:
    """Return when the record and the checkpoint were last written, of those there are."""
    found: list[tuple[str, int]] = []
    for path in (folder / RECORD, folder / CHECKPOINT):
        with suppress(FileNotFoundError):  # the checkpoint has another name for a moment
            found.append((path.name, path.stat().st_mtime_ns))
    return tuple(found)


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
    kept = run.read_checkpoint() if run.has_checkpoint else None
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
