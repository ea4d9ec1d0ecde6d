"""What ``--verify`` found: totals side by side, and differences under the reason for them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from cnncli.report.text.columns import Column, Line, Table, render
from cnncli.report.text.numbers import exact
from cnncli.results.verify import Compared

_SHOWN = 6
_WIDTH = 100


def lines(
    compared: int, differences: Sequence[Compared], totals: Sequence[Compared], width: int | None
) -> Iterator[Line]:
    """The verdict, the totals, and the differences."""
    unexplained = [row for row in (*differences, *totals) if not row.agrees and not row.explanation]
    if unexplained:
        yield Line(
            f"verify: {len(unexplained)} of {exact(compared)} figures differ without a known reason", "error"
        )
    else:
        yield Line(
            f"verify: {exact(compared)} figures compared with torch and torchinfo, none differs unexplained",
            "good",
        )
    yield from render(_totals(totals), width)
    for row in unexplained:
        yield Line(f"  {row.name}: {row.figure} {_text(row.ours)}, but {_text(row.theirs)}", "error")
    reasons = dict.fromkeys(row.explanation for row in differences if row.explanation)
    for reason in reasons:
        yield Line("", "")
        yield from (Line(text, "note") for text in textwrap.wrap(f"{reason}:", width or _WIDTH))
        rows = [row for row in differences if row.explanation == reason]
        for row in rows[:_SHOWN]:
            yield Line(f"  {row.name}: {row.figure} {_text(row.ours)}, theirs {_text(row.theirs)}", "")
        if len(rows) > _SHOWN:
            yield Line(f"  and {len(rows) - _SHOWN} more", "")


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
