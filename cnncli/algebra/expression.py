"""Expressions, integers whose values are not known yet, and conditions on them.

An :class:`Expr` is never a constant: arithmetic whose result is a number returns ``int``, so code written
for ``Dim`` gets ordinary integers when nothing is unknown. ``==`` and ``hash`` compare expressions by their
canonical form, which is what sets and dicts need; :func:`same` compares their values.

>>> H, W = symbol("H"), symbol("W")
>>> H * (W - 2) + 2 * H
H*W
>>> (H + 1) ** 2 - H * (H + 2)
1

A comparison that depends on the unknowns is a condition, in lowest terms: as H is an integer, 2 H >= 5 is the
same as H >= 3. It has no truth value; one that is the same for all integers is a bool.

>>> 2 * H >= 5
H - 3 >= 0
>>> H // 2 <= H // 2 + 1, same(2 * H, 5)
(True, False)
>>> bool(2 * H >= 5)  # doctest: +ELLIPSIS
Traceback (most recent call last):
    ...
cnncli.algebra.expression.Undecidable: whether H - 3 >= 0 depends on unknown sizes...
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
    from typing import Any, Literal

    from cnncli.algebra.terms import Terms


class Undecidable(TypeError):  # noqa: N818 - the field's own word for such a condition
    """A comparison that depends on unknown sizes was used as a truth value."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        super().__init__(
            f"whether {condition} depends on unknown sizes;"
            " an undecidable comparison is reported, never guessed"
        )


class NoFormulaError(TypeError):
    """The result is not a polynomial over symbols and floor divisions by numbers."""


class Expr:
    """A polynomial, not a constant, over symbols and floor divisions; immutable and canonical."""

    __slots__ = ("_hash", "_terms")

    def __init__(self, terms: Terms) -> None:
        assert any(terms), "a constant is an int, not an Expr"
        self._terms = terms
        self._hash: int | None = None

    @property
    def terms(self) -> Terms:
        """The coefficients by monomial; must not be modified."""
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

    def __call__(self, **sizes: Any) -> Any:
        """Return the value where its symbols have these sizes: whole numbers, or NumPy arrays of them.

        Arrays are computed with Python's integers, so that nothing overflows; the result is of 64 bits where
        it fits and of Python's integers (dtype object) where it does not.

        >>> from cnncli.algebra import symbol
        >>> (3 * symbol("H") // 2)(H=5)
        7

        It is the figure of a network only at sizes that the network accepts.

        Raises:
            TypeError: a symbol is given no size, or a size is not a whole number.
            ValueError: a size is less than 1.
        """
        from cnncli.algebra.calling import call  # noqa: PLC0415 - few commands need it

        return call(self, sizes)

    def __add__(self, other: Dim) -> Dim:
        if not isinstance(other, (int, Expr)):
            return NotImplemented
        return from_terms(add(self._terms, _terms(other)))

    __radd__ = __add__

    def __neg__(self) -> Expr:
        return Expr(scale(self._terms, -1))

    def __sub__(self, other: Dim) -> Dim:
        if not isinstance(other, (int, Expr)):
            return NotImplemented
        return from_terms(add(self._terms, scale(_terms(other), -1)))

    def __rsub__(self, other: Dim) -> Dim:
        return -self + other

    def __mul__(self, other: Dim) -> Dim:
        if isinstance(other, int):
            return from_terms(scale(self._terms, int(other)))
        if not isinstance(other, Expr):
            return NotImplemented
        return from_terms(multiply(self._terms, other._terms))

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> Dim:
        if not isinstance(exponent, int):
            return NotImplemented
        if exponent < 0:
            raise ValueError(f"({self})**{exponent} is not an integer")
        power = constant(1)
        for _ in range(exponent):
            power = multiply(power, self._terms)
        return from_terms(power)

    def __floordiv__(self, divisor: Dim) -> Dim:
        if isinstance(divisor, Expr):
            # p/q where q divides p, as channels // groups for a depthwise layer; valid for q != 0
            return _quotient(self, divisor)
        if not isinstance(divisor, int):
            return NotImplemented
        return from_terms(floor_divide(self._terms, divisor))

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
    """``expr >= 0`` or ``expr == 0`` in lowest terms, whose truth depends on the sizes.

    ``bool`` of it raises :class:`Undecidable` unless the condition is decided for all sizes in question
    (:func:`deciding`).
    """

    __slots__ = ("_expr", "_relation")

    def __init__(self, expr: Expr, relation: Literal[">=", "=="]) -> None:
        self._expr = expr
        self._relation: Literal[">=", "=="] = relation

    @property
    def expr(self) -> Expr:
        """The expression that is compared with zero."""
        return self._expr

    @property
    def relation(self) -> Literal[">=", "=="]:
        """The comparison, ``>=`` or ``==``."""
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
            # Outside of deciding(), nothing collects undecided conditions.
            _UNDECIDED.get([]).append(self)
            raise Undecidable(self)
        return answer


_DECIDE: ContextVar[Callable[[Condition], bool | None] | None] = ContextVar("decide", default=None)
_UNDECIDED: ContextVar[list[Condition]] = ContextVar("undecided")


def decided(condition: Condition) -> bool | None:
    """Return True if it holds for all sizes in question, False if for none, None if neither is known."""
    decide = _DECIDE.get()
    return decide(condition) if decide is not None else None


@contextmanager
def deciding(decide: Callable[[Condition], bool | None], undecided: list[Condition]) -> Iterator[None]:
    """Let ``decide`` supply the truth of conditions; it returns None where it cannot.

    Conditions without an answer are appended to ``undecided``. So a rule such as ``max(height, other)`` is
    written once, for numbers and for formulas of which one is known never to be the smaller.
    """
    token, noted = _DECIDE.set(decide), _UNDECIDED.set(undecided)
    try:
        yield
    finally:
        _DECIDE.reset(token)
        _UNDECIDED.reset(noted)


def symbol(name: str) -> Expr:
    """Return an unknown integer with this name.

    Raises:
        ValueError: the name is not a plain identifier.
    """
    return Expr({(Symbol(name),): 1})


def same(left: Dim, right: Dim) -> bool | Condition:
    """Compare the values of two sizes; a bool if they differ by a constant, otherwise a condition."""
    difference = left - right
    if isinstance(difference, int):
        return difference == 0
    common = _content(difference)
    if difference.terms.get((), 0) % common:
        # g*p + c = 0 has no solution if g does not divide c
        return False
    # p = 0 <=> -p = 0: the canonical form is the one that starts with a plus
    sign = 1 if ordered(difference.terms)[0][1] > 0 else -1
    return Condition(_lowest(difference, sign * common), "==")


def _at_least_zero(value: Dim) -> bool | Condition:
    # g*p + c >= 0 <=> p + floor(c / g) >= 0, for integer-valued p and g > 0
    return value >= 0 if isinstance(value, int) else Condition(_lowest(value, _content(value)), ">=")


def _content(expr: Expr) -> int:
    """Return the greatest common divisor of all coefficients except the constant; at least 1."""
    return gcd(*(coefficient for monomial, coefficient in expr.terms.items() if monomial))


def _lowest(expr: Expr, common: int) -> Expr:
    divided = ((monomial, coefficient // common) for monomial, coefficient in expr.terms.items())
    return Expr({monomial: coefficient for monomial, coefficient in divided if coefficient})


def _terms(value: Dim) -> Terms:
    return value.terms if isinstance(value, Expr) else constant(int(value))


def from_terms(terms: Terms) -> Dim:
    """Return the expression with these terms, or an int if they are constant."""
    return Expr(terms) if any(terms) else terms.get((), 0)


def _quotient(dividend: Dim, divisor: Expr) -> Dim:
    """Return the polynomial q for which q * divisor = dividend.

    Raises:
        NoFormulaError: no such polynomial exists.
    """
    quotient = divide(_terms(dividend), divisor.terms)
    if quotient is None:
        raise NoFormulaError(f"({dividend})//({divisor}) divides by an unknown")
    return from_terms(quotient)
