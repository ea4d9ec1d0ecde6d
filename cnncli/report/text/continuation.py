"""Folding of wide tables: formulas without room are shown below, in tables with the layers' names again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnncli.report.text.amounts import NONE
from cnncli.report.text.columns import GAP, Column, Table, left_out, length
from cnncli.report.text.wrapping import unbroken, wrapped

_NOTHING = ("0", NONE, "")
_FROM_OUTPUT = ("neurons", "values")
"""The product of the output's sizes, which the table does show, or 0."""


def folded(drawn: Table, width: int | None) -> Iterator[Table]:
    """Yield the table without the columns for which ``width`` has no room, then those columns.

    They are shown for the rows where they are not zero: the figures in one table if that fits, otherwise in
    one for each of them, with wrapped formulas.
    """
    no_room = left_out(drawn, width)
    yield drawn._replace(columns=tuple(column for column in drawn.columns if column not in no_room))
    missing = [
        column
        for column in no_room
        if column.heading not in _FROM_OUTPUT and any(cell not in _NOTHING for cell in column.cells)
    ]
    if width is None or not missing:
        return
    figures = [column for column in missing if column.right]
    together = _where_any((drawn.columns[0], *figures))
    fits = bool(figures) and length(together) <= width
    if fits:
        yield Table(together)
    for column in missing:
        if fits and column.right:
            continue
        name, alone = _where_any((drawn.columns[0], column))
        yield Table(_broken(name, alone, width))


def with_below(drawn: Table, heading: str, width: int | None) -> Iterator[Table]:
    """Yield the table; if it is wider than ``width``, this column comes below it, with the rows' names."""
    column = next(each for each in drawn.columns if each.heading == heading)
    if width is None or length(drawn.columns) <= width:
        yield drawn
        return
    yield drawn._replace(columns=tuple(each for each in drawn.columns if each is not column))
    name, alone = _where_any((drawn.columns[0], column))
    yield Table(_broken(name, alone, width))


def _where_any(columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the rows in which any column but the first has a value."""
    rows = zip(*(column.cells for column in columns), strict=True)
    kept = [row for row in rows if any(cell not in _NOTHING for cell in row[1:])]
    return tuple(
        column._replace(cells=[row[index] for row in kept], short_cells=None, optional=False)
        for index, column in enumerate(columns)
    )


def _broken(name: Column, figure: Column, width: int) -> tuple[Column, Column]:
    """Return the two columns, with formulas that are too long broken into lines."""
    room = width - len(GAP) - min(name.width, width // 2)
    if max(map(len, figure.cells)) <= room:
        return name, figure
    names: list[str] = []
    lines: list[str] = []
    for row, cell in zip(name.cells, figure.cells, strict=True):
        formula = wrapped(unbroken(cell), room)
        names += [row, *[""] * (len(formula) - 1)]
        lines += formula
    return name._replace(cells=names), figure._replace(cells=lines, right=False)
