"""Views of receptive fields and shifts, shown next to the costs of every layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

from cnncli.analysis.space.receptive_field import Field
from cnncli.analysis.space.shifts import Shift
from cnncli.language.description import INPUT
from cnncli.limits import MAX_NOTES
from cnncli.report.pages.views import agreed
from cnncli.report.text.columns import Column

_UNEVEN = "~"
_NONE = "-"


class FieldView(NamedTuple):
    """The receptive field of every node: size, jump and center."""

    fields: Mapping[str, Field]

    def columns(self, nodes: Sequence[str], blank: int) -> Iterator[Column]:
        """Yield ``size``, ``jump`` and ``center``, in input positions; ``all`` for the whole input."""
        fields = [self.fields[node] for node in nodes]
        empty = [""] * blank
        yield Column("field", [_size(field) for field in fields] + empty, right=True)
        yield Column("jump", [_jump(field) for field in fields] + empty, right=True)
        yield Column("center", [_center(field) for field in fields] + empty, right=True)

    def notes(self) -> Iterator[str]:
        """Yield the nodes from which on positions read parts of the input with different shapes."""
        found = dict.fromkeys(field.uneven for field in self.fields.values() if field.uneven is not None)
        for uneven in list(found)[:MAX_NOTES]:
            yield f"{_UNEVEN} {uneven.node}: {uneven.reason}"
        if len(found) > MAX_NOTES:
            yield f"{_UNEVEN} and likewise at {len(found) - MAX_NOTES} other nodes"

    def document(self, node: str) -> dict[str, Any]:
        """Return ``receptive_field``: size, jump and center along every axis; null for the whole input."""
        field = self.fields[node]
        if field.axes is None and field.values is None:
            return {"receptive_field": None}
        document: dict[str, Any] = {
            "size": _sizes(field),
            "jump": [_exact(axis.jump) for axis in field.axes] if field.axes is not None else None,
            "center": [_exact(axis.center) for axis in field.axes] if field.axes is not None else None,
        }
        if field.uneven is not None:
            document["uneven"] = field.uneven._asdict()
        return {"receptive_field": document}


class ShiftView(NamedTuple):
    """The smallest shift of the input that shifts each node's output: its translation equivariance."""

    shifts: Mapping[str, tuple[Shift, ...]]

    def columns(self, nodes: Sequence[str], blank: int) -> Iterator[Column]:
        """Yield ``shift``: in input pixels, and how far the output moves; ``none`` without equivariance."""
        cells = [agreed([answer(shift) for shift in self.shifts[node]] or [_NONE], ", ") for node in nodes]
        yield Column("shift", cells + [""] * blank)

    def notes(self) -> Iterator[str]:
        """Yield an explanation of shifts, and the nodes that end equivariance."""
        if self.shifts[INPUT]:
            yield "shift 4 -> 1: if the input moves by 4 pixels, the output moves by 1 position"
        if any(not shift.moves and shift.broken is None for each in self.shifts.values() for shift in each):
            yield "shift 4 -> 0: if the input moves by 4 pixels, the output stays the same"
        breaks = dict.fromkeys(shift.broken for each in self.shifts.values() for shift in each)
        found = [each for each in breaks if each is not None]
        for each in found[:MAX_NOTES]:
            yield f"{each.node} ends shift equivariance: {each.reason}"
        if len(found) > MAX_NOTES:
            yield f"and so do {len(found) - MAX_NOTES} other nodes"

    def document(self, node: str) -> dict[str, Any]:
        """Return ``shift``: pixels and moves along every axis; null, with ``broken``, if there are none."""
        shifts = self.shifts[node]
        document: dict[str, Any] = {
            "pixels": [None if shift.broken else shift.pixels for shift in shifts],
            "moves": [None if shift.broken else shift.moves for shift in shifts],
        }
        broken = next((shift.broken for shift in shifts if shift.broken is not None), None)
        if broken is not None:
            document["broken"] = broken._asdict()
        return {"shift": document}


def _size(field: Field) -> str:
    if field.axes is None and field.values is None:
        return "all"
    mark = _UNEVEN if field.uneven is not None else ""
    return mark + agreed([str(size) for size in _sizes(field)] or [_NONE], "x")


def _sizes(field: Field) -> list[int]:
    """Return the size that one output reads along each axis."""
    return [axis.size for axis in field.axes] if field.axes is not None else list(field.values or ())


def _jump(field: Field) -> str:
    return _cells(field, [axis.jump for axis in field.axes or ()], "x")


def _center(field: Field) -> str:
    return _cells(field, [axis.center for axis in field.axes or ()], ", ")


def _cells(field: Field, values: Sequence[Fraction | None], separator: str) -> str:
    if field.axes is None:
        return ""
    return agreed([_NONE if value is None else _decimal(value) for value in values] or [_NONE], separator)


def _decimal(value: Fraction) -> str:
    """Return ``15.5``, ``-0.25``; ``1/3`` where the decimals do not end."""
    return f"{float(value):.10g}" if value.denominator in (1, 2, 4, 8) else str(value)


def _exact(value: Fraction | None) -> int | str | None:
    """Return a whole number as such, any other as text: ``"15/2"``."""
    return None if value is None else value.numerator if value.denominator == 1 else str(value)


def answer(shift: Shift) -> str:
    """Return ``16 -> 1``, or ``none``."""
    return "none" if shift.broken is not None else f"{shift.pixels} -> {shift.moves}"
