"""A failing case made small: lines and options are left out as long as the same fault remains."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.campaign.case import SPEC, Case
from tests.campaign.judge import Fault
from tests.campaign.pool import ended
from tests.campaign.sandbox import Limits, Program
from tests.campaign.worker import Report, enter, from_line, run_case, stack_file

TRIES = 150
"""A case is run this often at most to make it small."""


def alone(case: Case, number: int, program: Program, folder: Path, limits: Limits) -> tuple[Fault, ...]:
    """Return the faults of a case that is run in a process of its own; the folder is used for it."""
    pipe, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(pipe)
        enter(folder)
        os.write(end, run_case(number, case, program, limits).line())
        os._exit(0)
    os.close(end)
    with os.fdopen(pipe, "rb") as stream:
        line = stream.read()
    _, status = os.waitpid(child, 0)
    return read(line, status, stack_file(folder))


def read(line: bytes, status: int, stack: Path) -> tuple[Fault, ...]:
    report: Report | None = from_line(line) if line.endswith(b"\n") else None
    return report.faults if report else (ended(status, stack),)


def shrunk(case: Case, fails: Callable[[Case], bool], tries: int = TRIES) -> Case:
    """Return a smaller case that still fails, after at most ``tries`` runs."""
    left = tries
    changed = True
    while changed:
        changed = False
        for smaller in smaller_cases(case):
            if not left:
                return case
            left -= 1
            if fails(smaller):
                case, changed = smaller, True
                break
    return case


def smaller_cases(case: Case) -> Iterator[Case]:
    """Yield the case without some of its files, lines and words; the largest parts first."""
    for name in case.files:
        if name != SPEC:
            yield case._replace(files={each: text for each, text in case.files.items() if each != name})
    lines = case.text.split("\n")
    size = len(lines) // 2
    while size:
        for start in range(0, len(lines), size):
            yield case.with_text("\n".join([*lines[:start], *lines[start + size :]]))
        size //= 2
    words = case.arguments
    for size in (2, 1):
        yield from (
            case._replace(arguments=(*words[:at], *words[at + size :]))
            for at in range(1, len(words) - size + 1)
        )


def save(case: Case, fault: Fault, folder: Path, number: int) -> Path:
    """Write a case with its fault: a script to paste, and its files."""
    kind = fault.kind.replace(" ", "-")
    target = folder / f"{kind}-{number}"
    target.mkdir(parents=True, exist_ok=True)
    for name, content in case.files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (target / "command.sh").write_text(case.script(), encoding="utf-8", errors="surrogateescape")
    (target / "fault.txt").write_text(
        f"{fault.kind}: {fault.key}\n\n{fault.seen}\n", encoding="utf-8", errors="replace"
    )
    return target
