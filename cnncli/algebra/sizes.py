"""Functions over sizes that may be numbers or expressions."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, overload

from cnncli.algebra.expression import Condition, Dim, Expr, decided, from_terms
from cnncli.algebra.terms import Floor, Symbol, add, add_to, constant, largest_in, names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cnncli.algebra.terms import Atom, Monomial, Terms


@overload
def ceil_div(dividend: int, divisor: int) -> int: ...
@overload
def ceil_div(dividend: Dim, divisor: int) -> Dim: ...
def ceil_div(dividend: Dim, divisor: int) -> Dim:
    """Return ceil(dividend / divisor) = floor((dividend + divisor - 1) / divisor), for divisor > 0."""
    assert divisor > 0, divisor
    return (dividend + divisor - 1) // divisor


def product(dims: Iterable[Dim]) -> Dim:
    """Return the product; 1 for no factors."""
    result: Dim = 1
    for dim in dims:
        result = result * dim
    return result


def summed(dims: Iterable[Dim]) -> Dim:
    """Return the sum; 0 for no terms."""
    total = Sum()
    for dim in dims:
        total.add(dim)
    return total.value


class Sum:
    """A sum that changes: unlike repeated addition, a change takes no longer the more terms there are."""

    __slots__ = ("_number", "_terms")

    def __init__(self) -> None:
        self._number = 0
        self._terms: dict[Monomial, int] = {}

    def add(self, dim: Dim, times: int = 1) -> None:
        """Add a multiple of a size; -1 subtracts it."""
        if isinstance(dim, int):
            self._number += times * dim
        else:
            add_to(self._terms, dim.terms, times)

    @property
    def value(self) -> Dim:
        """The sum so far."""
        if not self._terms:
            return self._number
        return from_terms(add(self._terms, constant(self._number)))


def smallest(dims: Iterable[Dim]) -> Dim:
    """Return the one that is never larger than another.

    Raises:
        Undecidable: which one it is depends on unknown sizes.
    """
    return reduce(lambda least, dim: least if known(least <= dim) or not dim <= least else dim, dims)


def largest(dims: Iterable[Dim]) -> Dim:
    """Return the one that is never smaller than another.

    Raises:
        Undecidable: which one it is depends on unknown sizes.
    """
    return reduce(lambda most, dim: most if known(most >= dim) or not dim >= most else dim, dims)


def degree(value: Expr) -> int:
    """Return the number of atoms in the longest monomial."""
    return max(map(len, value.terms))


def largest_number(value: Expr) -> int:
    """Return the largest number written in an expression, in its floor divisions too, without its sign."""
    return largest_in(value.terms)


def whole(value: Dim) -> int:
    """Return a size that must be a number here.

    Raises:
        TypeError: it is a formula, which is a mistake of the caller.
    """
    if not isinstance(value, int):
        raise TypeError(f"a number is needed here, not the formula {value}")
    return value


def whole_shape(shape: Iterable[Dim]) -> tuple[int, ...]:
    """Return a shape whose sizes must all be numbers here.

    Raises:
        TypeError: one of them is a formula.
    """
    return tuple(map(whole, shape))


def known(condition: bool | Condition) -> bool:
    """Return whether the condition is known to hold for all sizes in question."""
    return condition if isinstance(condition, bool) else decided(condition) is True


@overload
def evaluate(value: bool | Condition, sizes: Mapping[str, int]) -> bool: ...
@overload
def evaluate(value: Dim, sizes: Mapping[str, int]) -> int: ...
def evaluate(value: Dim | Condition, sizes: Mapping[str, int]) -> int:
    """Return the number (for a condition, the truth) that ``value`` has when its symbols have these sizes.

    Sizes of other symbols are ignored.

    Raises:
        KeyError: a symbol has no size; its name is the argument.
    """
    if isinstance(value, int):
        return value
    if isinstance(value, Expr):
        return _evaluate(value.terms, sizes, {})
    number = evaluate(value.expr, sizes)
    return number >= 0 if value.relation == ">=" else number == 0


def symbols_of(value: Dim | Condition) -> frozenset[str]:
    """Return the names of the symbols that ``value`` depends on."""
    if isinstance(value, int):
        return frozenset()
    expr = value.expr if isinstance(value, Condition) else value
    return names_in(expr.terms)


def _evaluate(terms: Terms, sizes: Mapping[str, int], known: dict[Atom, int]) -> int:
    total = 0
    for monomial, coefficient in terms.items():
        number = coefficient
        for atom in monomial:
            if atom not in known:
                known[atom] = _atom_value(atom, sizes, known)
            number = number * known[atom]  # not in place: arrays of other shapes broadcast
        total = total + number
    return total


def _atom_value(atom: Atom, sizes: Mapping[str, int], known: dict[Atom, int]) -> int:
    if isinstance(atom, Floor):
        return _evaluate(atom.numerator, sizes, known) // atom.divisor
    assert isinstance(atom, Symbol)
    return sizes[atom.name]
