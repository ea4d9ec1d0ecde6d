"""What the analysis predicts about shifts, as claims that can be measured."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from cnncli.analysis.space.receptive_field import receptive_fields
from cnncli.analysis.space.shifts import Shift, shifts
from cnncli.graph import Graph, Node

NO_ROOM: Final = "no room"
"""Why a claim is void if a border affects every position that could be compared."""


class Claim(NamedTuple):
    """What is predicted for a map along one axis, and for which outputs: those ``clear`` of all borders.

    ``void`` says why there is nothing to measure; otherwise it is empty.
    """

    node: Node
    axis: int
    shift: Shift
    clear: range
    void: str

    @property
    def compared(self) -> int:
        """The number of positions in which the two views overlap."""
        return 0 if self.void else len(self.clear) - self.shift.moves


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
