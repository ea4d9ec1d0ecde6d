"""The page of ``cnncli sizes``: which inputs a network accepts, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final

from cnncli.algebra import Dim
from cnncli.algebra.size_sets import ALL, SizeSet
from cnncli.analysis.sizes import Axis, Near, ValidSizes
from cnncli.analysis.together import Together
from cnncli.graph import Bound, Graph
from cnncli.layers import shape_text
from cnncli.limits import (
    MAX_COMBINATIONS_LISTED,
    MAX_COMBINATIONS_SHOWN,
    MAX_RESIDUES_SHOWN,
    MAX_SIZES_SHOWN,
)
from cnncli.report.page import Page, Section, Text
from cnncli.report.text.escapes import printable
from cnncli.report.text.json_values import number, shape_numbers
from cnncli.report.text.numbers import exact

SCHEMA: Final = "cnncli.sizes/1"

_EXAMPLES: Final = 3


def page(graph: Graph, found: ValidSizes, params: Dim, nearest: Mapping[str, Near]) -> Page:
    """Return the page; ``params`` are the network's parameters, ``nearest`` the sizes near a wanted one."""
    title = f"{printable(graph.name)}: input {shape_text(graph.input)}"
    sections = partial(_sections, graph, found, params, nearest)
    return Page(title, sections, partial(_document, graph, found, nearest))


def _sections(
    graph: Graph, found: ValidSizes, params: Dim, nearest: Mapping[str, Near], _: int | None
) -> Iterator[Section]:
    """Yield the sizes along every axis, the reasons, and what the sizes mean for trained weights."""
    alike = _alike(found.axes)
    axes = [text for names, axis in alike for text in _axis_texts(names, axis, found, nearest)]
    axes += [text for group in found.together for text in _together_texts(group, graph, found, nearest)]
    if found.open_bounds:
        axes += [Text(("and only where",)), *_reasons(found.open_bounds)]
    yield tuple(axes)
    coupling = (bound for group in found.together for bound in group.bounds)
    binding = [*(bound for _, axis in alike for bound in axis.binding), *coupling]
    if binding:
        yield (Text(("required by",), "heading"), *_reasons(binding))
    if not isinstance(params, int):
        note = "The parameters depend on the size: trained weights fit only the size they were trained at."
        yield (Text((note,), "note"),)


def size_texts(found: ValidSizes) -> Iterator[Text]:
    """Yield a line for each axis, or for several that accept the same: ``height and width: 32, 33, ...``."""
    for names, axis in _alike(found.axes):
        yield from _axis_texts(names, axis, found, {})


def _axis_texts(names: str, axis: Axis, found: ValidSizes, nearest: Mapping[str, Near]) -> Iterator[Text]:
    yield Text((f"{names}: {words(axis.sizes)}",))
    near = nearest.get(axis.name)
    if near is not None and near.together is None:
        condition = ", if the conditions below are met" if near.fits and found.open_bounds else ""
        yield Text((f"  {_near(near)}{condition}",), "good" if near.fits else "error")
        alike = _alike_words(near)
        if alike:
            yield Text((f"  {alike}",))


def _together_texts(
    group: Together, graph: Graph, found: ValidSizes, nearest: Mapping[str, Near]
) -> Iterator[Text]:
    """Yield ``together: 28x28, 14x56, 56x14``, and the combination that is nearest to the wanted size."""
    yield Text((f"together: {together_words(group, graph)}",))
    names = {axis.symbol: axis.name for axis in found.axes}
    near = nearest.get(names[group.symbols[0]])
    if near is None or near.together is None:
        return
    wanted = _combination(group, graph, [near.size] * len(group.symbols))
    if near.fits:
        condition = ", if the conditions below are met" if found.open_bounds else ""
        yield Text((f"  {wanted}: accepted{condition}",), "good")
    else:
        sizes = [near.together[names[symbol]] for symbol in group.symbols] if near.together else []
        best = f"nearest {_combination(group, graph, sizes)}" if sizes else "nothing else either"
        yield Text((f"  {wanted}: not accepted; {best}",), "error")


def together_words(group: Together, graph: Graph) -> str:
    """Return the first combinations, and how many more there are."""
    shown = [_combination(group, graph, each) for each in group.sizes[:MAX_COMBINATIONS_SHOWN]]
    more = len(group.sizes) - len(shown)
    return (", ".join(shown) or "none") + (f" and {exact(more)} more" if more else "")


def _combination(group: Together, graph: Graph, sizes: Sequence[int]) -> str:
    """Return ``28x28``; with names, ``H=28 W=28``, where the input's size is not just that of the symbols."""
    if tuple(map(str, graph.input[1:])) == group.symbols:
        return "x".join(map(str, sizes))
    return " ".join(f"{symbol}={size}" for symbol, size in zip(group.symbols, sizes, strict=True))


def _alike(axes: Sequence[Axis]) -> list[tuple[str, Axis]]:
    """Group axes that accept the same sizes for the same reasons: ``height and width``, and the first."""
    groups: dict[tuple[object, ...], list[Axis]] = {}
    for axis in axes:
        key = (axis.sizes, *((bound.node, bound.sizes) for bound in axis.binding))
        groups.setdefault(key, []).append(axis)
    return [(" and ".join(axis.name for axis in group), group[0]) for group in groups.values()]


def words(sizes: SizeSet) -> str:
    """Return a description of a set: ``32, 48, 64, ... (multiples of 16 from 32)``."""
    if sizes == ALL:
        return "any"
    if not sizes:
        return "none"
    if not sizes.tails:
        shown = ", ".join(map(str, sizes.isolated[:MAX_SIZES_SHOWN]))
        more = len(sizes.isolated) - MAX_SIZES_SHOWN
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
        residues = ", ".join(str(residue) for residue, _ in tails[:MAX_RESIDUES_SHOWN])
        dots = ", ..." if len(tails) > MAX_RESIDUES_SHOWN else ""
        rule = f"n mod {period} one of {residues}{dots}; from {least}"
    return f"{rule}; and {', '.join(map(str, sizes.isolated[:MAX_SIZES_SHOWN]))}" if sizes.isolated else rule


def _near(near: Near) -> str:
    """Return ``500: not accepted; 496 below, 512 above (pad by 6 + 6)``, with sizes of the output."""
    if near.fits:
        return f"{_with_output(near, near.size)}: accepted"
    below = f"{_with_output(near, near.below)} below" if near.below is not None else "none below"
    if near.above is None or near.padding is None:
        return f"{near.size}: not accepted; {below}, none above"
    before, after = near.padding
    above = f"{_with_output(near, near.above)} above"
    return f"{near.size}: not accepted; {below}, {above} (pad by {before} + {after})"


def _with_output(near: Near, size: int) -> str:
    """Return ``543 -> 544``, a size and that of the output; the size alone if both are the same."""
    output = near.output_at(size)
    return str(size) if output in (None, size) else f"{size} -> {output}"


def _alike_words(near: Near) -> str:
    """Return the sizes that the network keeps, unless it keeps all that are shown; otherwise nothing."""
    around = (near.size,) if near.fits else (near.below, near.above)
    if all(size is None or near.output_at(size) in (None, size) for size in around):
        return ""
    sides = zip(near.alike, ("below", "above"), strict=True)
    kept = [f"{size} {side}" for size, side in sides if size is not None]
    return f"output as large as the input: {', '.join(kept)}" if kept else ""


def _reasons(bounds: Sequence[Bound]) -> Iterator[Text]:
    for bound in bounds:
        yield Text((f"  {bound.condition}   {bound.node}, {printable(str(bound.location))}",))
        yield Text((f"    otherwise: {printable(bound.message)}",), "note")


def _document(graph: Graph, found: ValidSizes, nearest: Mapping[str, Near]) -> dict[str, Any]:
    """Return the document.

    For each residue, all sizes congruent to it are accepted from the given one upwards; ``isolated`` are
    single accepted sizes below. Sizes must also be one of the combinations of each entry of ``together``, and
    satisfy the conditions that are not ``decided``. ``near`` considers each axis by itself; its ``together``
    is the nearest combination.
    """
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "name": graph.name,
        "spec": graph.source.name,
        "input": shape_numbers(graph.input),
        **where_it_holds(graph, found),
    }
    if nearest:
        content["near"] = {name: _near_data(each) for name, each in nearest.items()}
    return content


def where_it_holds(graph: Graph, found: ValidSizes) -> dict[str, Any]:
    """Return the sizes and values of variables for which formulas hold, by axis, and all conditions."""
    coupling = {bound for group in found.together for bound in group.bounds}
    binding = {*coupling, *(bound for axis in found.axes for bound in axis.binding)}
    open_bounds = {*found.open_bounds}
    return {
        "axes": {axis.name: _axis_data(axis) for axis in found.axes},
        "together": [_together_data(group, found) for group in found.together],
        "conditions": [
            _condition_data(bound, decided=bound not in open_bounds, binding=bound in binding)
            for bound in graph.bounds
        ],
    }


def _together_data(group: Together, found: ValidSizes) -> dict[str, Any]:
    """Return the first combinations, and the number of all."""
    names = {axis.symbol: axis.name for axis in found.axes}
    return {
        "axes": [names[symbol] for symbol in group.symbols],
        "count": len(group.sizes),
        "sizes": [[*each] for each in group.sizes[:MAX_COMBINATIONS_LISTED]],
    }


def _axis_data(axis: Axis) -> dict[str, Any]:
    return {
        "symbol": axis.symbol,
        "period": axis.sizes.period,
        "residues": {str(residue): first for residue, first in axis.sizes.tails},
        "isolated": list(axis.sizes.isolated),
    }


def _condition_data(bound: Bound, *, decided: bool, binding: bool) -> dict[str, Any]:
    return {
        "node": bound.node,
        "line": bound.location.line,
        "condition": str(bound.condition),
        "decided": decided,
        "binding": binding,
        "message": bound.message,
    }


def _near_data(near: Near) -> dict[str, Any]:
    return {
        "size": near.size,
        "accepted": near.fits,
        "below": near.below,
        "above": near.above,
        "padding": list(near.padding) if near.padding is not None else None,
        "output": number(near.output) if near.output is not None else None,
        "same_size": dict(zip(("below", "above"), near.alike, strict=True)),
        "together": dict(near.together) if near.together is not None else None,
    }
