"""Find which inputs a network accepts along every axis, and which of its layers require that.

A network that halves its input twice and joins the enlarged result with the input needs a multiple of 4. The
requirement comes from the join, and the conditions of the other layers follow from it:

>>> from cnncli.graph import all_sizes, open_text
>>> deep = "[maxpool: 2, maxpool: 2, upsample: 4]"
>>> spec = f"{{input: [3, 32], layers: [concat: {{branches: [{deep}, identity]}}]}}"
>>> (length,) = valid_sizes(open_text(spec, size=all_sizes).graph).axes
>>> length.sizes
SizeSet(period=4, tails=((0, 4),), isolated=())
>>> for bound in length.binding:
...     print(f"{bound.node}: {bound.condition}, otherwise {bound.message}")
concat1: L - 4*(L//4) == 0, otherwise the branches of 'concat' differ in length
>>> near([length], 90)["length"]
Near(size=90, below=88, above=92, output=None, alike=(None, None), together=None)

Where a layer fixes the number of values, the sizes along the axes depend on each other:

>>> found = valid_sizes(open_text("{input: [3, 4, 4], layers: [{reshape: [48]}]}", size=all_sizes).graph)
>>> found.together[0].sizes
((4, 4), (2, 8), (8, 2), (1, 16), (16, 1))
>>> near(found.axes, 3, together=found.together)["height"].together
{'height': 4, 'width': 4}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import and_
from typing import NamedTuple

from cnncli.algebra import Dim, Expr, evaluate, same, symbol, symbols_of
from cnncli.algebra.deciding import solve
from cnncli.algebra.size_sets import ALL, SizeSet, TooFineError
from cnncli.analysis.together import Together, narrowed, together
from cnncli.graph import Bound, Graph
from cnncli.layers.geometry.sliding import axis_name
from cnncli.limits import MAX_SIZE


class Axis(NamedTuple):
    """The sizes that are accepted along an axis whose size is the symbol ``symbol``.

    If the symbol is only part of a size, as in 16k, ``name`` is the symbol and ``sizes`` are its values. For
    a variable of the spec, ``name`` is ``variable`` and its name, and ``sizes`` are its values. ``binding``
    are the requirements without which more sizes would be accepted; the others follow from them.
    """

    name: str
    symbol: str
    sizes: SizeSet
    binding: tuple[Bound, ...]


class ValidSizes(NamedTuple):
    """The axes and variables that have a symbol, what they accept together, and what cannot be decided.

    If ``open_bounds`` is empty, an input is accepted exactly if every axis accepts its size and each of
    ``together`` has the combination of its sizes.
    """

    axes: tuple[Axis, ...]
    open_bounds: tuple[Bound, ...]
    together: tuple[Together, ...] = ()


def valid_sizes(graph: Graph) -> ValidSizes:
    """Return the sizes that a graph over symbols accepts."""
    axes = tuple(Axis(name, symbol, *_sizes_of(graph, symbol)) for name, symbol in _names(graph))
    undecided = tuple(bound for bound in graph.bounds if bound.sizes is None)
    groups = together(undecided, {axis.symbol: axis.sizes for axis in axes}) if undecided else ()
    enumerated = {bound for group in groups for bound in group.bounds}
    return ValidSizes(
        tuple(axis._replace(sizes=narrowed(axis.symbol, axis.sizes, groups)) for axis in axes),
        tuple(bound for bound in undecided if bound not in enumerated),
        groups,
    )


def _names(graph: Graph) -> Iterator[tuple[str, str]]:
    """Yield axes and their symbols, then symbols that are only part of a size, then variables."""
    rank = len(graph.input) - 1
    sizes = [
        (number, str(dim)) for number, dim in enumerate(graph.input[1:]) if symbols_of(dim) == {str(dim)}
    ]
    plain = {number: symbol for number, symbol in sizes if symbol not in graph.variables}
    yield from ((axis_name(number, rank), symbol) for number, symbol in plain.items())
    every = dict.fromkeys(symbol for dim in graph.input for symbol in sorted(symbols_of(dim)))
    others = (symbol for symbol in every if symbol not in {*plain.values(), *graph.variables})
    yield from ((symbol, symbol) for symbol in others)
    yield from ((f"variable {symbol}", symbol) for symbol in graph.variables)


def _sizes_of(graph: Graph, symbol: str) -> tuple[SizeSet, tuple[Bound, ...]]:
    """Return the sizes that satisfy all requirements on a symbol, and the requirements that are binding."""
    own = (bound for bound in graph.bounds if bound.sizes is not None)
    return _axis_sizes([bound for bound in own if symbols_of(bound.condition) == {symbol}])


def _axis_sizes(bounds: Sequence[Bound]) -> tuple[SizeSet, tuple[Bound, ...]]:
    """Return the sizes in all sets, and the bounds needed for that: the later ones, if there is a choice.

    The sets from each bound on are intersected once, from the last one backwards.
    """
    sets = [bound.sizes for bound in bounds if bound.sizes is not None]
    whole = reduce(and_, sets, ALL)
    after: list[SizeSet | None] = [ALL]
    for each in reversed(sets):
        after.append(_common(each, after[-1]))
    kept: SizeSet | None = ALL
    needed: list[Bound] = []
    for bound, own, rest in zip(bounds, sets, reversed(after[:-1]), strict=True):
        if _common(kept, rest) != whole:
            kept = _common(kept, own)
            needed.append(bound)
    return whole, tuple(needed)


def _common(one: SizeSet | None, other: SizeSet | None) -> SizeSet | None:
    """Return the sizes in both sets; None if their common period is too large, or if one of them is None."""
    try:
        return one & other if one is not None and other is not None else None
    except TooFineError:
        return None


class Near(NamedTuple):
    """A desired size, and the nearest accepted ones.

    ``output`` is the size of the output along the axis, a formula of the axis' symbol; None if the network
    has no output with such an axis. ``alike`` are the nearest accepted sizes, below and above, whose output
    is as large as the input; None for a side without one. If the axis is coupled with others, ``together`` is
    the nearest accepted combination of sizes, by axis, to this size along all of them; empty without one.
    """

    size: int
    below: int | None
    above: int | None
    output: Dim | None = None
    alike: tuple[int | None, int | None] = (None, None)
    together: Mapping[str, int] | None = None

    @property
    def fits(self) -> bool:
        """Whether the size itself is accepted, along all axes that are coupled with this one."""
        return self.below == self.size and all(size == self.size for size in (self.together or {}).values())

    def output_at(self, size: int) -> int | None:
        """Return the size of the output for an accepted size of the input; None if it is not known."""
        if self.output is None or isinstance(self.output, int):
            return self.output
        (name,) = symbols_of(self.output)
        return evaluate(self.output, {name: size})

    @property
    def padding(self) -> tuple[int, int] | None:
        """Positions to pad before and after to reach the next accepted size; an odd one goes after.

        None if there is no such size, or if it depends on those along other axes.
        """
        if self.above is None or self.together:
            return None
        missing = self.above - self.size
        return missing // 2, missing - missing // 2


def near(
    axes: Sequence[Axis],
    size: int,
    outputs: Mapping[str, Dim] | None = None,
    together: Sequence[Together] = (),
) -> Mapping[str, Near]:
    """Return for every axis the accepted sizes around a desired one; ``outputs`` are :func:`output_sizes`."""
    names = {axis.symbol: axis.name for axis in axes}
    combined: dict[str, Mapping[str, int]] = {}
    for group in together:
        nearest = {names[each]: own for each, own in group.nearest(size).items()}
        combined.update(dict.fromkeys(group.symbols, nearest))
    return {
        axis.name: _near(axis, size, (outputs or {}).get(axis.name))._replace(
            together=combined.get(axis.symbol)
        )
        for axis in axes
    }


def output_sizes(graph: Graph) -> Mapping[str, Dim]:
    """Return the sizes of the first output along the axes of the input that it depends on alone, by name."""
    first = next((output for output in graph.outputs.values() if not output.training_only), None)
    if first is None or len(first.shape) != len(graph.input):
        return {}
    along = {str(dim): size for dim, size in zip(graph.input[1:], first.shape[1:], strict=True)}
    return {
        name: along[symbol]
        for name, symbol in _names(graph)
        if symbol in along and symbols_of(along[symbol]) <= {symbol}
    }


def _near(axis: Axis, size: int, output: Dim | None) -> Near:
    found = Near(size, axis.sizes.at_most(size), _above(axis.sizes, size), output)
    alike = same(output, symbol(axis.symbol)) if isinstance(output, Expr) else False
    if isinstance(alike, bool):
        return found._replace(alike=(found.below, found.above)) if alike else found
    try:
        sizes = axis.sizes & solve(alike)
    except TooFineError:
        return found
    return found._replace(alike=(sizes.at_most(size), _above(sizes, size)))


def _above(sizes: SizeSet, size: int) -> int | None:
    """Return the nearest size from ``size`` upwards that an input may have; None if there is none."""
    above = sizes.at_least(size)
    return above if above is not None and above <= MAX_SIZE else None
