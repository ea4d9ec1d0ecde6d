"""What a probe found: for a person, and as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from cnncli.graph import Graph
from cnncli.layers import shape_text
from cnncli.layers.geometry.sliding import axis_name
from cnncli.report.pages.spatial import ShiftView, answer
from cnncli.report.pages.views import agreed
from cnncli.report.terminal import Screen, printable
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.json_values import shape_numbers, text
from cnncli.results.probe import Change, Found, Probe

SCHEMA: Final = "cnncli.probe/1"


def show(screen: Screen, graph: Graph, probe: Probe) -> None:
    """The maps with their claims, the verdict, and how far the outputs change."""
    rank = len(graph.input) - 1
    screen.line(f"{printable(graph.name)}: input {shape_text(graph.input)}", "title")
    if probe.found:
        screen.line()
        screen.table(_maps(probe.found))
    screen.line()
    wrong = [each for each in probe.found if not each.holds]
    for each in wrong:
        where = axis_name(each.claim.axis, rank)
        screen.line(f"{each.claim.node.name} does not move as predicted along {where}", "error")
    if not wrong:
        predicted = [each for each in probe.found if each.claim.shift.broken is None]
        measured = sum(each.deviation is not None for each in predicted)
        screen.line(f"{measured} of {len(predicted)} predictions measured, all hold", "good")
    if any(each.claim.void == "no room" for each in probe.found):
        screen.line("no room: every position sees a border; a larger --input makes room", "note")
    for name, changes in probe.changes.items():
        screen.line()
        screen.line(f"{printable(name)} changes, as a share of its length, where the input moves by", "note")
        screen.table(_changes(changes, rank))


def _maps(found: Sequence[Found]) -> Table:
    """A row for each map; axes that agree share a cell."""
    nodes = [list(group) for _, group in groupby(found, key=_node)]
    first = [group[0].claim.node for group in nodes]
    compared = [agreed([_compared(each) for each in group], "x") for group in nodes]
    return Table(
        (
            Column("name", [node.name for node in first], cut=True),
            Column("kind", [node.kind for node in first]),
            Column("output", [shape_text(node.output) for node in first]),
            Column("shift", [agreed([answer(each.claim.shift) for each in group], ", ") for group in nodes]),
            Column("compared", compared, right=True),
            Column("deviation", [_worst(group) for group in nodes], right=True),
        )
    )


def _compared(found: Found) -> str:
    return "-" if found.claim.void else str(found.claim.compared)


def _worst(found: Sequence[Found]) -> str:
    """The largest deviation along any axis, or why there is none."""
    deviations = [each.deviation for each in found if each.deviation is not None]
    return f"{max(deviations):.2g}" if deviations else agreed([each.claim.void for each in found], ", ")


def _changes(changes: Sequence[Change], rank: int) -> Table:
    along = [
        Column(axis_name(axis, rank), [_share(change.along[axis]) for change in changes], right=True)
        for axis in range(rank)
    ]
    return Table((Column("pixels", [str(change.pixels) for change in changes], right=True), *along))


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def document(graph: Graph, probe: Probe, settings: Mapping[str, Any]) -> str:
    """The document as text; ``settings`` are what was asked for."""
    found = {
        "schema": SCHEMA,
        "name": graph.name,
        "spec": graph.source.name,
        "input": shape_numbers(graph.input),
        **settings,
        "holds": probe.holds,
        "layers": [_layer(list(group)) for _, group in groupby(probe.found, key=_node)],
        "changes": {
            name: [{"pixels": change.pixels, "change": list(change.along)} for change in changes]
            for name, changes in probe.changes.items()
        },
    }
    return text(found)


def _layer(along: Sequence[Found]) -> dict[str, Any]:
    """One map, axis by axis."""
    node = along[0].claim.node
    return {
        "name": node.name,
        "kind": node.kind,
        "output": shape_numbers(node.output),
        **ShiftView({node.name: tuple(each.claim.shift for each in along)}).document(node.name),
        "compared": [each.claim.compared for each in along],
        "deviation": [each.deviation for each in along],
    }


def _node(found: Found) -> str:
    return found.claim.node.name
