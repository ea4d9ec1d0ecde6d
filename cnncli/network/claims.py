"""What the analysis predicts about shifts, as claims that can be measured."""

from __future__ import annotations

from collections.abc import Iterator

from cnncli.analysis.space.receptive_field import receptive_fields
from cnncli.analysis.space.shifts import Shift, shifts
from cnncli.graph import Graph
from cnncli.results.probe import NO_ROOM, Claim


def claims(graph: Graph) -> Iterator[Claim]:
    """Yield what is predicted for every map that is computed in inference, axis by axis."""
    fields, answers = receptive_fields(graph), shifts(graph)
    for node in graph.nodes:
        if node.training_only or len(node.output_shape) == 1:
            continue
        axes = fields[node.name].axes
        for axis, shift in enumerate(answers[node.name]):
            clear = axes[axis].clear if axes is not None else range(0)
            yield Claim(node, axis, shift, clear, _void(shift, clear, sees_all=axes is None))


def _void(shift: Shift, clear: range, *, sees_all: bool) -> str:
    """Return why there is nothing to measure, or an empty string."""
    if shift.broken is not None:
        return "no shift"
    if not shift.moves:
        return "stays the same"
    if sees_all:
        return "sees all borders"
    return "" if len(clear) > shift.moves else NO_ROOM
