"""Kill trainings at random moments, continue them, and compare them with some that nobody kills.

python -m tests.killing                           210 kills of forks, 21 of commands, 9 under torchrun
python -m tests.killing --page docs/robustness.md the same, and write what was found into the page
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

from tests.killing.runs import AT_END, Tally, forked, kill_until, started, together
from tests.training.everything import GROWING, MEAN, SPEC

BEGIN = "<!-- killing: made by python -m tests.killing --page -->"
END = "<!-- end of killing -->"
SPECS = {"ema": SPEC, "swa": MEAN, "growing": GROWING}
NAMES = {forked: "forked processes", started: "commands", together: "two processes under torchrun"}


def main() -> None:
    """Run the campaign.

    Raises:
        SystemExit: with 1 if a run ended otherwise than one that nobody killed.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.killing")
    parser.add_argument("--kills", type=int, default=210, help="of processes with torch imported")
    parser.add_argument("--commands", type=int, default=21, help="of processes that import it")
    parser.add_argument("--together", type=int, default=9, help="of two processes that torchrun starts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--page", type=Path, help="write what was found into this page")
    given = parser.parse_args()
    if os.environ.get("OMP_NUM_THREADS") != "1":
        parser.error("set OMP_NUM_THREADS=1: a fork has only one of the threads")
    random = Random(given.seed)  # noqa: S311 - moments
    ways = {forked: given.kills, started: given.commands, together: given.together}
    tallies = {way: Tally() for way in ways}
    with tempfile.TemporaryDirectory(prefix="killing-") as temporary:
        for way, kills in ways.items():
            for name, text in SPECS.items():
                place = Path(temporary) / f"{way.__name__}-{name}"
                place.mkdir()
                spec = place / f"{name}.yaml"
                spec.write_text(text)
                kill_until(tallies[way], kills // len(SPECS), spec, place, random, way)
    lines = [line for way, tally in tallies.items() for line in (*summary(NAMES[way], tally), "")]
    print("\n".join(lines))  # noqa: T201
    if given.page is not None:
        write(given.page, lines[:-1])
    raise SystemExit(1 if any(tally.differences for tally in tallies.values()) else 0)


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
