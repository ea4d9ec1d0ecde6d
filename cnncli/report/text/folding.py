"""Folding a table: nodes whose names share a prefix become one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from cnncli.analysis.costs.figures import Figures, Row, total
from cnncli.layers import Shape


class FoldedRow(NamedTuple):
    """A row of the table: a node, or several under one name.

    ``last`` is the node whose output it shows, ``size`` the number of nodes in it.
    """

    name: str
    kind: str
    output_shape: Shape
    figures: Figures
    training_only: bool
    unused: bool
    last: str
    size: int = 1


class Stretch(NamedTuple):
    """Rows from ``first`` up to, not including, ``end``, and the row that they fold into."""

    first: int
    end: int
    row: FoldedRow


def fold(rows: Sequence[Row], groups: Mapping[str, str], depth: int | None) -> list[FoldedRow]:
    """Return the rows to show: names of more than ``depth`` parts fold into their first ``depth`` parts.

    Only consecutive rows fold together. The output shown is that of the last one; figures are sums, so that
    the rows still add up to the totals.
    """
    if depth is None:
        return [_alone(row) for row in rows]
    folded: list[FoldedRow] = []
    pending: list[Row] = []
    for row in rows:
        if pending and _prefix(row, depth) != _prefix(pending[0], depth):
            folded.append(_group(pending, groups, depth))
            pending = []
        pending.append(row)
    return [*folded, _group(pending, groups, depth)] if pending else folded


def stretches(rows: Sequence[Row], groups: Mapping[str, str]) -> Iterator[Stretch]:
    """Yield all rows that fold together at some depth, each stretch once, with its longest common name."""
    deepest = max((row.node.name.count(".") for row in rows), default=0)
    found: dict[tuple[int, int], FoldedRow] = {}
    for depth in range(1, deepest + 1):
        first = 0
        for row in fold(rows, groups, depth):
            if row.size > 1:
                found[first, first + row.size] = row
            first += row.size
    return (Stretch(*place, row) for place, row in found.items())


def _prefix(row: Row, depth: int) -> str:
    return ".".join(row.node.name.split(".")[:depth])


def _alone(row: Row) -> FoldedRow:
    node = row.node
    marks = (node.training_only, node.unused)
    return FoldedRow(node.name, node.kind, node.output_shape, row.figures, *marks, node.name)


def _group(rows: Sequence[Row], groups: Mapping[str, str], depth: int) -> FoldedRow:
    first, last = rows[0].node, rows[-1].node
    if len(rows) == 1:
        return _alone(rows[0])
    name = _prefix(rows[0], depth)
    kind = groups.get(name, first.kind if first.name == name else "group")
    figures = total(row.figures for row in rows)
    marks = all(row.node.training_only for row in rows), all(row.node.unused for row in rows)
    return FoldedRow(name, kind, last.output_shape, figures, *marks, last.name, len(rows))
