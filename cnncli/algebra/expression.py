"""Expressions, and conditions on them: integers whose values are not known yet.

An :class:`Expr` is never a plain number: arithmetic that ends in one gives ``int``, so that code
written for ``Dim`` gets ordinary integers wherever nothing is unknown. ``==`` and ``hash`` compare
expressions as objects, which is what sets and dicts need; :func:`same` asks about their values.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from math import gcd
from typing import TYPE_CHECKING

from cnncli.algebra.floors import floor_divide
from cnncli.algebra.terms import Symbol, add, constant, divide, multiply, ordered, scale, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal

    from cnncli.algebra.terms import Terms


class Undecidable(TypeError):  # noqa: N818 - an answer about a condition, named as the field names it
    """A comparison that depends on the unknown sizes was used as if it were true or false."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        super().__init__(
            f"whether {condition} depends on sizes that are not known;"
            " an undecidable comparison is reported, never guessed"
        )


class NoFormulaError(TypeError):
    """A result that is no polynomial over symbols and floor divisions by numbers."""


class Expr:
    """A polynomial over symbols and floor divisions that is not a constant; immutable, canonical."""

    __slots__ = ("_hash", "_terms")

    def __init__(self, terms: Terms) -> None:
        assert any(terms), "a constant is an int, not an Expr"
        self._terms = terms
        self._hash: int | None = None

    @property
    def terms(self) -> Terms:
        """Coefficients by monomial, not to be changed."""
        return self._terms

    def __eq__(self, other: object) -> bool:
        return self._terms == other._terms if isinstance(other, Expr) else NotImplemented

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(frozenset(self._terms.items()))
        return self._hash

    def __str__(self) -> str:
        return text(self._terms)

    # A shape is a tuple, and a tuple shows its items by their repr.
    __repr__ = __str__

    def __bool__(self) -> bool:
        return not same(self, 0)

    def __add__(self, other: Dim) -> Dim:
        if not isinstance(other, (int, Expr)):
            return NotImplemented
        return _dim(add(self._terms, _terms(other)))

    __radd__ = __add__

    def __neg__(self) -> Expr:
        return Expr(scale(self._terms, -1))

    def __sub__(self, other: Dim) -> Dim:
        if not isinstance(other, (int, Expr)):
            return NotImplemented
        return _dim(add(self._terms, scale(_terms(other), -1)))

    def __rsub__(self, other: Dim) -> Dim:
        return -self + other

    def __mul__(self, other: Dim) -> Dim:
        if isinstance(other, int):
            return _dim(scale(self._terms, int(other)))
        if not isinstance(other, Expr):
            return NotImplemented
        return _dim(multiply(self._terms, other._terms))

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> Dim:
        if not isinstance(exponent, int):
            return NotImplemented
        if exponent < 0:
            raise ValueError(f"({self})**{exponent} is not an integer")
        power = constant(1)
        for _ in range(exponent):
            power = multiply(power, self._terms)
        return _dim(power)

    def __floordiv__(self, divisor: Dim) -> Dim:
        if isinstance(divisor, Expr):
            # p/q where q divides p, as channels by groups that are as many; wherever q is not 0
            return _quotient(self, divisor)
        if not isinstance(divisor, int):
            return NotImplemented
        return _dim(floor_divide(self._terms, divisor))

    def __rfloordiv__(self, dividend: int) -> Dim:
        return _quotient(dividend, self)

    def __mod__(self, divisor: Dim) -> Dim:
        # x mod d = x - d*floor(x / d), with the divisor's sign, as Python has it
        return self - divisor * (self // divisor)

    def __rmod__(self, dividend: int) -> Dim:
        return dividend - self * (dividend // self)

    def __ge__(self, other: Dim) -> bool | Condition:
        return _at_least_zero(self - other)

    def __le__(self, other: Dim) -> bool | Condition:
        return _at_least_zero(other - self)

    def __gt__(self, other: Dim) -> bool | Condition:
        # a > b <=> a - b - 1 >= 0, for integers
        return _at_least_zero(self - other - 1)

    def __lt__(self, other: Dim) -> bool | Condition:
        return _at_least_zero(other - self - 1)


Dim = int | Expr


class Condition:
    """``expr >= 0`` or ``expr == 0``, in lowest terms: true for some sizes, false or unknown for others.

    It has no truth value of its own: using it as one raises :class:`Undecidable`, unless it is decided for
    all sizes that are in question (:func:`deciding`).
    """

    __slots__ = ("_expr", "_relation")

    def __init__(self, expr: Expr, relation: Literal[">=", "=="]) -> None:
        self._expr = expr
        self._relation: Literal[">=", "=="] = relation

    @property
    def expr(self) -> Expr:
        """What is compared with zero."""
        return self._expr

    @property
    def relation(self) -> Literal[">=", "=="]:
        """How it is compared."""
        return self._relation

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Condition):
            return NotImplemented
        return self._relation == other._relation and self._expr == other._expr

    def __hash__(self) -> int:
        return hash((self._expr, self._relation))

    def __str__(self) -> str:
        return f"{self._expr} {self._relation} 0"

    __repr__ = __str__

    def __bool__(self) -> bool:
        answer = decided(self)
        if answer is None:
            # Nobody takes note outside of :func:`deciding`.
            _UNDECIDED.get([]).append(self)
            raise Undecidable(self)
        return answer


_DECIDE: ContextVar[Callable[[Condition], bool | None] | None] = ContextVar("decide", default=None)
_UNDECIDED: ContextVar[list[Condition]] = ContextVar("undecided")


def decided(condition: Condition) -> bool | None:
    """Whether it holds for all sizes in question (True), for none (False), or neither is known (None)."""
    decide = _DECIDE.get()
    return decide(condition) if decide is not None else None


@contextmanager
def deciding(decide: Callable[[Condition], bool | None], undecided: list[Condition]) -> Iterator[None]:
    """Let ``decide`` answer for conditions that are used as truth values: None where it cannot.

    Those are added to ``undecided``. So a rule such as ``max(height, other)`` is written once, for numbers
    and for formulas of which it is known that one is never the smaller.
    """
    token, noted = _DECIDE.set(decide), _UNDECIDED.set(undecided)
    try:
        yield
    finally:
        _DECIDE.reset(token)
        _UNDECIDED.reset(noted)


def symbol(name: str) -> Expr:
    """An unknown integer with this name.

    Raises ValueError where the name is not a plain identifier.
    """
    return Expr({(Symbol(name),): 1})


def same(left: Dim, right: Dim) -> bool | Condition:
    """Whether two sizes have the same value: known for numbers and constant differences."""
    difference = left - right
    if isinstance(difference, int):
        return difference == 0
    common = _content(difference)
    if difference.terms.get((), 0) % common:
        # g*p + c = 0 has no solution where g does not divide c
        return False
    # p = 0 <=> -p = 0: of the two, the one that starts with a plus
    sign = 1 if ordered(difference.terms)[0][1] > 0 else -1
    return Condition(_lowest(difference, sign * common), "==")


def _at_least_zero(value: Dim) -> bool | Condition:
    # g*p + c >= 0 <=> p + floor(c / g) >= 0, for integer-valued p and g > 0
    return value >= 0 if isinstance(value, int) else Condition(_lowest(value, _content(value)), ">=")


def _content(expr: Expr) -> int:
    """The greatest common divisor of all coefficients but the constant; at least 1."""
    return gcd(*(coefficient for monomial, coefficient in expr.terms.items() if monomial))


def _lowest(expr: Expr, common: int) -> Expr:
    divided = ((monomial, coefficient // common) for monomial, coefficient in expr.terms.items())
    return Expr({monomial: coefficient for monomial, coefficient in divided if coefficient})


def _terms(value: Dim) -> Terms:
    return value.terms if isinstance(value, Expr) else constant(int(value))


def _dim(terms: Terms) -> Dim:
    """The expression with these terms, or the number that they are."""
    return Expr(terms) if any(terms) else terms.get((), 0)


def _quotient(dividend: Dim, divisor: Expr) -> Dim:
    """The polynomial that times the divisor is the dividend.

    Raises NoFormulaError where there is none.
    """
    quotient = divide(_terms(dividend), divisor.terms)
    if quotient is None:
        raise NoFormulaError(f"({dividend})//({divisor}) divides by what is not known")
    return _dim(quotient)
