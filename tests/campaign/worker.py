"""A worker: a process that runs the cases of a chunk one after another and reports each of them."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

from tests.campaign.case import Case
from tests.campaign.coverage import arcs, message_forms
from tests.campaign.judge import FAULTY, Fault, faults, outcome
from tests.campaign.produce import Material, is_trained, produce
from tests.campaign.sandbox import OVER_TIME, Done, Limits, Program, run
from tests.campaign.trained import import_torch, within_size

TRACED: Final = 20
"""One case in this many is run twice, if it is not one that computes with torch."""

TRAINED: Final = Limits(seconds=20, memory=2 * 2**30, waiting=180)
"""For cases that compute with torch."""

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
    """The cases from ``start`` to before ``stop``, made from the same material."""

    start: int
    stop: int
    material: Material
    known: frozenset[int] = frozenset()
    """What earlier rounds have reached."""


def work(chunk: Chunk, program: Program, folder: Path, pipe: int, limits: Limits) -> None:
    """Run a chunk in a folder of this process's own, and write a line for each case into the pipe."""
    enter(folder)
    known = set(chunk.known)
    for number in range(chunk.start, chunk.stop):
        case = produce(number, chunk.material)
        if is_trained(number, chunk.material):
            import_torch()
            report = run_case(number, case, within_size(program), TRAINED, traced=False)
        else:
            report = run_case(number, case, program, limits, traced=number % TRACED == 0)
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


def run_case(number: int, case: Case, program: Program, limits: Limits, *, traced: bool = False) -> Report:
    """Run a case; twice if its arcs are to be recorded, and then both runs must do the same."""
    here = Path()
    case.write(here)
    done = run(program, case.arguments, limits)
    found = [*faults(case, done, limits)]
    features = message_forms(done.err)
    if traced and done.seconds < _QUICK and not done.raised:
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
