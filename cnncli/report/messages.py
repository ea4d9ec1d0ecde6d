"""Diagnostics for people: the place, the line with a caret, what was expected, what to try."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence

from cnncli.diagnostics import CnncliError, Diagnostic, Location, shortened
from cnncli.report.terminal import Screen, printable
from cnncli.report.text.columns import Line

_MAX_SHOWN = 50
_EXCERPT = 100
_MAX_LENGTH = 300


def show_error(screen: Screen, error: CnncliError) -> None:
    """Show every diagnostic of an error, and their number."""
    screen.lines(error_lines(error.diagnostics))


def error_lines(diagnostics: Sequence[Diagnostic]) -> Iterator[Line]:
    """Yield the lines that show diagnostics, in order."""
    for diagnostic in diagnostics[:_MAX_SHOWN]:
        yield from _diagnostic(diagnostic)
    hidden = len(diagnostics) - _MAX_SHOWN
    if len(diagnostics) > 1:
        rest = f", {hidden} of them not shown" if hidden > 0 else ""
        yield Line(f"{len(diagnostics)} errors{rest}", "error")


def _diagnostic(diagnostic: Diagnostic) -> Iterator[Line]:
    where = diagnostic.location
    prefix = f"{_clean(str(where))}: " if where is not None else ""
    yield Line(f"{prefix}error: {_clean(diagnostic.message)}", "error")
    if where is not None:
        yield from _excerpt(where)
    if diagnostic.expected:
        yield Line(f"  expected: {_clean(diagnostic.expected)}", "")
    if diagnostic.received:
        yield Line(f"  received: {_clean(diagnostic.received)}", "")
    if diagnostic.hint:
        yield Line(f"  hint:     {_clean(diagnostic.hint)}", "")
    for related in diagnostic.related:
        yield Line(f"  {_clean(related.message)}: {_clean(str(related.location))}", "note")
        yield from _excerpt(related.location)
    for line in diagnostic.detail.splitlines():
        yield Line(f"    {printable(line)}", "note")
    yield Line("", "")


def _clean(text: str) -> str:
    """Return the text on one line of readable length, without control characters."""
    return printable(shortened(text, _MAX_LENGTH))


def _excerpt(where: Location) -> Iterator[Line]:
    """Yield the line with carets under the place; of a long line, the part around it."""
    text = printable(where.source.line(where.line))
    if not text.strip():
        return
    start = max(where.column - 1, 0)
    cut = max(0, start - _EXCERPT // 2) if len(text) > _EXCERPT else 0
    shown = text[cut : cut + _EXCERPT]
    lead = "…" if cut else ""
    tail = "…" if cut + _EXCERPT < len(text) else ""
    inside = shown[start - cut : start - cut + where.width]
    margin = f"{where.line:>5} | "
    yield Line(f"{margin}{lead}{shown}{tail}", "")
    # A place may lie beyond the end of its line if something is missing there.
    beyond = max(start - len(text), 0)
    blank = " " * (len(lead) + _columns(shown[: start - cut]) + beyond)
    yield Line(f"{' ' * (len(margin) - 2)}| {blank}{'^' * max(_columns(inside), 1)}", "caret")


def _columns(text: str) -> int:
    """Return the columns that a text takes: letters of some scripts take two, combining marks none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
