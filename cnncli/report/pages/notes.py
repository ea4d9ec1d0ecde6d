"""Warnings and notes about a spec, as the pages of all commands show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cnncli.diagnostics import Diagnostic
from cnncli.report.page import Section, Text
from cnncli.report.text.escapes import printable

_INDENT = "      "


def sections(notes: Sequence[Diagnostic]) -> Iterator[Section]:
    """Yield the section that shows warnings and notes, if there are any."""
    if notes:
        yield tuple(texts(notes))


def texts(notes: Sequence[Diagnostic]) -> Iterator[Text]:
    """Yield a text for each: its place, what it says, and what to try."""
    for note in notes:
        where = f"{note.location}: " if note.location is not None else ""
        hint = f" ({note.hint})" if note.hint else ""
        yield Text((printable(f"{where}{note.level}: {note.message}{hint}"),), note.level, _INDENT)


def document(notes: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """Return the values of a document for warnings and notes; without a place, it is null."""
    return [
        {
            "level": note.level,
            "code": note.code,
            "message": note.message,
            "hint": note.hint,
            "file": note.location.source.name if note.location else None,
            "line": note.location.line if note.location else None,
            "column": note.location.column if note.location else None,
        }
        for note in notes
    ]
