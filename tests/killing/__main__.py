"""Kill trainings at random moments, continue them, and compare them with some that nobody kills.

python -m tests.killing                            200 kills of forked processes, 20 of commands
python -m tests.killing --page docs/robustness.md  the same, and write what was found into the page
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.killing.runs import AT_END, Tally, kill_until
from tests.training.everything import MEAN, SPEC

BEGIN = "<!-- killing: made by python -m tests.killing --page -->"
END = "<!-- end of killing -->"


def main() -> None:
    """Run the campaign.

    Raises:
        SystemExit: with 1 if a run ended otherwise than one that nobody killed.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.killing")
    parser.add_argument("--kills", type=int, default=200, help="of processes with torch imported")
    parser.add_argument("--commands", type=int, default=20, help="of processes that import it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, help="write what was found into this page")
    given = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error("set OMP_NUM_THREADS=1: a fork has only one of the threads")
    random = Random(given.seed)  # noqa: S311 - moments
    forked, commands = Tally(), Tally()
    with tempfile.TemporaryDirectory(prefix="killing-") as temporary:
        for name, text in (("ema", SPEC), ("swa", MEAN)):
            place = Path(temporary) / name
            place.mkdir()
            spec = place / f"{name}.yaml"
            spec.write_text(text)
            kill_until(forked, given.kills // 2, spec, place, random, fork=True)
            (place / "commands").mkdir()
            kill_until(commands, given.commands // 2, spec, place / "commands", random, fork=False)
    lines = [*summary("forked processes", forked), "", *summary("commands", commands)]
    print("\n".join(lines))  # noqa: T201
    if given.page is not None:
        write(given.page, lines)
    raise SystemExit(1 if forked.differences or commands.differences else 0)


def summary(name: str, tally: Tally) -> Iterator[str]:
    """Yield what is said of a campaign, as Markdown."""
    runs = f"{tally.runs} runs and {tally.seconds:,.0f} seconds of CPU time"
    ends = f", and {tally.kills[AT_END]} of finished ones" if tally.kills[AT_END] else ""
    kills = f"{tally.before_end} kills of unfinished runs{ends}"
    yield f"{kills} ({name}, in {runs}): {len(tally.differences)} differences."
    yield ""
    yield "| where the run was | kills |"
    yield "| --- | --- |"
    yield from (f"| {place} | {count} |" for place, count in tally.kills.most_common())
    yield from (f"- {each}" for each in tally.differences)


def write(path: Path, lines: list[str]) -> None:
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    made = "\n".join((before + BEGIN, *lines, END + after))
    path.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
