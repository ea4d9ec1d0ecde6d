"""The page of ``cnncli look``: the figures behind a picture of the inside of a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from cnncli.limits import MAX_LOOKED_ROWS
from cnncli.report.page import Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import exact
from cnncli.results.looking import Looked

SCHEMA: Final = "cnncli.look/1"


def page(found: Looked) -> Page:
    """Return the page."""
    title = f"{printable(found.name)}: {found.what}"
    lead = (Text(tuple(map(printable, found.notes)), "note"),) if found.notes else ()
    return Page(title, partial(_sections, found), partial(_document, found), lead=lead)


def _sections(found: Looked, _: int | None) -> Iterator[Section]:
    if found.facts:
        lines = (f"{name}: {_text(value)}" for name, value in found.facts.items() if value != "")
        yield (Text(tuple(lines)),)
    if found.rows:
        yield tuple(_rows(found.rows))
    if found.written is not None:
        yield (Text((f"drawn to {printable(str(found.written))}",), "good"),)


def _rows(rows: tuple[Mapping[str, Any], ...]) -> Iterator[Table | Text]:
    columns = []
    for name in rows[0]:
        values = [row[name] for row in rows[:MAX_LOOKED_ROWS]]
        if any(each != "" for each in values):
            is_text = any(isinstance(each, str) for each in values)
            texts = [_text(each) or "-" for each in values]
            columns.append(Column(name, texts, right=not is_text, cut=is_text))
    yield Table(tuple(columns))
    if len(rows) > MAX_LOOKED_ROWS:
        yield Text((f"and {len(rows) - MAX_LOOKED_ROWS:,} more: --format json has all of them",), "note")


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return exact(value) if isinstance(value, int) else printable(str(value))


def _document(found: Looked) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": found.name,
        "weights": str(found.weights),
        "what": found.what,
        "facts": dict(found.facts),
        "rows": [dict(row) for row in found.rows],
        "notes": list(found.notes),
        "output": None if found.written is None else str(found.written),
    }
