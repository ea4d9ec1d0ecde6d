"""Enumerate the sizes that a network accepts together, such as 28 x 28 and 14 x 56 where H*W must be 784."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cnncli.algebra import evaluate, symbols_of
from cnncli.algebra.coupled import combinations
from cnncli.algebra.size_sets import SizeSet, TooFineError, make
from cnncli.graph import Bound
from cnncli.limits import RESIDUES
from cnncli.work import spend


class Together(NamedTuple):
    """All combinations of sizes, in the order of ``symbols``, that some conditions between them leave.

    The most nearly equal sizes come first.
    """

    symbols: tuple[str, ...]
    sizes: tuple[tuple[int, ...], ...]
    bounds: tuple[Bound, ...]

    def nearest(self, size: int) -> Mapping[str, int]:
        """Return the combination nearest to ``size`` along every axis, by symbol; empty if none is accepted.

        The distances along the axes are added up.
        """
        spend(RESIDUES, len(self.sizes))
        found = min(self.sizes, key=lambda each: sum(abs(own - size) for own in each), default=())
        return dict(zip(self.symbols, found, strict=False))


def together(bounds: Sequence[Bound], sizes: Mapping[str, SizeSet]) -> tuple[Together, ...]:
    """Return the combinations that equations between symbols leave, if they are few enough.

    Args:
        bounds: conditions that couple symbols, or that could not be decided.
        sizes: what each symbol may be.
    """
    found: list[Together] = []
    for bound in bounds:
        symbols = symbols_of(bound.condition)
        if len(symbols) == 1 or any(symbols <= {*group.symbols} for group in found):
            continue
        possible = {name: narrowed(name, sizes[name], found) for name in symbols}
        try:
            pairs = combinations(bound.condition, possible)
        except TooFineError:
            continue
        own = [each for each in bounds if symbols_of(each.condition) <= symbols]
        found.append(_kept(sorted(symbols), pairs, own))
    # A later group may leave fewer values of a symbol that an earlier one has too.
    return tuple(
        _within(each, {name: narrowed(name, sizes[name], found) for name in each.symbols}) for each in found
    )


def narrowed(symbol: str, sizes: SizeSet, groups: Sequence[Together]) -> SizeSet:
    """Return the sizes of a symbol that occur in some combination of every group that has the symbol."""
    for group in groups:
        if symbol in group.symbols:
            place = group.symbols.index(symbol)
            sizes = sizes & make(1, {}, {each[place] for each in group.sizes})
    return sizes


def _kept(symbols: Sequence[str], pairs: Sequence[tuple[int, ...]], bounds: Sequence[Bound]) -> Together:
    for bound in bounds:
        spend(RESIDUES, len(pairs) * len(bound.condition.expr.terms))
        pairs = [each for each in pairs if evaluate(bound.condition, dict(zip(symbols, each, strict=True)))]
    ordered = sorted(pairs, key=lambda each: (max(each) - min(each), each))
    return Together(tuple(symbols), tuple(ordered), tuple(bounds))


def _within(found: Together, sizes: Mapping[str, SizeSet]) -> Together:
    accepts = [sizes[name].lookup() for name in found.symbols]
    kept = (
        each for each in found.sizes if all(accept(size) for accept, size in zip(accepts, each, strict=True))
    )
    return found._replace(sizes=tuple(kept))
