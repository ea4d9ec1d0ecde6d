"""What a campaign has found so far, kept in a folder so that it can be stopped and continued."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import cnncli
from tests.campaign.judge import FAULTY, Fault
from tests.campaign.seeds import seeds
from tests.campaign.worker import Report

STATE = "state.json"


class Tally:
    """Counts of whole rounds, the corpus, and what has been reached."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.cases = 0
        self.outcomes: Counter[tuple[str, str, str]] = Counter()
        """Cases by command, format and outcome."""
        self.found: Counter[tuple[str, str]] = Counter()
        """Faults by kind and key."""
        self.first: dict[tuple[str, str], int] = {}
        """The number of the first case with a fault."""
        self.slowest: dict[str, tuple[float, int]] = {}
        """For each command the most CPU time of a case, and its number."""
        self.seconds = 0.0
        self.corpus: list[str] = []
        self.features: set[int] = set()

    def add(self, report: Report) -> list[Fault]:
        """Count a case; return its faults that no case before it had."""
        self.cases += 1
        self.seconds += report.seconds
        self.outcomes[report.command, report.form, report.outcome] += 1
        slowest = self.slowest.get(report.command, (0.0, 0))
        self.slowest[report.command] = max(slowest, (report.seconds, report.number))
        new = [fault for fault in report.faults if (fault.kind, fault.key) not in self.found]
        for fault in report.faults:
            self.found[fault.kind, fault.key] += 1
            self.first.setdefault((fault.kind, fault.key), report.number)
        return new

    def reaches_more(self, report: Report) -> bool:
        """Return whether a case reached something new, and remember what."""
        new = {*report.features} - self.features
        self.features |= new
        return bool(new) and report.outcome != FAULTY

    @property
    def faulty(self) -> int:
        return sum(count for (_, _, outcome), count in self.outcomes.items() if outcome == FAULTY)

    def save(self, folder: Path) -> None:
        """Write the state; a process that ends meanwhile leaves the one before."""
        document = {
            "program": digest(),
            "seed": self.seed,
            "cases": self.cases,
            "seconds": self.seconds,
            "outcomes": [[*key, count] for key, count in sorted(self.outcomes.items())],
            "found": [[*key, count, self.first[key]] for key, count in sorted(self.found.items())],
            "slowest": self.slowest,
            "corpus": self.corpus,
            "features": sorted(self.features),
        }
        partial = folder / f"{STATE}.partial"
        partial.write_text(json.dumps(document), encoding="utf-8")
        partial.replace(folder / STATE)


def restored(folder: Path, seed: int) -> Tally:
    """Return the state in a folder, or a new one.

    Raises:
        SystemExit: the state is that of another seed or of another state of the program.
    """
    tally = Tally(seed)
    if not (folder / STATE).exists():
        return tally
    document: dict[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))
    if document["seed"] != seed or document["program"] != digest():
        raise SystemExit(f"{folder} has a campaign with another seed or another version: remove it first")
    tally.cases, tally.seconds = document["cases"], document["seconds"]
    tally.outcomes = Counter({(a, b, c): count for a, b, c, count in document["outcomes"]})
    tally.found = Counter({(kind, key): count for kind, key, count, _ in document["found"]})
    tally.first = {(kind, key): number for kind, key, _, number in document["found"]}
    tally.slowest = {name: (seconds, number) for name, (seconds, number) in document["slowest"].items()}
    tally.corpus, tally.features = document["corpus"], {*document["features"]}
    return tally


def digest() -> str:
    """Return a digest of the package, the campaign and the texts that it changes."""
    found = hashlib.sha256("\0".join(seeds()).encode())
    for folder in (Path(cnncli.__path__[0]), Path(__file__).parent):
        for path in sorted(folder.rglob("*.py")):
            found.update(path.read_bytes())
    return found.hexdigest()
