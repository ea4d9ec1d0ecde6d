"""Polynomials with integer coefficients over atoms, the terms of an expression.

An atom is a symbol or a floor division by an integer; a monomial is a sorted product of atoms; a polynomial
maps monomials to nonzero coefficients. The coefficient of the empty monomial is the constant. Polynomials are
plain dicts that are never modified once made: two that are equal as dicts are equal as polynomials, in
whatever order their terms were added.
"""

from __future__ import annotations

from itertools import groupby
from keyword import iskeyword
from math import lcm
from typing import TYPE_CHECKING, Final

from cnncli.limits import TERMS
from cnncli.work import spend

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Monomial = tuple["Atom", ...]
    Terms = Mapping[Monomial, int]


_EACH: Final = 4
"""An operation takes about as long as this many terms, even if it has fewer."""

_CHARACTERS: Final = 64
"""The text of a floor division takes as long as one term for each of this many."""


class Atom:
    """An indivisible factor of a polynomial: a :class:`Symbol` or a :class:`Floor`.

    ``order`` sorts symbols before floor divisions and small divisors before large ones. It contains the
    atom's text, which parses back to the atom, so that it also identifies the atom.

    Facts are computed once, from those of the atoms inside: an atom can be inside many others, and to walk
    through all of them takes twice as long with each level of n + n//2. ``names`` are the symbols it depends
    on, and ``largest`` is the largest number in it. ``direction`` is 1 if it only rises with its symbols, -1
    if it only falls, 0 if that is not obvious; ``linear`` says whether no atoms are multiplied in it, and
    ``positive`` whether all its coefficients are. For n = ``modulus`` m + r it is a polynomial in m.
    """

    __slots__ = ("_hash", "direction", "largest", "linear", "modulus", "names", "order", "positive")

    def __init__(self, rank: int, text: str) -> None:
        self.order = (rank, text)
        self._hash = hash(self.order)
        self.names: frozenset[str] = frozenset()
        self.largest = 0
        self.direction = 1
        self.linear = self.positive = True
        self.modulus = 1

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Atom) and self.order == other.order)

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return self.order[1]

    __repr__ = __str__


def is_symbol(name: str) -> bool:
    """Return whether a symbol may have this name: an ASCII identifier that is not a Python keyword."""
    return name.isascii() and name.isidentifier() and not iskeyword(name)


class Symbol(Atom):
    """An unknown integer.

    Raises:
        ValueError: the name would not parse back as a plain name.
    """

    __slots__ = ()

    def __init__(self, name: str) -> None:
        if not is_symbol(name):
            raise ValueError(f"a symbol's name must be a plain identifier, not {name!r}")
        super().__init__(1, name)
        self.names = frozenset((name,))

    @property
    def name(self) -> str:
        """The symbol's name."""
        return self.order[1]


class Floor(Atom):
    """floor(numerator / divisor), in the canonical form of :mod:`.floors`."""

    __slots__ = ("divisor", "numerator")

    def __init__(self, numerator: Terms, divisor: int) -> None:
        self.numerator = numerator
        self.divisor = divisor
        inside = text(numerator)
        spend(TERMS, len(inside) // _CHARACTERS)
        super().__init__(divisor, f"{inside if inside.isidentifier() else f'({inside})'}//{divisor}")
        self.names = names_in(numerator)
        self.largest = max(divisor, largest_in(numerator))
        self.direction = direction_of(numerator)
        self.linear = is_linear(numerator)
        self.positive = all(each > 0 for each in numerator.values()) and all(
            atom.positive for atom in atoms(numerator)
        )
        self.modulus = divisor * modulus_of(numerator)


def names_in(terms: Terms) -> frozenset[str]:
    """Return the names of the symbols that these terms depend on."""
    return frozenset().union(*(atom.names for atom in atoms(terms)))


def largest_in(terms: Terms) -> int:
    """Return the largest number in these terms, floors included."""
    return max((*map(abs, terms.values()), *(atom.largest for atom in atoms(terms))))


def direction_of(terms: Terms) -> int:
    """Return 1 if these terms only rise with their symbols, -1 if they only fall, 0 if neither is obvious."""
    signs = {
        (1 if coefficient > 0 else -1) * (monomial[0].direction if len(monomial) == 1 else 0)
        for monomial, coefficient in terms.items()
        if monomial
    }
    return signs.pop() if len(signs) == 1 else 0


def is_linear(terms: Terms) -> bool:
    """Return whether no atoms are multiplied with each other."""
    return all(len(monomial) <= 1 and all(atom.linear for atom in monomial) for monomial in terms)


def modulus_of(terms: Terms) -> int:
    """Return M so that for n = M m + r all coefficients of m are whole numbers, floors included."""
    return lcm(*(atom.modulus for atom in atoms(terms)))


def constant(value: int) -> Terms:
    """Return the constant polynomial."""
    return {(): value} if value else {}


def add(left: Terms, right: Terms) -> Terms:
    """Return left + right."""
    spend(TERMS, len(left) + len(right) + _EACH)
    total = dict(left)
    for monomial, coefficient in right.items():
        total[monomial] = total.get(monomial, 0) + coefficient
    return _without_zeros(total)


def add_to(total: dict[Monomial, int], terms: Terms, times: int) -> None:
    """Add a multiple of these terms to a total that nothing else uses, in place."""
    spend(TERMS, len(terms) + _EACH)
    for monomial, coefficient in terms.items():
        number = total.get(monomial, 0) + times * coefficient
        if number:
            total[monomial] = number
        else:
            del total[monomial]


def scale(terms: Terms, factor: int) -> Terms:
    """Return terms * factor."""
    spend(TERMS, len(terms) + _EACH)
    return {monomial: factor * coefficient for monomial, coefficient in terms.items()} if factor else {}


def multiply(left: Terms, right: Terms) -> Terms:
    """Return left * right, expanded."""
    spend(TERMS, len(left) * len(right) + _EACH)
    total: dict[Monomial, int] = {}
    for monomial, coefficient in left.items():
        for other, factor in right.items():
            key = _join(monomial, other)
            total[key] = total.get(key, 0) + coefficient * factor
    return _without_zeros(total)


def divide(dividend: Terms, divisor: Terms) -> Terms | None:
    """Return the quotient if the divisor divides the dividend exactly, or None: long division."""
    leading, coefficient = ordered(divisor)[0]
    quotient: Terms = {}
    rest = dividend
    while rest:
        monomial, factor = ordered(rest)[0]
        left = without(monomial, leading)
        if left is None or factor % coefficient:
            return None
        step = {left: factor // coefficient}
        quotient = add(quotient, step)
        # The leading term cancels, and the terms that replace it are smaller in the order of terms.
        rest = add(rest, scale(multiply(step, divisor), -1))
    return quotient


def ordered(terms: Terms) -> list[tuple[Monomial, int]]:
    """Return the terms in reading order: highest degree first, then by atoms, the constant last."""
    spend(TERMS, len(terms) + _EACH)
    return sorted(terms.items(), key=lambda term: (-len(term[0]), [atom.order for atom in term[0]]))


def text(terms: Terms) -> str:
    """Write this polynomial as Python arithmetic: ``64*H*W + 10``, ``H - (H + 3)//4``, ``5 - H``."""
    written = ""
    for monomial, coefficient in _plus_first(ordered(terms)):
        # Unary minus binds tighter than //, the minus between two terms does not.
        # So a floor division needs parentheses after a leading minus, and next to other factors.
        minus, plus = (" - ", " + ") if written else ("-", "")
        enclosed = abs(coefficient) != 1 or len(monomial) > 1 or (not written and coefficient < 0)
        factors = _factors(monomial, enclosed=enclosed)
        if abs(coefficient) != 1 or not monomial:
            factors.insert(0, str(abs(coefficient)))
        written += (minus if coefficient < 0 else plus) + "*".join(factors)
    return written or "0"


def atoms(terms: Terms) -> Iterable[Atom]:
    """Return the atoms of all monomials, with repetitions, but not those inside floor divisions."""
    return (atom for monomial in terms for atom in monomial)


def without(monomial: Monomial, factors: Monomial) -> Monomial | None:
    """Return the monomial without these factors, or None if it lacks one of them."""
    left = list(monomial)
    for factor in factors:
        if factor not in left:
            return None
        left.remove(factor)
    return tuple(left)


def _plus_first(terms: list[tuple[Monomial, int]]) -> list[tuple[Monomial, int]]:
    """Move the first positive term, if any, to the front."""
    first = next((index for index, (_, coefficient) in enumerate(terms) if coefficient > 0), 0)
    return [terms[first], *terms[:first], *terms[first + 1 :]] if first else terms


def _factors(monomial: Monomial, *, enclosed: bool) -> list[str]:
    """Write each atom with its power; ``enclosed`` puts floor divisions in parentheses."""
    factors = []
    for atom, group in groupby(monomial):
        power = sum(1 for _ in group)
        name = f"({atom})" if enclosed and isinstance(atom, Floor) else str(atom)
        factors.append(name if power == 1 else f"{name}**{power}")
    return factors


def _join(left: Monomial, right: Monomial) -> Monomial:
    if not left or not right:
        return left or right
    return tuple(sorted(left + right, key=lambda atom: atom.order))


def _without_zeros(terms: dict[Monomial, int]) -> Terms:
    return {monomial: coefficient for monomial, coefficient in terms.items() if coefficient}
