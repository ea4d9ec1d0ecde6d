"""Floor division of a polynomial by an integer, in one canonical form.

Below, p and q are integer-valued, b and d are positive divisors, c and g are constants. Each rule is an
identity over all integers; none assumes that a value is positive.

Every way to write floor((a*x + c) / d), nested or not, gives the same object. The rules do not cover
relations between several floor divisions: Hermite's identity, whose smallest case is x//2 + (x + 1)//2 = x
(so that (-x)//2 = -((x + 1)//2) is not x//2 - x), and what a remainder implies, such as (x % 2)//4 = 0. Two
equal objects are equal for all sizes; two different objects may be equal for all sizes too.

A convolution of kernel 5 and stride 2 turns H positions into floor((H - 5)/2) + 1. Multiples of the divisor
are taken out, (H - 5)/2 + 1 = (H + 1 - 6)/2 + 1 = (H + 1)/2 - 2:

>>> from cnncli.algebra import symbol
>>> H = symbol("H")
>>> def conv(n):
...     return (n - 5) // 2 + 1
>>> conv(H)
(H + 1)//2 - 2

A second one computes floor((floor((H + 1)/2) - 2 - 5)/2) + 1. Nested floors merge into one over the product
of the divisors, floor((H + 1 + 2*(-7))/4) + 1, so any number of such layers is a single floor division:

>>> conv(conv(H))
(H + 3)//4 - 3
>>> conv(conv(conv(H)))
(H + 3)//8 - 3
>>> conv(conv(conv(62))), conv(conv(conv(H)))(H=62)
(5, 5)
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from cnncli.algebra.terms import Floor, add, constant, ordered, scale

if TYPE_CHECKING:
    from cnncli.algebra.terms import Monomial, Terms


def floor_divide(numerator: Terms, divisor: int) -> Terms:
    """Return floor(numerator / divisor).

    Raises:
        ZeroDivisionError: the divisor is 0.
    """
    if divisor == 0:
        raise ZeroDivisionError("floor division of an expression by zero")
    if divisor < 0:
        # floor(p / -d) = floor(-p / d)
        numerator, divisor = scale(numerator, -1), -divisor
    whole, rest = _split(numerator, divisor)
    if not any(rest):
        # floor(c / d) = 0 for 0 <= c < d
        return whole
    return add(whole, _proper(*_cancel(rest, divisor)))


def _split(numerator: Terms, divisor: int) -> tuple[Terms, Terms]:
    """Take multiples of the divisor out: floor((q*d + p) / d) = q + floor(p / d).

    The rest has its constant in 0 .. d-1 and its other coefficients as close to zero as possible, so that
    (H - k)//4 stays as it is; d/2 and -d/2 are equally close and keep their sign.
    """
    whole: dict[Monomial, int] = {}
    rest: dict[Monomial, int] = {}
    for monomial, coefficient in numerator.items():
        quotient = _nearest(coefficient, divisor) if monomial else coefficient // divisor
        if quotient:
            whole[monomial] = quotient
        if coefficient != quotient * divisor:
            rest[monomial] = coefficient - quotient * divisor
    return whole, rest


def _nearest(value: int, divisor: int) -> int:
    """Round value / divisor to the nearest integer, a half toward zero."""
    rounded = (abs(value) + (divisor - 1) // 2) // divisor
    return rounded if value > 0 else -rounded


def _cancel(rest: Terms, divisor: int) -> tuple[Terms, int]:
    """Cancel common factors: floor((g*p + c) / (g*d)) = floor((p + floor(c / g)) / d)."""
    common = gcd(divisor, *(coefficient for monomial, coefficient in rest.items() if monomial))
    reduced = {monomial: coefficient // common for monomial, coefficient in rest.items()}
    kept = {monomial: coefficient for monomial, coefficient in reduced.items() if coefficient}
    return kept, divisor // common


def _proper(rest: Terms, divisor: int) -> Terms:
    """Return floor(rest / divisor), where nothing can be taken out or canceled."""
    inner = _nested(rest)
    if rest[(inner,) if inner else ordered(rest)[0][0]] < 0:
        # floor(p / d) = -floor((d - 1 - p) / d): the canonical form is the one that starts with a plus.
        mirrored = add(constant(divisor - 1), scale(rest, -1))
        return scale(floor_divide(mirrored, divisor), -1)
    if inner:
        # floor((floor(q / b) + p) / d) = floor((q + b*p) / (b*d))
        others = {monomial: coefficient for monomial, coefficient in rest.items() if monomial != (inner,)}
        return floor_divide(add(inner.numerator, scale(others, inner.divisor)), inner.divisor * divisor)
    return {(Floor(rest, divisor),): 1}


def _nested(rest: Terms) -> Floor | None:
    """Return the first floor division that is a whole term of the numerator, with coefficient 1 or -1."""
    for monomial, coefficient in ordered(rest):
        if len(monomial) == 1 and abs(coefficient) == 1 and isinstance(monomial[0], Floor):
            return monomial[0]
    return None
