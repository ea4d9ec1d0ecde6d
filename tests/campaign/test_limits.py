"""Every limit ends a case or is seen, whatever the program does; the other cases are still run."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.campaign.case import Case
from tests.campaign.judge import ANSWERED, FAULTY
from tests.campaign.pool import run_chunks, runner
from tests.campaign.produce import Material
from tests.campaign.rounds import Plan, campaign
from tests.campaign.sandbox import Limits, Program
from tests.campaign.shrink import alone, shrunk
from tests.campaign.tally import STATE, Tally, restored
from tests.campaign.worker import Chunk

LIMITS = Limits(seconds=0.2, memory=2**26, output=1000)

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def loops(_: Sequence[str]) -> int:
    while True:
        pass


def matches(_: Sequence[str]) -> int:
    """Take long inside of C, where no handler of Python would run."""
    return 0 if re.match("(a?){40}a{40}", "a" * 40) else 2


def waits(_: Sequence[str]) -> int:
    threading.Event().wait()
    return 0


def takes(_: Sequence[str]) -> int:
    """Take more than the tests before may have left free in this process, which would not add to it."""
    return len([bytearray(2**27) for _ in range(32)]) * 0


def prints(_: Sequence[str]) -> int:
    sys.stdout.write("x" * 1001)
    return 0


def aborts(_: Sequence[str]) -> int:
    os.abort()


def ends(_: Sequence[str]) -> int:
    os._exit(0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "kind"),
    [
        (loops, "time"),
        (matches, "time"),
        (waits, "waiting"),
        (takes, "memory"),
        (prints, "output"),
        (aborts, "crash"),
        (ends, "crash"),
    ],
)
def test_a_limit(program: Program, kind: str, tmp_path: Path) -> None:
    # On a busy machine a loop takes long to use up its CPU time, and so does showing an error of memory.
    slow, patient = LIMITS._replace(seconds=10), LIMITS._replace(waiting=0.3)
    others: dict[Program, Limits] = {waits: patient, takes: slow}
    limits = others.get(program, LIMITS)
    (fault,) = alone(Case({}, ("inspect",)), 1, program, tmp_path / "lane", limits)
    assert fault.kind == kind


@pytest.mark.slow
def test_memory_counts_for_each_case(tmp_path: Path) -> None:
    kept: list[bytearray] = []

    def keeps(_: Sequence[str]) -> int:
        kept.append(bytearray(2**25))
        return answer()

    chunk = Chunk(0, 5, Material(1))
    reports = [*run_chunks([chunk], 1, tmp_path, runner(keeps, LIMITS))]
    assert [report.outcome for report in reports] == [ANSWERED] * 5


@pytest.mark.slow
def test_the_cases_after_one_that_ends_its_process_are_run(tmp_path: Path) -> None:
    def ends_often(arguments: Sequence[str]) -> int:
        if arguments[0] == "memory":
            os._exit(0)
        return answer()

    chunks = [Chunk(start, start + 20, Material(1)) for start in range(0, 60, 20)]
    reports = sorted(run_chunks(chunks, 2, tmp_path, runner(ends_often, LIMITS)))
    assert [report.number for report in reports] == [*range(60)]
    assert {report.command for report in reports if report.outcome == FAULTY} == {"memory"}
    assert sum(report.outcome == ANSWERED for report in reports) > 30


def answer() -> int:
    sys.stdout.write('{"schema": "any"}\n')
    return 0


def complains(arguments: Sequence[str]) -> int:
    """Answer, refuse, or raise, by the text of the spec; quick."""
    text = Path("net.yaml").read_text(encoding="utf-8", errors="replace")
    assert "concat" not in text
    if "relu" in text:
        sys.stderr.write(f"error: {arguments[0]} of {len(text) % 7 * 'x'}\n")
        return 2
    return answer()


def state(folder: Path) -> object:
    found = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return [found[key] for key in ("seed", "cases", "outcomes", "found", "corpus", "features")]


@pytest.mark.slow
def test_a_campaign_does_not_depend_on_its_processes_nor_on_stops(tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    for folder in (once, twice):
        folder.mkdir()
    plan = Plan(jobs=1, round=40, chunk=10)
    campaign(Tally(5), 120, plan, complains, once)
    campaign(Tally(5), 80, plan._replace(jobs=3), complains, twice)
    tally = restored(twice, 5)
    assert tally.cases == 80
    campaign(tally, 120, plan, complains, twice)
    assert state(once) == state(twice)
    assert tally.corpus
    assert {kind for kind, _ in tally.found} == {"traceback"}
    (found,) = (once / "found").iterdir()
    assert "concat" in (found / "net.yaml").read_text(encoding="utf-8")
    assert (found / "command.sh").read_text(encoding="utf-8").startswith("base64 -d > net.yaml")


def test_another_seed_does_not_continue_a_campaign(tmp_path: Path) -> None:
    Tally(5).save(tmp_path)
    with pytest.raises(SystemExit, match="another seed"):
        restored(tmp_path, 6)


def test_what_does_not_matter_is_left_out() -> None:
    case = Case({"net.yaml": b"a\nb\nbad\nc\n", "base.yaml": b"x"}, ("inspect", "net.yaml", "--depth", "3"))
    small = shrunk(case, lambda smaller: "bad" in smaller.text)
    assert small == Case({"net.yaml": b"bad"}, ("inspect",))
