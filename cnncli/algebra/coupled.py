"""Find the combinations of sizes that satisfy an equation, such as H*W = 784.

The expression must rise with every size from the smallest ones on. A reshape after a convolution with a 5x5
kernel and a 2x2 pooling keeps the number of values if

>>> from cnncli.algebra import same, symbol
>>> H, W = symbol("H"), symbol("W")
>>> equation = same(((H - 4) // 2) * ((W - 4) // 2), 9)
>>> print(equation)
(H//2)*(W//2) - 2*(H//2) - 2*(W//2) - 5 == 0

Written in h = H - 6 and w = W - 6, all of its terms but the number have a plus, so it rises from 6 x 6 on:

>>> from cnncli.algebra.size_sets import SizeSet
>>> from_6 = SizeSet(1, ((0, 6),), ())
>>> combinations(equation, {"H": from_6, "W": from_6})[:4]
((6, 22), (6, 23), (7, 22), (7, 23))

At 10 x 10 the expression exceeds 0, so one size of every combination is less than 10: each of those few is
tried, and the other one found by a bisection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from cnncli.algebra.expression import Condition, Dim, Expr, symbol
from cnncli.algebra.polynomials import first_where
from cnncli.algebra.size_sets import SizeSet, TooFineError
from cnncli.algebra.sizes import evaluate, symbols_of
from cnncli.algebra.terms import Floor
from cnncli.limits import MAX_COMBINATIONS, MAX_COUPLED, MAX_SIZE, RESIDUES
from cnncli.work import spend

if TYPE_CHECKING:
    from cnncli.algebra.terms import Atom, Terms

_BISECTION: Final = 40
"""About as many values are computed for each size that is tried."""


def combinations(equation: Condition, sizes: Mapping[str, SizeSet]) -> tuple[tuple[int, ...], ...]:
    """Return the sizes that satisfy an equation, for its symbols in alphabetical order.

    ``sizes`` are those that each symbol may have; sizes above the limit of the language are left out.

    Raises:
        TooFineError: the expression does not rise with every size, or there are too many combinations, or
            too many sizes to try.
    """
    names = sorted(symbols_of(equation))
    least = [sizes[name].at_least(1) for name in names]
    if equation.relation != "==" or any(size is None for size in least):
        raise TooFineError("no equation between sizes")
    start = {name: size for name, size in zip(names, least, strict=True) if size is not None}
    expr = _rising(equation.expr, start)
    search = _Search(expr, {name: sizes[name].lookup() for name in names})
    found = tuple(islice(search.within(start, {}), MAX_COMBINATIONS + 1))
    if len(found) > MAX_COMBINATIONS:
        raise TooFineError(f"more than {MAX_COMBINATIONS:,} combinations")
    return tuple(sorted(found))


def _rising(expr: Expr, start: Mapping[str, int]) -> Expr:
    """Return the expression, or its negative, whichever rises with every size from ``start`` on.

    Raises:
        TooFineError: neither obviously does.
    """
    from_start = _shifted(expr.terms, start, {})
    terms = from_start.terms if isinstance(from_start, Expr) else {}
    signs = {coefficient > 0 for monomial, coefficient in terms.items() if monomial}
    atoms = {atom for monomial in terms for atom in monomial}
    if len(signs) != 1 or not all(atom.positive for atom in atoms):
        raise TooFineError("an expression that does not rise with every size")
    return expr if signs.pop() else -expr


def _shifted(terms: Terms, start: Mapping[str, int], known: dict[Atom, Dim]) -> Dim:
    """Return these terms in the differences between the sizes and ``start``; ``known`` are atoms so far."""
    total: Dim = 0
    for monomial, coefficient in terms.items():
        value: Dim = coefficient
        for atom in monomial:
            if atom not in known:
                known[atom] = _shifted_atom(atom, start, known)
            value = value * known[atom]
        total = total + value
    return total


def _shifted_atom(atom: Atom, start: Mapping[str, int], known: dict[Atom, Dim]) -> Dim:
    if isinstance(atom, Floor):
        return _shifted(atom.numerator, start, known) // atom.divisor
    return symbol(str(atom)) + start[str(atom)]


class _Search:
    """The search for the zeros of an expression that rises with every size."""

    def __init__(self, expr: Expr, accepts: Mapping[str, Callable[[int], bool]]) -> None:
        self._expr = expr
        self._accepts = accepts
        self._names = [*accepts]
        self._work = 0

    def within(self, least: Mapping[str, int], known: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
        """Yield all sizes, of which those in ``known`` are given, and the others are at least ``least``."""
        if len(least) == 1:
            yield from self._along(*next(iter(least.items())), known)
            return
        corner = self._corner(least, known)
        tried = sum(corner[name] - size for name, size in least.items())
        self._check(self._work + tried * _BISECTION * len(self._expr.terms))
        for name, size in least.items():
            # One of the sizes is below the corner: this is the first such one.
            others = {each: corner[each] if each in self._before(name) else least[each] for each in least}
            del others[name]
            for own in filter(self._accepts[name], range(size, corner[name])):
                yield from self.within(others, {**known, name: own})

    def _before(self, name: str) -> Sequence[str]:
        return self._names[: self._names.index(name)]

    def _along(self, name: str, least: int, known: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
        """Yield the sizes for all values of one symbol: those between two bisections."""
        first = first_where(lambda n: self._value({**known, name: n}) >= 0, least, MAX_SIZE)
        if first is None or self._value({**known, name: first}) > 0:
            return
        end = first_where(lambda n: self._value({**known, name: n}) > 0, first, MAX_SIZE)
        for n in range(first, MAX_SIZE + 1 if end is None else end):
            self._spend(1)
            if self._accepts[name](n):
                yield tuple({**known, name: n}[each] for each in self._names)

    def _corner(self, least: Mapping[str, int], known: Mapping[str, int]) -> Mapping[str, int]:
        """Return sizes from which on the expression exceeds 0; all of them are about the same.

        Raises:
            TooFineError: it never does.
        """

        def corner(side: int) -> Mapping[str, int]:
            return {name: max(size, side) for name, size in least.items()}

        side = first_where(lambda side: self._value({**known, **corner(side)}) > 0, 1, MAX_SIZE)
        if side is None:
            raise TooFineError("an expression that never exceeds 0")
        return corner(side)

    def _value(self, sizes: Mapping[str, int]) -> int:
        self._spend(len(self._expr.terms))
        return evaluate(self._expr, sizes)

    def _spend(self, amount: int) -> None:
        spend(RESIDUES, amount)
        self._work += amount
        self._check(self._work)

    def _check(self, work: int) -> None:
        """Check an amount of work.

        Raises:
            TooFineError: it is too much for one equation.
        """
        if work > MAX_COUPLED:
            raise TooFineError(f"more than {MAX_COUPLED:,} sizes times terms")
