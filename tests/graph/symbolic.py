"""Random and shipped specs for all sizes at once, beside the same specs size by size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from cnncli.algebra import Dim, evaluate
from cnncli.analysis.costs.figures import Figures, costs
from cnncli.analysis.sizes import ValidSizes, valid_sizes
from cnncli.diagnostics import Faults, Source
from cnncli.graph import Graph, all_sizes
from cnncli.graph.build import build
from cnncli.language.description import Description
from cnncli.language.document import from_source
from cnncli.language.expand import expand
from cnncli.layers import KindVocabulary, Shape


class Spec(NamedTuple):
    """A spec, read once, to be built for many sizes."""

    text: str
    description: Description

    def graph(self, size: Shape) -> tuple[Graph | None, Faults]:
        faults = Faults()
        return build(self.description, size, faults), faults

    @property
    def input(self) -> Shape:
        return self.description.input


def spec_of(text: str) -> Spec:
    faults = Faults()
    description = expand(from_source(Source("<random>", text), (), faults), KindVocabulary(), faults)
    assert not len(faults), (text, list(faults.in_order()))
    return Spec(text, description)


class Outcome(NamedTuple):
    """The result of a comparison: ``undecided``, ``none`` (no size fits), or ``held`` at this many sizes."""

    word: str
    sizes: int = 0


def compare(spec: Spec, sizes: Sequence[int], axes: Sequence[int] | None = None) -> Outcome:
    """Hold formulas and accepted sizes against the analysis in numbers, along every axis by itself.

    Or along some of them, numbered from 0. The other axes have a size that is accepted.

    Raises AssertionError with the spec to paste.
    """
    axes = range(len(spec.input) - 1) if axes is None else axes
    symbolic, faults = spec.graph(all_sizes(spec.input))
    if symbolic is None:
        codes = {fault.code for fault in faults.in_order()}
        if codes == {"undecided"}:
            return Outcome("undecided")
        assert codes == {"shape"}, spec.text
        assert not any(spec.graph(size)[0] for size in _some_sizes(spec, sizes, axes)), spec.text
        return Outcome("none")
    found = valid_sizes(symbolic)
    formulas = costs(symbolic)
    held = 0
    for size in _some_sizes(spec, sizes, axes, found):
        numeric, _ = spec.graph(size)
        assert accepted(found, size) == (numeric is not None), (spec.text, size)
        if numeric is None:
            continue
        held += 1
        values = {axis.symbol: n for axis, n in zip(found.axes, size[1:], strict=True) if isinstance(n, int)}
        for ours, theirs in zip(symbolic.nodes, numeric.nodes, strict=True):
            assert _numbers(ours.output_shape, values) == theirs.output_shape, (spec.text, size, ours.name)
        in_numbers = costs(numeric)
        for mine, others in zip(
            (formulas.totals, formulas.training_totals),
            (in_numbers.totals, in_numbers.training_totals),
            strict=True,
        ):
            assert Figures(*_numbers(mine, values)) == others, (spec.text, size)
    return Outcome("held", held)


def _numbers(dims: Sequence[Dim], values: dict[str, int]) -> tuple[int, ...]:
    return tuple(evaluate(dim, values) for dim in dims)


def accepted(found: ValidSizes, size: Shape) -> bool:
    values = {axis.symbol: n for axis, n in zip(found.axes, size[1:], strict=True) if isinstance(n, int)}
    alone = all(n in axis.sizes for axis, n in zip(found.axes, size[1:], strict=True))
    together = all(tuple(map(values.get, group.symbols)) in group.sizes for group in found.together)
    return alone and together and all(evaluate(bound.condition, values) for bound in found.open_bounds)


def _some_sizes(
    spec: Spec, sizes: Sequence[int], axes: Sequence[int], found: ValidSizes | None = None
) -> Iterator[Shape]:
    """All sizes along one axis after another, the other axes at one that is accepted, or the spec's own."""
    own = spec.input
    if found is not None and not accepted(found, own):
        first = [next(islice(axis.sizes.upwards(), 1), 1) for axis in found.axes]
        own = (own[0], *first)
    for axis in axes:
        for n in sizes:
            yield (*own[: axis + 1], n, *own[axis + 2 :])
