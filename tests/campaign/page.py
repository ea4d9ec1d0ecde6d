"""The tables of a campaign: on the screen, and in the page of the documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.campaign.judge import FAULTY, OUTCOMES
from tests.campaign.tally import Tally

BEGIN = "<!-- campaign: made by python -m tests.campaign --page -->"
END = "<!-- end of campaign -->"


def summary(tally: Tally) -> Iterator[str]:
    """Yield the lines of the tables, as Markdown."""
    yield (
        f"{tally.cases:,} cases with seed {tally.seed} took {tally.seconds / 3600:.1f} hours of CPU time. "
        f"{len(tally.corpus):,} specs reached something new: {len(tally.features):,} steps between lines and "
        "forms of messages in all."
    )
    yield ""
    yield from by_outcome("command", tally, 0)
    yield ""
    yield from by_outcome("format", tally, 1)
    yield ""
    if tally.found:
        rows = (
            (kind, key, f"{count:,}", str(tally.first[kind, key]))
            for (kind, key), count in tally.found.items()
        )
        yield from table(("fault", "where", "cases", "first"), sorted(rows))
    else:
        yield "No case was faulty."


def by_outcome(name: str, tally: Tally, part: int) -> Iterator[str]:
    """Yield a table of outcomes, with a row for each command or format."""
    counts: Counter[tuple[str, str]] = Counter()
    for key, count in tally.outcomes.items():
        counts[key[part], key[2]] += count
    shown = (*OUTCOMES, FAULTY)
    slowest = part == 0
    rows = [
        (
            f"`{row}`" if row else "none",
            *(f"{counts[row, outcome]:,}" for outcome in shown),
            *((f"{tally.slowest[row][0]:.1f} s",) if slowest else ()),
        )
        for row in sorted({row for row, _ in counts})
    ]
    yield from table((name, *shown, *(("slowest",) if slowest else ())), rows)


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heading)} |"
    yield f"|{' --- |' * len(heading)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def write(path: Path, tally: Tally) -> None:
    """Replace the tables of a page."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    tables = "\n".join(summary(tally))
    path.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")
