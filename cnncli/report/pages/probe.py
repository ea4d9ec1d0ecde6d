"""The page of ``cnncli probe``: predictions for every map, and measurements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any, Final

from cnncli.analysis.space.claims import NO_ROOM
from cnncli.graph import Graph
from cnncli.layers import shape_text
from cnncli.layers.geometry.sliding import axis_name
from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.pages.spatial import ShiftView, answer
from cnncli.report.pages.views import agreed
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.json_values import shape_numbers
from cnncli.results.probe import Change, Found, Probe

SCHEMA: Final = "cnncli.probe/1"


def page(graph: Graph, probe: Probe, settings: Mapping[str, Any]) -> Page:
    """Return the page; ``settings`` are those of the measurement."""
    title = f"{printable(graph.name)}: input {shape_text(graph.input)}"
    rank = len(graph.input) - 1
    answer = Answer(tuple(_answer(probe, rank)), probe.holds)
    sections, data = partial(_sections, probe, rank), partial(_document, graph, probe, settings)
    return Page(title, sections, data, answer)


def _answer(probe: Probe, rank: int) -> Iterator[str]:
    predicted, measured = len(probe.predicted), len(probe.measured)
    for each in probe.wrong:
        yield f"{each.claim.node.name} does not move as predicted along {axis_name(each.claim.axis, rank)}"
    if not predicted:
        yield "nothing was measured: no shift of any map is predicted"
    elif not measured:
        yield f"nothing was measured: none of {predicted} predictions could be checked"
    elif not probe.wrong:
        yield f"{measured} of {predicted} predictions measured, all hold"


def _sections(probe: Probe, rank: int, _: int | None) -> Iterator[Section]:
    """Yield the maps with their claims, and how much the outputs change."""
    if probe.found:
        yield (_maps(probe.found),)
    if any(each.claim.void == NO_ROOM for each in probe.found):
        yield (Text((f"{NO_ROOM}: every position sees a border; a larger input makes room",), "note"),)
    for name, changes in probe.changes.items():
        heading = f"relative change of {printable(name)} for an input shift of"
        yield Text((heading,), "note"), _changes(changes, rank)


def _maps(found: Sequence[Found]) -> Table:
    """Return a row for each map; axes that agree share a cell."""
    nodes = [list(group) for _, group in groupby(found, key=_node)]
    first = [group[0].claim.node for group in nodes]
    compared = [agreed([_compared(each) for each in group], "x") for group in nodes]
    return Table(
        (
            Column("name", [node.name for node in first], cut=True),
            Column("kind", [node.kind for node in first]),
            Column("output", [shape_text(node.output_shape) for node in first]),
            Column("shift", [agreed([answer(each.claim.shift) for each in group], ", ") for group in nodes]),
            Column("compared", compared, right=True),
            Column("deviation", [_worst(group) for group in nodes], right=True),
        )
    )


def _compared(found: Found) -> str:
    return "-" if found.claim.void else str(found.claim.compared)


def _worst(found: Sequence[Found]) -> str:
    """Return the largest deviation along any axis, or why there is none."""
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


def _document(graph: Graph, probe: Probe, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": graph.name,
        "spec": graph.source.name,
        "input": shape_numbers(graph.input),
        **settings,
        "holds": probe.holds,
        "predicted": len(probe.predicted),
        "measured": len(probe.measured),
        "layers": [_layer_data(list(group)) for _, group in groupby(probe.found, key=_node)],
        "changes": {
            name: [{"pixels": change.pixels, "change": list(change.along)} for change in changes]
            for name, changes in probe.changes.items()
        },
    }


def _layer_data(along: Sequence[Found]) -> dict[str, Any]:
    """Return the values of a document that describe one map, axis by axis."""
    node = along[0].claim.node
    return {
        "name": node.name,
        "kind": node.kind,
        "output": shape_numbers(node.output_shape),
        **ShiftView({node.name: tuple(each.claim.shift for each in along)}).document(node.name),
        "compared": [each.claim.compared for each in along],
        "deviation": [each.deviation for each in along],
    }


def _node(found: Found) -> str:
    return found.claim.node.name
