"""The layers of networks in columns, one column a network, as in table 1 of the VGG paper.

(Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, 2014.)
Stages start at the same height in all columns, and so do the layers that end them, and the vectors that
follow the last map.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final, NamedTuple, TypeAlias

from cnncli.analysis.costs.figures import computes_weighted_sums
from cnncli.analysis.costs.overview import Overview
from cnncli.analysis.costs.stages import axes, stages
from cnncli.graph import Node
from cnncli.layers import shape_text
from cnncli.layers.geometry.window import TransposedWindow, Window
from cnncli.report.text.columns import GAP, Column, Table

_SHORT: Final = {"linear": "FC", "localresponsenorm": "LRN"}
"""The names in papers of kinds whose own names would widen every column."""

Cells: TypeAlias = Sequence[str]

Band: TypeAlias = "tuple[Cells, ...]"
"""The rows between two rules, in parts that start at the same height in all columns."""


class Outline(NamedTuple):
    """One column: its heading, its first rows, layers and ends of each stage, and the vectors."""

    heading: str
    head: Cells
    stages: Sequence[tuple[Cells, Cells]]
    vectors: Cells

    @property
    def width(self) -> int:
        cells = (cell for band in self.bands(0) for part in band for cell in part)
        return max(map(len, (self.heading, *cells)))

    def bands(self, count: int) -> Iterator[Band]:
        """Yield all bands from top to bottom, with at least ``count`` stages."""
        missing = [((), ())] * (count - len(self.stages))
        yield from ((self.head,), *self.stages, *missing, (self.vectors,))


def tables(networks: Sequence[Overview], names: Sequence[str], width: int | None) -> Iterator[Table]:
    """Yield the networks in as many tables as it takes to fit ``width``; None: in one."""
    outlines = [_outline(each, name) for each, name in zip(networks, names, strict=True)]
    yield from map(_table, _groups(outlines, width))


def _groups(outlines: Sequence[Outline], width: int | None) -> Iterator[list[Outline]]:
    group: list[Outline] = []
    taken = 0
    for each in outlines:
        if group and width is not None and taken + each.width > width:
            yield group
            group, taken = [], 0
        group.append(each)
        taken += each.width + len(GAP)
    yield group


def _table(outlines: Sequence[Outline]) -> Table:
    most = max(len(each.stages) for each in outlines)
    rows: list[tuple[str, ...]] = []
    rules: set[int] = set()
    for bands in zip(*(each.bands(most) for each in outlines), strict=True):
        rules.add(len(rows))
        for parts in zip(*bands, strict=True):
            rows += zip_longest(*parts, fillvalue="")
    columns = zip(outlines, zip(*rows, strict=True), strict=True)
    return Table(
        tuple(Column(each.heading, cells, cut=True) for each, cells in columns), rules=frozenset(rules - {0})
    )


def _outline(network: Overview, heading: str) -> Outline:
    maps, vectors = stages(network.graph)
    head = (f"depth {network.depth}", shape_text(network.graph.input))
    return Outline(heading, head, [(_cells(layers), _cells(ends)) for layers, ends in maps], _cells(vectors))


def _cells(nodes: Sequence[Node]) -> Cells:
    return [_cell(node) for node in nodes]


def _cell(node: Node) -> str:
    """Return ``conv3-64``, ``conv7-64/2`` with a stride, ``FC-10``; the kind if no sums are computed."""
    word = _SHORT.get(node.kind, node.kind)
    if not computes_weighted_sums(node):
        return word
    windows = [window for window, _ in axes(node) if isinstance(window, Window | TransposedWindow)]
    kernel = _each([window.kernel for window in windows])
    strides = [window.stride for window in windows if isinstance(window, Window)]
    stride = f"/{_each(strides)}" if any(each > 1 for each in strides) else ""
    return f"{word}{kernel}-{node.output_shape[0]}{stride}"


def _each(numbers: Sequence[int]) -> str:
    """Return one number for all axes if they agree, ``3``, otherwise ``3x1``."""
    return "x".join(map(str, numbers[:1] if len(set(numbers)) == 1 else numbers))
