"""Diagnostics for people: the place, the line with a caret, what was expected, what to try."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, takewhile

from cnncli.diagnostics import CnncliError, Diagnostic, Location, counted, shortened
from cnncli.limits import MAX_ERRORS_SHOWN, MAX_MESSAGE, MAX_RELATED
from cnncli.report.page import MEASURE
from cnncli.report.terminal import Screen, wrapped_lines
from cnncli.report.text.columns import Line
from cnncli.report.text.escapes import printable

_EXCERPT = 100
_LEAST_EXCERPT = 10


def show_error(screen: Screen, error: CnncliError) -> None:
    """Show every diagnostic of an error, and their number."""
    screen.first_lines(error_lines(error.diagnostics, screen.width or MEASURE))


def error_lines(diagnostics: Sequence[Diagnostic], width: int | None = None) -> Iterator[Line]:
    """Yield the lines that show diagnostics, in order, with a blank line between them; notes come last.

    They are wrapped to ``width`` columns; None: not at all.
    """
    errors = [each for each in diagnostics if each.level == "error"]
    notes = [each for each in diagnostics if each.level != "error"]
    for number, diagnostic in enumerate((*errors[:MAX_ERRORS_SHOWN], *notes[:MAX_ERRORS_SHOWN])):
        if number:
            yield Line("", "")
        yield from _diagnostic(diagnostic, width)
    hidden = len(errors) - MAX_ERRORS_SHOWN
    if len(errors) > 1:
        rest = f", {hidden} of them not shown" if hidden > 0 else ""
        yield Line("", "")
        yield Line(f"{len(errors)} errors{rest}", "error")


def _diagnostic(diagnostic: Diagnostic, width: int | None) -> Iterator[Line]:
    where = diagnostic.location
    prefix = f"{_clean(str(where))}: " if where is not None else ""
    level = diagnostic.level
    yield from wrapped_lines(f"{prefix}{level}: {_clean(diagnostic.message)}", level, width)
    if where is not None:
        yield from _excerpt(where, width)
    parts = (
        ("  expected: ", diagnostic.expected),
        ("  received: ", diagnostic.received),
        ("  hint:     ", diagnostic.hint),
    )
    for label, text in parts:
        if text:
            yield from wrapped_lines(f"{label}{_clean(text)}", "", width, " " * len(label))
    for related in diagnostic.related[:MAX_RELATED]:
        text = f"  {_clean(related.message)}: {_clean(str(related.location))}"
        yield from wrapped_lines(text, "note", width)
        yield from _excerpt(related.location, width)
    hidden = len(diagnostic.related) - MAX_RELATED
    if hidden > 0:
        yield from wrapped_lines(f"  and {counted(hidden, 'more place')}", "note", width)
    for line in diagnostic.detail.splitlines():
        yield from wrapped_lines(f"    {printable(line)}", "note", width)


def _clean(text: str) -> str:
    """Return the text on one line of readable length, without control characters."""
    return printable(shortened(text, MAX_MESSAGE))


def _excerpt(where: Location, width: int | None) -> Iterator[Line]:
    """Yield the line with carets under the place; of a long line, the part around it."""
    text = printable(where.source.line(where.line))
    if not text.strip():
        return
    margin = f"{where.line:>5} | "
    room = _EXCERPT if width is None else min(_EXCERPT, width - len(margin) - 2)  # 2 for the dots
    start, cut, end = _part(text, where.column - 1, max(room, _LEAST_EXCERPT))
    shown = text[cut:end]
    lead = "…" if cut else ""
    tail = "…" if end < len(text) else ""
    inside = shown[start - cut : start - cut + where.width]
    yield Line(f"{margin}{lead}{shown}{tail}", "")
    # A place may lie beyond the end of its line if something is missing there.
    beyond = max(start - len(text), 0)
    blank = " " * (len(lead) + _columns(shown[: start - cut]) + beyond)
    yield Line(f"{' ' * (len(margin) - 2)}| {blank}{'^' * max(_columns(inside), 1)}", "caret")


def _part(text: str, start: int, room: int) -> tuple[int, int, int]:
    """Return a place in a text, and where the part around it begins and ends that takes ``room`` columns."""
    start = min(max(start, 0), max(len(text), room - 1))
    if len(text) <= _EXCERPT and _columns(text) <= room:
        return start, 0, len(text)
    cut = start - _fitting(reversed(text[max(start - _EXCERPT // 2, 0) : start]), room // 2)
    return start, cut, cut + _fitting(text[cut : cut + _EXCERPT], room)


def _fitting(characters: Iterable[str], room: int) -> int:
    """Return how many of the first characters fit into ``room`` columns."""
    widths = accumulate(map(_width, characters))
    return sum(1 for _ in takewhile(lambda taken: taken <= room, widths))


def _columns(text: str) -> int:
    """Return the columns that a text takes: letters of some scripts take two, combining marks none."""
    return len(text) if text.isascii() else sum(map(_width, text))


def _width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
