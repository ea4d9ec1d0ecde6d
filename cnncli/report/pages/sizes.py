"""Accepted input sizes as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from cnncli.algebra import Dim
from cnncli.algebra.size_sets import ALL, SizeSet
from cnncli.analysis.sizes import Axis, Near, ValidSizes
from cnncli.graph import Bound, Graph
from cnncli.layers import shape_text
from cnncli.report.terminal import printable
from cnncli.report.text.columns import Line
from cnncli.report.text.numbers import exact

SCHEMA: Final = "cnncli.sizes/1"

_EXAMPLES: Final = 3
_MAX_RESIDUES: Final = 8
_MAX_ISOLATED: Final = 12


def lines(graph: Graph, found: ValidSizes, params: Dim, nearest: Mapping[str, Near]) -> Iterator[Line]:
    """What a person reads: the sizes along every axis, why, and the nearest to one that is wanted."""
    yield Line(f"{printable(graph.name)}: input {shape_text(graph.input)}", "title")
    yield Line("", "")
    alike = _alike(found.axes)
    for names, axis in alike:
        yield Line(f"{names}: {words(axis.sizes)}", "")
        if axis.name in nearest:
            found_near = nearest[axis.name]
            beside = ", if what follows holds too" if found_near.fits and found.open_bounds else ""
            yield Line(f"  {_near(found_near)}{beside}", "good" if found_near.fits else "error")
    if found.open_bounds:
        yield Line("and only where", "")
        yield from _reasons(found.open_bounds)
    binding = [bound for _, axis in alike for bound in axis.binding]
    if binding:
        yield Line("", "")
        yield Line("because of", "heading")
        yield from _reasons(binding)
    if not isinstance(params, int):
        yield Line("", "")
        yield Line(
            "The parameters depend on the size: trained weights fit the size they were trained at.", "note"
        )


def _alike(axes: Sequence[Axis]) -> list[tuple[str, Axis]]:
    """Axes that accept the same for the same reasons, as ``height and width``, with the first of them."""
    groups: dict[tuple[object, ...], list[Axis]] = {}
    for axis in axes:
        key = (axis.sizes, *((bound.node, bound.sizes) for bound in axis.binding))
        groups.setdefault(key, []).append(axis)
    return [(" and ".join(axis.name for axis in group), group[0]) for group in groups.values()]


def words(sizes: SizeSet) -> str:
    """A set in words: ``32, 48, 64, ... (multiples of 16 from 32)``."""
    if sizes == ALL:
        return "any"
    if not sizes.tails:
        shown = ", ".join(map(str, sizes.isolated[:_MAX_ISOLATED]))
        more = len(sizes.isolated) - _MAX_ISOLATED
        return f"only {shown}" + (f" and {exact(more)} more" if more > 0 else "")
    examples = ", ".join(map(str, islice(sizes.upwards(), _EXAMPLES)))
    return f"{examples}, ... ({_rule(sizes)})"


def _rule(sizes: SizeSet) -> str:
    period, tails = sizes.period, sizes.tails
    least = min(first for _, first in tails)
    if period == 1:
        rule = f"all from {least}"
    elif len(tails) == 1:
        residue = tails[0][0]
        rule = f"multiples of {period} from {least}" if not residue else f"{period}k + {residue} from {least}"
    else:
        residues = ", ".join(str(residue) for residue, _ in tails[:_MAX_RESIDUES])
        dots = ", ..." if len(tails) > _MAX_RESIDUES else ""
        rule = f"n mod {period} one of {residues}{dots}; from {least}"
    return f"{rule}; and {', '.join(map(str, sizes.isolated[:_MAX_ISOLATED]))}" if sizes.isolated else rule


def _near(near: Near) -> str:
    if near.fits:
        return f"{near.size}: accepted"
    below = f"{near.below} below" if near.below is not None else "none below"
    if near.above is None or near.padding is None:
        return f"{near.size}: not accepted; {below}, none above"
    before, after = near.padding
    return (
        f"{near.size}: not accepted; {below}, {near.above} above, which {before} + {after} of padding reach"
    )


def _reasons(bounds: Sequence[Bound]) -> Iterator[Line]:
    for bound in bounds:
        where = bound.location
        yield Line(f"  {bound.condition}   {bound.node}, {printable(str(where))}", "")
        yield Line(f"    else: {printable(bound.message)}", "note")


def document(graph: Graph, found: ValidSizes, nearest: Mapping[str, Near]) -> str:
    """The same for machines.

    From the number given on, all n congruent to a residue are accepted; ``isolated`` are single ones below;
    nothing else is, and of those only what fulfills the conditions that are not ``decided``. So it is with
    ``near``, which speaks of each axis by itself.
    """
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "name": graph.name,
        "spec": graph.source.name,
        "input": [dim if isinstance(dim, int) else str(dim) for dim in graph.input],
        **where_it_holds(graph, found),
    }
    if nearest:
        content["near"] = {name: _near_json(each) for name, each in nearest.items()}
    return json.dumps(content, indent=2, ensure_ascii=False)


def where_it_holds(graph: Graph, found: ValidSizes) -> dict[str, Any]:
    """For which sizes, and values of variables, formulas hold: axis by axis, and what is asked."""
    binding = {bound for axis in found.axes for bound in axis.binding}
    return {
        "axes": {axis.name: _axis(axis) for axis in found.axes},
        "conditions": [_condition(bound, binding=bound in binding) for bound in graph.bounds],
    }


def _axis(axis: Axis) -> dict[str, Any]:
    return {
        "symbol": axis.symbol,
        "period": axis.sizes.period,
        "residues": {str(residue): first for residue, first in axis.sizes.tails},
        "isolated": list(axis.sizes.isolated),
    }


def _condition(bound: Bound, *, binding: bool) -> dict[str, Any]:
    return {
        "node": bound.node,
        "line": bound.location.line,
        "condition": str(bound.condition),
        "decided": bound.sizes is not None,
        "binding": binding,
        "message": bound.message,
    }


def _near_json(near: Near) -> dict[str, Any]:
    return {
        "size": near.size,
        "accepted": near.fits,
        "below": near.below,
        "above": near.above,
        "padding": list(near.padding) if near.padding is not None else None,
    }
