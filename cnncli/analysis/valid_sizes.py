"""Which inputs a network accepts, along every axis, and which of its layers say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import and_
from typing import NamedTuple

from cnncli.algebra import Expr, symbols_of
from cnncli.algebra.size_sets import ALL, SizeSet
from cnncli.graph import Bound, Graph
from cnncli.layers.sliding import axis_name


class Axis(NamedTuple):
    """The sizes that are accepted along an axis whose size is the symbol ``symbol``.

    ``binding`` are the requirements without which there would be more; the others follow from them.
    """

    name: str
    symbol: str
    sizes: SizeSet
    binding: tuple[Bound, ...]


class ValidSizes(NamedTuple):
    """The axes that have a symbol, and what couples two of them or is past deciding.

    Where ``open_bounds`` is empty, a size is accepted exactly if every axis accepts its own.
    """

    axes: tuple[Axis, ...]
    open_bounds: tuple[Bound, ...]


def valid_sizes(graph: Graph) -> ValidSizes:
    """The sizes that a graph over symbols accepts."""
    closed = [bound for bound in graph.bounds if bound.sizes is not None]
    by_symbol = {
        name: [bound for bound in closed if symbols_of(bound.condition) == {name}]
        for name in dict.fromkeys(map(str, _symbols(graph)))
    }
    found = {name: _axis_sizes(bounds) for name, bounds in by_symbol.items()}
    rank = len(graph.input) - 1
    axes = tuple(
        Axis(axis_name(number, rank), str(dim), *found[str(dim)])
        for number, dim in enumerate(graph.input[1:])
        if str(dim) in found
    )
    return ValidSizes(axes, tuple(bound for bound in graph.bounds if bound.sizes is None))


def _symbols(graph: Graph) -> Sequence[Expr]:
    return [dim for dim in graph.input[1:] if isinstance(dim, Expr) and symbols_of(dim) == {str(dim)}]


def _axis_sizes(bounds: Sequence[Bound]) -> tuple[SizeSet, tuple[Bound, ...]]:
    sets = [bound.sizes for bound in bounds if bound.sizes is not None]
    whole = reduce(and_, sets, ALL)
    needed = list(range(len(sets)))
    for index in range(len(sets)):
        rest = [each for each in needed if each != index]
        if reduce(and_, (sets[each] for each in rest), ALL) == whole:
            needed = rest
    return whole, tuple(bounds[index] for index in needed)


class Near(NamedTuple):
    """A size that is wanted, and the nearest that are accepted."""

    size: int
    below: int | None
    above: int | None

    @property
    def fits(self) -> bool:
        """Whether the size itself is accepted."""
        return self.below == self.size

    @property
    def padding(self) -> tuple[int, int] | None:
        """Positions to add before and after to reach the next accepted size; the odd one after."""
        if self.above is None:
            return None
        missing = self.above - self.size
        return missing // 2, missing - missing // 2


def near(axes: Sequence[Axis], size: int) -> Mapping[str, Near]:
    """For every axis the accepted sizes around one that is wanted."""
    return {axis.name: Near(size, axis.sizes.at_most(size), axis.sizes.at_least(size)) for axis in axes}
