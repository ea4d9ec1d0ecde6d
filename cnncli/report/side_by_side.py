"""The layers of networks in columns, one column a network, as in table 1 of the VGG paper.

(Simonyan and Zisserman, Very deep convolutional networks for large-scale image recognition, 2014.)
A stage is what happens at one resolution; it ends with the layers that leave it. Stages stand at the
same height in all columns, and so do the vectors that follow the last map.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from cnncli.analysis.comparison import Network
from cnncli.analysis.costs import computes_weighted_sums
from cnncli.graph import Node
from cnncli.layers import shape_text
from cnncli.layers.window import AdaptiveWindow, AnyWindow, Spread, TransposedWindow, Window
from cnncli.report.columns import GAP, Column, Table
from cnncli.spec.description import INPUT

_SHORT: Final = {"linear": "FC", "localresponsenorm": "LRN"}
"""What papers call a kind, where its own name would widen every column."""

_LEFT_OUT: Final = frozenset({"activation", "regularising"})
"""Families of kinds that are not shown."""


class Stage(NamedTuple):
    """The layers at one resolution, and those that leave it."""

    layers: Sequence[str] = ()
    ends: Sequence[str] = ()


class Outline(NamedTuple):
    """One column: its heading, what stands first, the stages, and what follows the last map."""

    heading: str
    head: Stage
    stages: Sequence[Stage]
    tail: Stage

    @property
    def width(self) -> int:
        cells = (cell for stage in self.sections(0) for part in stage for cell in part)
        return max(map(len, (self.heading, *cells)))

    def sections(self, count: int) -> Iterator[Stage]:
        """All from top to bottom, with at least ``count`` stages."""
        missing = [Stage()] * (count - len(self.stages))
        yield from (self.head, *self.stages, *missing, self.tail)


def tables(networks: Sequence[Network], names: Sequence[str], width: int | None) -> Iterator[Table]:
    """The networks, in as many tables as it takes to keep lines within ``width``; None: in one."""
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
    for stages in zip(*(each.sections(most) for each in outlines), strict=True):
        rules.add(len(rows))
        rows += zip_longest(*(stage.layers for stage in stages), fillvalue="")
        rows += zip_longest(*(stage.ends for stage in stages), fillvalue="")
    columns = zip(outlines, zip(*rows, strict=True), strict=True)
    return Table(tuple(Column(each.heading, cells) for each, cells in columns), rules=frozenset(rules - {0}))


def _outline(network: Network, heading: str) -> Outline:
    graph = network.graph
    nodes = [node for node in graph.nodes if not node.training_only]
    before_maps = _before_maps(nodes)
    level = {INPUT: 0}
    layers, ends = defaultdict[int, list[str]](list), defaultdict[int, list[str]](list)
    tail: list[str] = []
    for node in nodes:
        here = max(level[name] for name in node.inputs)
        leaves = _changes_resolution(node)
        level[node.name] = here + leaves
        if _matters(node):
            follows = len(node.output) == 1 and node.name not in before_maps
            place = tail if follows else ends[here] if leaves else layers[here]
            place.append(_cell(node))
    stages = [Stage(layers[each], ends[each]) for each in range(max((*layers, *ends), default=-1) + 1)]
    head = Stage((f"depth {network.depth}", shape_text(graph.input)))
    return Outline(heading, head, stages, Stage(tail))


def _before_maps(nodes: Sequence[Node]) -> frozenset[str]:
    """The nodes that a map comes after, such as the vectors that weigh channels."""
    found: set[str] = set()
    for node in reversed(nodes):
        if len(node.output) > 1 or node.name in found:
            found.update(node.inputs)
    return frozenset(found)


def _matters(node: Node) -> bool:
    """Whether a node is shown: not where it works on each value, moves values or passes them on."""
    family = node.layer.family
    if family in _LEFT_OUT:
        return False
    if computes_weighted_sums(node):
        return True
    if family == "shaping":
        x, y = node.input_shapes[0], node.output
        return len(x) > 1 and len(y) > 1 and x[1:] != y[1:]
    return family != "pooling" or not _passes_on(node)


def _along(node: Node) -> list[tuple[AnyWindow, int]]:
    """Window and input size along each axis; empty for joins and for layers that read everything."""
    windows = None if node.layer.joins else node.layer.windows(node.x)
    sizes = (size for size in node.input_shapes[0][1:] if isinstance(size, int))
    return list(zip(windows, sizes, strict=True)) if windows is not None else []


def _passes_on(node: Node) -> bool:
    """Whether a pooling gives what it gets: as many windows as positions, each with one in it."""
    along = _along(node)
    return bool(along) and all(
        window.placements(n) == n
        and window.reach(0, n) == (0, 0)
        and window.reach(n - 1, n) == (n - 1, n - 1)
        for window, n in along
    )


def _changes_resolution(node: Node) -> bool:
    """Whether it has a stride, or gives a size that was wanted; to lose a border is no change."""
    return any(
        window.size != n if isinstance(window, AdaptiveWindow | Spread) else window.stride > 1
        for window, n in _along(node)
    )


def _cell(node: Node) -> str:
    """``conv3-64``, ``conv7-64/2`` with a stride, ``FC-10``; the kind where no sums are computed."""
    word = _SHORT.get(node.kind, node.kind)
    if not computes_weighted_sums(node):
        return word
    windows = [window for window, _ in _along(node) if isinstance(window, Window | TransposedWindow)]
    kernel = _each([window.kernel for window in windows])
    strides = [window.stride for window in windows if isinstance(window, Window)]
    stride = f"/{_each(strides)}" if any(each > 1 for each in strides) else ""
    return f"{word}{kernel}-{node.output[0]}{stride}"


def _each(numbers: Sequence[int]) -> str:
    """One number for all axes where they agree: ``3``, else ``3x1``."""
    return "x".join(map(str, dict.fromkeys(numbers) if len(set(numbers)) == 1 else numbers))
