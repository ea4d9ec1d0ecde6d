"""What ``--verify`` adds to a page: totals side by side, and differences grouped by their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from cnncli.report.page import Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import exact
from cnncli.report.text.wrapping import INDENT
from cnncli.results.verify import Compared, Verification

_SHOWN: Final = 6


def sections(found: Verification) -> Iterator[Section]:
    """Yield the verdict with all totals, then every reason with the differences that it explains."""
    verdict = Text((_headline(found),), "good" if found.ok else "error", "")
    yield verdict, _totals(found.totals), *_wrong(found.unexplained)
    for reason in dict.fromkeys(row.explanation for row in found.differences if row.explanation):
        yield tuple(_explained(reason, [row for row in found.differences if row.explanation == reason]))


def document(found: Verification) -> dict[str, Any]:
    """Return the value of the key ``verify`` of a document."""
    return {
        "ok": found.ok,
        "compared": found.compared,
        "totals": [row._asdict() for row in found.totals],
        "differences": [row._asdict() for row in found.differences],
    }


def _headline(found: Verification) -> str:
    compared = exact(found.compared)
    if not found.ok:
        return f"verify: {len(found.unexplained)} of {compared} figures differ without a known reason"
    differences = "all differences explained" if found.differences else "no differences"
    return f"verify: {compared} figures compared with torch and torchinfo, {differences}"


def _wrong(rows: Sequence[Compared]) -> Iterator[Text]:
    """Yield the differences without a known reason, if there are any."""
    if rows:
        texts = (f"  {row.name}: {row.figure} {_text(row.ours)}, but {_text(row.theirs)}" for row in rows)
        yield Text(tuple(map(printable, texts)), "error", INDENT)


def _explained(reason: str, rows: Sequence[Compared]) -> Iterator[Text]:
    """Yield a reason and the first differences that it explains."""
    texts = [
        f"  {row.name}: {row.figure} {_text(row.ours)}, theirs {_text(row.theirs)}" for row in rows[:_SHOWN]
    ]
    more = [f"  and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
    yield Text((f"{reason}:",), "note", "")
    yield Text(tuple(map(printable, (*texts, *more))), "", INDENT)


def _totals(totals: Sequence[Compared]) -> Table:
    return Table(
        (
            Column("total", [row.figure for row in totals]),
            Column("cnncli", [_text(row.ours) for row in totals], right=True),
            Column("theirs", [_text(row.theirs) for row in totals], right=True),
            Column("", ["" if row.agrees else row.explanation or "DIFFERS" for row in totals], cut=True),
        )
    )


def _text(value: int | str) -> str:
    return exact(value) if isinstance(value, int) else value
