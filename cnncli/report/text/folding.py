"""Folding a table: nodes whose names share a prefix become one row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol, TypeVar

from cnncli.analysis.costs.figures import Figures, Row, total
from cnncli.graph import Node
from cnncli.language.description import INPUT
from cnncli.layers import Shape


class OfNode(Protocol):
    """A row that is about one node."""

    @property
    def node(self) -> Node: ...


N = TypeVar("N", bound=OfNode)


class FoldedRow(NamedTuple):
    """A row of the table: a node, or several under one name.

    ``last`` is the node whose output it shows, ``size`` the number of nodes in it. ``reads`` are the names of
    what it reads, folded alike, unless that is the node before it alone.
    """

    name: str
    kind: str
    output_shape: Shape
    figures: Figures
    training_only: bool
    unused: bool
    last: str
    reads: tuple[str, ...] = ()
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
    above = INPUT
    folded: list[FoldedRow] = []
    for stretch in together(rows, depth):
        folded.append(_group(stretch, groups, depth, above))
        above = stretch[-1].node.name
    return folded


def together(rows: Iterable[N], depth: int | None) -> Iterator[list[N]]:
    """Yield consecutive rows of nodes whose names have the same first ``depth`` parts; None: each alone."""
    return ([*stretch] for _, stretch in groupby(rows, lambda row: prefix(row.node.name, depth)))


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


def prefix(name: str, depth: int | None) -> str:
    """Return the first ``depth`` parts of a name; None: all."""
    return ".".join(name.split(".")[:depth])


def _group(rows: Sequence[Row], groups: Mapping[str, str], depth: int | None, above: str) -> FoldedRow:
    first, last = rows[0].node, rows[-1].node
    name, kind = last.name, last.kind
    if len(rows) > 1:
        name = prefix(first.name, depth)
        kind = groups.get(name, first.kind if first.name == name else "group")
    inside = {row.node.name for row in rows}
    read = dict.fromkeys(each for row in rows for each in row.node.inputs if each not in inside)
    reads = tuple(dict.fromkeys(prefix(each, depth) for each in read)) if [*read] != [above] else ()
    figures = total(row.figures for row in rows) if len(rows) > 1 else rows[0].figures
    marks = all(row.node.training_only for row in rows), all(row.node.unused for row in rows)
    return FoldedRow(name, kind, last.output_shape, figures, *marks, last.name, reads, len(rows))
