"""The rounds of a campaign: the cases of one share a corpus, to which it adds for the next."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.campaign import shrink
from tests.campaign.case import Case
from tests.campaign.judge import Fault
from tests.campaign.pool import run_chunks, runner
from tests.campaign.produce import ROW, Material, is_trained, produce
from tests.campaign.sandbox import Limits, Program
from tests.campaign.tally import Tally
from tests.campaign.worker import TRAINED, Chunk, Report

SHRINKING = 20.0
"""Seconds of CPU time that may be spent on making a case small, as far as its own time foretells."""


class Plan(NamedTuple):
    """How the cases are run; only ``round`` and ``base`` change what they are."""

    jobs: int = 1
    round: int = 10_000
    """Cases of a round. A campaign that is stopped keeps its whole rounds."""
    chunk: int = ROW
    """Cases that one process runs."""
    limits: Limits = Limits()
    base: Mapping[str, bytes] = {}
    """What the cases that compute with torch start from."""


class Finding(NamedTuple):
    """A fault, and the first case that has it."""

    number: int
    case: Case
    fault: Fault
    seconds: float
    """The CPU time of the case; 0 if the case ended its process."""


def campaign(tally: Tally, cases: int, plan: Plan, program: Program, folder: Path) -> None:
    """Run rounds until the tally has this many cases; the folder is up to date after each."""
    with tempfile.TemporaryDirectory(prefix="campaign-") as lanes:
        while tally.cases < cases:
            stop = min(cases, (tally.cases // plan.round + 1) * plan.round)
            new = run_round(tally, stop, plan, program, Path(lanes))
            tally.save(folder)
            say(f"{tally.cases:,} cases, {len(tally.corpus):,} in the corpus, {tally.faulty:,} faulty")
            for finding in new:
                target = keep(finding, plan, program, folder / "found", Path(lanes) / "alone")
                say(f"  {finding.fault.kind}: {finding.fault.key}: {target}")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def run_round(tally: Tally, stop: int, plan: Plan, program: Program, lanes: Path) -> list[Finding]:
    """Run the cases up to before ``stop``; return the faults that are new."""
    material, known = Material(tally.seed, tuple(tally.corpus), plan.base), frozenset(tally.features)
    chunks = [
        Chunk(start, min(start + plan.chunk, stop), material, known)
        for start in range(tally.cases, stop, plan.chunk)
    ]
    # In the order of their numbers, so that the corpus does not depend on which process was faster.
    reports = sorted(run_chunks(chunks, plan.jobs, lanes, runner(program, plan.limits)), key=_number)
    new: list[Finding] = []
    for report in reports:
        new += (
            Finding(report.number, produce(report.number, material), fault, report.seconds)
            for fault in tally.add(report)
        )
        if tally.reaches_more(report):
            tally.corpus.append(produce(report.number, material).text)
    return new


def _number(report: Report) -> int:
    return report.number


def keep(finding: Finding, plan: Plan, program: Program, found: Path, lane: Path) -> Path:
    """Write a case with a new fault, as small as it can be made, into the folder of findings."""
    number, case, fault, _ = finding

    limits = TRAINED if is_trained(number, Material(0, (), plan.base)) else plan.limits

    def fails(smaller: Case) -> bool:
        seen = shrink.alone(smaller, number, program, lane, limits)
        return any((each.kind, each.key) == (fault.kind, fault.key) for each in seen)

    seconds = finding.seconds or plan.limits.seconds
    small = shrink.shrunk(case, fails, tries=min(shrink.TRIES, int(SHRINKING / seconds)))
    return shrink.save(small, fault, found, number)
