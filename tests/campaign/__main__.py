"""Run a campaign: random specs and command lines, with limits of time, memory and output for every case.

python -m tests.campaign --cases 1000000            start one, or continue the one in build/campaign
python -m tests.campaign --page docs/robustness.md  write what it found into the page
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from tests.campaign import page, sandbox, trained
from tests.campaign.rounds import Plan, campaign, say
from tests.campaign.tally import restored


def main() -> None:
    """Run, continue or show a campaign.

    Raises:
        SystemExit: with 1 if a case was faulty.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.campaign")
    parser.add_argument("--cases", type=int, default=1_000_000, help="stop after this many cases")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes that run cases")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("build/campaign"), help="state and findings")
    parser.add_argument("--page", type=Path, help="write the tables into this page, and run nothing")
    given = parser.parse_args()
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    tally = restored(folder, given.seed)
    if given.page is not None:
        page.write(given.page, tally)
        return
    try:
        program = sandbox.cnncli()
        plan = Plan(given.jobs, base=trained.base(folder / "base", program))
        campaign(tally, given.cases, plan, program, folder)
    except KeyboardInterrupt:
        say("stopped: the cases of the unfinished round are not counted")
        tally = restored(folder, given.seed)
    say("\n".join(page.summary(tally)))
    raise SystemExit(1 if tally.found else 0)


if __name__ == "__main__":
    main()
