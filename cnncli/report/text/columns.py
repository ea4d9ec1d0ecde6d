"""Text in columns, for a terminal or a pipe.

rich's tables measure and wrap every cell, which takes seconds for ten thousand layers; these cells
are a line of plain text each, so that widths are counted once and lines are joined.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

GAP = "  "
_ELLIPSIS = "…"
_LEAST_WIDTHS = (12, 8)
"""To which width columns are cut: each to the second only if the first is not enough for all of them."""


class Column(NamedTuple):
    """A heading and its cells; ``short_cells`` replace them where a line would be too long.

    ``rank`` is the order in which columns are shortened: 1 first; 0 never. If that is not enough,
    ``optional`` ones are left out in the same order. As a last resort, ``cut`` columns lose the middle of
    their text.
    """

    heading: str
    cells: Sequence[str]
    right: bool = False
    short_cells: Sequence[str] | None = None
    rank: int = 0
    cut: bool = False
    optional: bool = False

    @property
    def width(self) -> int:
        """The number of characters of its longest cell."""
        return max(len(self.heading), max(map(len, self.cells), default=0))


class Fold(NamedTuple):
    """Rows from ``first`` up to, not including, ``end`` that can be shown as one row with these cells."""

    first: int
    end: int
    cells: tuple[str, ...]


class Table(NamedTuple):
    """Columns, and how many of the last rows are totals, set off by a rule.

    ``rules`` are the numbers of other rows, counted from 0, that have a rule above them. ``folds`` returns
    the rows that a format may fold: each stretch lies within or beside every other one. It is a function,
    since few formats can.
    """

    columns: tuple[Column, ...]
    totals: int = 0
    rules: frozenset[int] = frozenset()
    folds: Callable[[], Sequence[Fold]] = tuple


class Line(NamedTuple):
    """A line and its role, which decides its style: ``heading``, ``rule``, ``row``, ``total``, ``note``..."""

    text: str
    role: str

    @property
    def bytes(self) -> int:
        """The bytes of the line and its end."""
        text = self.text
        return (len(text) if text.isascii() else len(text.encode(errors="replace"))) + 1


def render(table: Table, width: int | None) -> Iterator[Line]:
    """Yield the lines of a table, at most ``width`` characters long; None: as long as they need to be."""
    columns = _fitted(table.columns, width)
    widths = [column.width for column in columns]
    rule = "─" * (sum(widths) + len(GAP) * (len(widths) - 1))
    yield Line(_join([column.heading for column in columns], columns, widths), "heading")
    yield Line(rule, "rule")
    rows = list(zip(*(column.cells for column in columns), strict=True))
    body = len(rows) - table.totals
    if not any(any(row[1:]) for row in rows[body:]):
        rows = rows[:body]  # the columns of the sums have been left out
    for index, row in enumerate(rows):
        if index == body or index in table.rules:
            yield Line(rule, "rule")
        yield Line(_join(row, columns, widths), "row" if index < body else "total")


def left_out(table: Table, width: int | None) -> list[Column]:
    """Return the optional columns for which ``width`` has no room."""
    shown = {column.heading for column in _fitted(table.columns, width)}
    return [column for column in table.columns if column.heading not in shown]


def cut_middle(text: str, width: int) -> str:
    """Return the text, with its middle replaced by an ellipsis if it is longer than ``width``."""
    if len(text) <= width:
        return text
    tail = (width - 1) * 2 // 3
    return f"{text[: width - 1 - tail]}{_ELLIPSIS}{text[len(text) - tail :]}"


def _join(cells: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    parts = [
        cell.rjust(width) if column.right else cell.ljust(width)
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    return GAP.join(parts).rstrip()


def _fitted(columns: tuple[Column, ...], width: int | None) -> tuple[Column, ...]:
    """Return the columns, shortened one after another, or left out, until a line fits."""
    if width is None or length(columns) <= width:
        return columns
    fitted = list(columns)
    by_rank = sorted(range(len(columns)), key=lambda i: columns[i].rank)
    for index in by_rank:
        column = columns[index]
        if column.rank and column.short_cells is not None and length(fitted) > width:
            fitted[index] = column._replace(cells=column.short_cells)
    for column in [fitted[index] for index in by_rank if columns[index].optional]:
        if length(fitted) > width:
            fitted.remove(column)
    for least, index in product(_LEAST_WIDTHS, range(len(fitted))):
        column, surplus = fitted[index], length(fitted) - width
        if column.cut and surplus > 0:
            room = max(column.width - surplus, least)
            fitted[index] = column._replace(cells=[cut_middle(cell, room) for cell in column.cells])
    return tuple(fitted)


def length(columns: Sequence[Column]) -> int:
    """Return how many characters a line of these columns takes."""
    return sum(column.width for column in columns) + len(GAP) * (len(columns) - 1)
