"""A worker: a process that runs the cases of a chunk one after another and reports each of them."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.campaign.case import Case
from tests.campaign.coverage import arcs, message_forms
from tests.campaign.judge import FAULTY, Fault, faults, outcome
from tests.campaign.produce import produce
from tests.campaign.sandbox import OVER_TIME, Done, Limits, Program, run

TRACED: Final = 20
"""Every case of this number is run twice: its arcs are recorded, and both runs must give the same."""

_COLLECT: Final = 50
_TRACED_LIMITS: Final = Limits(seconds=120, waiting=600)
_QUICK: Final = 0.3


class Report(NamedTuple):
    """What one case did."""

    number: int
    command: str
    form: str
    outcome: str
    seconds: float
    faults: tuple[Fault, ...] = ()
    features: tuple[int, ...] = ()
    """What it reached that no case of earlier rounds, and none before it in the chunk, has reached."""

    def line(self) -> bytes:
        return f"{json.dumps(self)}\n".encode()


def from_line(line: bytes) -> Report:
    number, command, form, what, seconds, found, features = json.loads(line)
    return Report(
        number, command, form, what, seconds, tuple(Fault(*each) for each in found), tuple(features)
    )


class Chunk(NamedTuple):
    """The cases from ``start`` to before ``stop``, for which the corpus is the same."""

    start: int
    stop: int
    seed: int
    corpus: Sequence[str]
    known: frozenset[int]


def work(chunk: Chunk, program: Program, folder: Path, pipe: int, limits: Limits) -> None:
    """Run a chunk in a folder of this process's own, and write a line for each case into the pipe."""
    enter(folder)
    known = set(chunk.known)
    for number in range(chunk.start, chunk.stop):
        case = produce(chunk.seed, number, chunk.corpus)
        report = run_case(number, case, program, limits)
        new = {*report.features} - known
        known |= new
        os.write(pipe, report._replace(features=tuple(sorted(new))).line())
        if number % _COLLECT == 0:
            gc.collect()


def enter(folder: Path) -> None:
    """Make a folder the working directory of this process, and record there what it did when it ended."""
    folder.mkdir(parents=True, exist_ok=True)
    stack = stack_file(folder).open("w")  # stays open: faulthandler writes to it
    faulthandler.enable(stack, all_threads=False)
    faulthandler.register(OVER_TIME, stack, all_threads=False, chain=True)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(folder)
    gc.freeze()


def stack_file(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.stack")


def run_case(number: int, case: Case, program: Program, limits: Limits) -> Report:
    """Run a case, twice if it is one of those whose arcs are recorded."""
    here = Path()
    case.write(here)
    done = run(program, case.arguments, limits)
    found = [*faults(case, done, limits)]
    features = message_forms(done.err)
    if number % TRACED == 0 and done.seconds < _QUICK and not done.raised:
        case.write(here)
        with arcs() as reached:
            again = run(program, case.arguments, _TRACED_LIMITS)
        features |= reached
        found += unstable(case, done, again)
    what = FAULTY if found else outcome(done)
    return Report(
        number, case.command, case.form, what, round(done.seconds, 4), tuple(found), tuple(features)
    )


def unstable(case: Case, first: Done, second: Done) -> Iterable[Fault]:
    """Yield a fault if two runs of one case differ."""
    for name in ("code", "out", "err", "raised"):
        if getattr(first, name) != getattr(second, name):
            seen = f"{getattr(first, name)!s:.300} | {getattr(second, name)!s:.300}"
            yield Fault("unstable", f"{case.command}: two runs differ in {name}", ascii(seen))
            return
