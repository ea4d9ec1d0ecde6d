"""Decide conditions on unknown sizes exactly.

With one unknown n, floor divisions are periodic: for n = M m + r, where M is a common multiple of the
divisors, each floor((a n + c) / d) is (a M / d) m + floor((a r + c) / d), a polynomial in m. So in each
residue class a condition compares a polynomial in m with zero, and its truth changes at finitely many m: in
each class it holds on finitely many intervals of m, the last of which may be unbounded.

A 2x2 pooling of H positions has at least one output if H//2 >= 1. That is true for some H only, so a domain
without further knowledge does not decide it. Once H >= 4 is assumed it holds for every H in question, while
H//2 >= 3 still depends on H:

>>> from cnncli.algebra import same, symbol
>>> H = symbol("H")
>>> domain = Domain()
>>> print(domain.decide(H // 2 >= 1))
None
>>> domain.assume(H >= 4)
SizeSet(period=1, tails=((0, 4),), isolated=())
>>> domain.decide(H // 2 >= 1)
True
>>> print(domain.decide(H // 2 >= 3))
None

When are H//2 and H//3 one apart? Here M = 6, and for H = 6 m + r the difference is the polynomial
m + r//2 - r//3. It is 1 for m = 0 or m = 1, depending on the class, and larger from then on:

>>> stretches(same(H // 2 - H // 3, 1)).classes
((0, ((1, 1),)), (1, ((1, 1),)), (2, ((0, 0),)), (3, ((1, 1),)), (4, ((0, 0),)), (5, ((0, 0),)))
>>> solve(same(H // 2 - H // 3, 1))
SizeSet(period=1, tails=(), isolated=(2, 4, 5, 6, 7, 9))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from cnncli.algebra.expression import Condition, Expr, deciding
from cnncli.algebra.polynomials import (
    Interval,
    both,
    coefficients_times,
    first_where,
    nonnegative,
    plus,
    times,
)
from cnncli.algebra.size_sets import ALL, SizeSet, TooFineError, bounded, make
from cnncli.algebra.sizes import evaluate, symbols_of
from cnncli.algebra.terms import Floor, direction_of, is_linear, modulus_of
from cnncli.limits import MAX_DECISION, MAX_ISOLATED, RESIDUES
from cnncli.work import spend

if TYPE_CHECKING:
    from cnncli.algebra.polynomials import Polynomial
    from cnncli.algebra.terms import Atom, Terms


_ONE_SIDED: Final = 20
"""Residue classes that would take as long as a condition that is decided by a bisection."""


class Stretches(NamedTuple):
    """The sizes n >= 1 that satisfy a condition.

    They are n = period * m + residue, for m in one of the intervals of that residue; there may be far too
    many to list one by one.
    """

    period: int
    classes: tuple[tuple[int, tuple[Interval, ...]], ...]

    def at_most(self, size: int) -> int | None:
        """Return the largest of them that is at most ``size``, or None."""
        found = [
            self.period * m + residue
            for residue, intervals in self.classes
            for first, last in intervals
            if (m := min((size - residue) // self.period, last if last is not None else size)) >= first
        ]
        return max(found, default=None)

    def sizes(self) -> SizeSet:
        """Return the same sizes as a set.

        Raises:
            TooFineError: there are too many single sizes.
        """
        tails: dict[int, int] = {}
        single: list[int] = []
        for residue, intervals in self.classes:
            for first, last in intervals:
                if last is None:
                    tails[residue] = self.period * first + residue
                elif last - first > MAX_ISOLATED:
                    raise TooFineError(f"more than {MAX_ISOLATED:,} single sizes")
                else:
                    single += [self.period * m + residue for m in range(first, last + 1)]
        return make(self.period, tails, single)

    def endless(self) -> SizeSet:
        """Return the unbounded part of the set."""
        tails = {
            residue: self.period * first + residue
            for residue, intervals in self.classes
            for first, last in intervals
            if last is None
        }
        return make(self.period, tails, ())

    def last(self) -> int:
        """Return a size above which only the unbounded part has sizes; 0 if the set is empty."""
        ends = [
            self.period * ((last if last is not None else first) + 1)
            for _, intervals in self.classes
            for first, last in intervals
        ]
        return max(ends, default=0)


def effort(condition: Condition) -> int:
    """Return the work of solving a condition on one unknown: residue classes times terms."""
    terms = condition.expr.terms
    return modulus_of(terms) * len(terms)


def solve(condition: Condition) -> SizeSet:
    """Return the sizes n >= 1 that satisfy a condition on one unknown.

    Raises:
        TooFineError: the period is too large to examine every class, or there are too many single sizes.
    """
    return stretches(condition).sizes()


def stretches(condition: Condition) -> Stretches:
    """Return the sizes n >= 1 that satisfy a condition on one unknown, class by class.

    Raises:
        TooFineError: the period is too large to examine every class.
    """
    (name,) = symbols_of(condition)
    terms = condition.expr.terms
    direction = direction_of(terms) if condition.relation == ">=" else 0
    if direction:
        spend(RESIDUES, _ONE_SIDED)
        return _one_sided(condition.expr, name, direction)
    period = bounded(modulus_of(terms))
    if effort(condition) > MAX_DECISION:
        raise TooFineError(f"{period:,} classes of {len(terms)} terms")
    spend(RESIDUES, period * len(terms))
    in_class = _linear(terms, name, period) if is_linear(terms) else partial(_in_class, terms, period)
    classes: list[tuple[int, tuple[Interval, ...]]] = []
    for residue in range(period):
        found = _holds(in_class(residue), condition.relation, 0 if residue else 1)
        if found:
            classes.append((residue, tuple(found)))
    return Stretches(period, tuple(classes))


def _one_sided(expr: Expr, name: str, direction: int) -> Stretches:
    """Return where an expression that only rises or only falls is nonnegative: from a size on, or up to it.

    No period is needed, so the strides of a deep network may multiply to any number.
    """

    def holds(n: int) -> bool:
        return evaluate(expr, {name: n}) >= 0

    if direction > 0:
        return Stretches(1, ((0, ((first_where(holds, 1, None) or 1, None),)),))
    end = first_where(lambda n: not holds(n), 1, None) or 1
    return Stretches(1, ((0, ((1, end - 1),)),) if end > 1 else ())


def _linear(terms: Terms, name: str, period: int) -> Callable[[int], Polynomial]:
    """Return what :func:`_in_class` computes, for terms that are linear in m, from their values."""
    expr = Expr(terms)
    slope = evaluate(expr, {name: period}) - evaluate(expr, {name: 0})
    return lambda residue: [evaluate(expr, {name: residue}), slope]


def _holds(polynomial: Polynomial, relation: str, start: int) -> list[Interval]:
    """Return the m >= start for which polynomial(m) >= 0, or == 0."""
    above = nonnegative(polynomial, start)
    if relation == ">=":
        return above
    return both(above, nonnegative(coefficients_times(polynomial, -1), start))


def _in_class(
    terms: Terms, period: int, residue: int, known: dict[Atom, Polynomial] | None = None
) -> Polynomial:
    """Return these terms as a polynomial in m, for n = period * m + residue; ``known`` are atoms so far."""
    known = {} if known is None else known
    total: Polynomial = []
    for monomial, coefficient in terms.items():
        value: Polynomial = [coefficient]
        for atom in monomial:
            if atom not in known:
                known[atom] = _atom_in_class(atom, period, residue, known)
            value = times(value, known[atom])
        total = plus(total, value)
    return total


def _atom_in_class(atom: Atom, period: int, residue: int, known: dict[Atom, Polynomial]) -> Polynomial:
    if not isinstance(atom, Floor):
        return [residue, period]
    constant, *rest = _in_class(atom.numerator, period, residue, known)
    assert all(each % atom.divisor == 0 for each in rest), (atom, period, residue)
    return [constant // atom.divisor, *(each // atom.divisor for each in rest)]


class Domain:
    """Knowledge about unknown sizes: the values each may have, and further conditions that are assumed.

    A domain only shrinks, so a condition that holds once holds from then on. ``undecided`` lists the
    conditions that were used as truth values although they hold for some sizes only, in the order of their
    use.
    """

    def __init__(self, sizes: Mapping[str, SizeSet] | None = None) -> None:
        self._sizes: dict[str, SizeSet] = dict(sizes or {})
        self._known: set[Condition] = set()
        self._solved: tuple[Condition, SizeSet] | None = None
        self.undecided: list[Condition] = []

    def sizes(self, symbol: str) -> SizeSet:
        """Return the sizes that a symbol may have."""
        return self._sizes.get(symbol, ALL)

    def decide(self, condition: Condition) -> bool | None:
        """Return True if a condition holds for all sizes, False if for none, None otherwise or if unknown."""
        if condition in self._known:
            return True
        symbols = symbols_of(condition)
        if len(symbols) != 1:
            return None
        (symbol,) = symbols
        try:
            remaining = self.sizes(symbol) & self._solve(condition)
        except TooFineError:
            return None
        if remaining == self.sizes(symbol):
            self._known.add(condition)
            return True
        return None if remaining else False

    def assume(self, condition: Condition) -> SizeSet | None:
        """Assume a condition from now on; return its sizes, or None if it has several unknowns.

        None is also returned where those sizes cannot be written down as a set.
        """
        self._known.add(condition)
        symbols = symbols_of(condition)
        if len(symbols) != 1:
            return None
        (symbol,) = symbols
        try:
            own = self._solve(condition)
            self._sizes[symbol] = self.sizes(symbol) & own
        except TooFineError:
            return None
        return own

    def _solve(self, condition: Condition) -> SizeSet:
        """Solve a condition; what cannot be decided is usually assumed next."""
        if self._solved is None or self._solved[0] != condition:
            self._solved = condition, solve(condition)
        return self._solved[1]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Allow conditions that this domain decides as truth values; others still raise Undecidable."""
        with deciding(self.decide, self.undecided):
            yield
