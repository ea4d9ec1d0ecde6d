"""Folding a table: nodes whose names share a prefix become one row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cnncli.analysis.costs.figures import Figures, Row, total
from cnncli.layers import Shape


class FoldedRow(NamedTuple):
    """A row of the table: a node, or several under one name."""

    name: str
    kind: str
    output: Shape
    figures: Figures
    training_only: bool
    last: str
    """The node whose output it shows."""


def fold(rows: Sequence[Row], groups: Mapping[str, str], depth: int | None) -> list[FoldedRow]:
    """The rows to show: names of more than ``depth`` parts fold into their first ``depth`` parts.

    Rows fold together only where they follow one another. The output shown is the last one's; all
    figures are sums, so that the rows still add up to the totals.
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


def _prefix(row: Row, depth: int) -> str:
    return ".".join(row.node.name.split(".")[:depth])


def _alone(row: Row) -> FoldedRow:
    node = row.node
    return FoldedRow(node.name, node.kind, node.output, row.figures, node.training_only, node.name)


def _group(rows: Sequence[Row], groups: Mapping[str, str], depth: int) -> FoldedRow:
    first, last = rows[0].node, rows[-1].node
    if len(rows) == 1:
        return _alone(rows[0])
    name = _prefix(rows[0], depth)
    kind = groups.get(name, first.kind if first.name == name else "group")
    figures = total(row.figures for row in rows)
    training_only = all(row.node.training_only for row in rows)
    return FoldedRow(name, kind, last.output, figures, training_only, last.name)
