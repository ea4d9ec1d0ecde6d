"""The page of ``--verify``: totals side by side, and differences grouped by their reasons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from cnncli.report.page import Page, Section, Text, Verdict
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.numbers import exact
from cnncli.results.verify import Compared, Verification

SCHEMA: Final = "cnncli.verify/1"
_SHOWN: Final = 6


def page(found: Verification) -> Page:
    """Return the page."""
    wrong = [
        f"  {row.name}: {row.figure} {_text(row.ours)}, but {_text(row.theirs)}" for row in found.unexplained
    ]
    lead = (_totals(found.totals), Text(tuple(wrong), "error"))
    verdict = Verdict((_headline(found),), found.ok)
    return Page("", partial(_sections, found), partial(_document, found), verdict, lead)


def _headline(found: Verification) -> str:
    compared = exact(found.compared)
    if not found.ok:
        return f"verify: {len(found.unexplained)} of {compared} figures differ without a known reason"
    differences = "all differences explained" if found.differences else "no differences"
    return f"verify: {compared} figures compared with torch and torchinfo, {differences}"


def _sections(found: Verification, _: int | None) -> Iterator[Section]:
    """Yield every reason with the differences that it explains."""
    for reason in dict.fromkeys(row.explanation for row in found.differences if row.explanation):
        rows = [row for row in found.differences if row.explanation == reason]
        shown = [
            f"  {row.name}: {row.figure} {_text(row.ours)}, theirs {_text(row.theirs)}"
            for row in rows[:_SHOWN]
        ]
        more = [f"  and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else []
        yield Text((f"{reason}:",), "note", ""), Text((*shown, *more))


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


def _document(found: Verification) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "ok": found.ok,
        "compared": found.compared,
        "totals": [row._asdict() for row in found.totals],
        "differences": [row._asdict() for row in found.differences],
    }
