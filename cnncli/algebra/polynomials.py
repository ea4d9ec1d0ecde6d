"""Find where polynomials in one unknown m with integer coefficients are nonnegative.

For p(m) = m**2 - 6*m + 5 = (m - 1)*(m - 5), the difference p(m + 1) - p(m) = 2*m - 5 is nonnegative from 3
on. So p falls up to 3 and rises from there, and a bisection on each side finds where it changes its sign:

>>> nonnegative([-5, 2], start=0)
[(3, None)]
>>> nonnegative([5, -6, 1], start=0)
[(0, 1), (5, None)]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from math import comb
from typing import TypeAlias

Polynomial: TypeAlias = list[int]
"""Coefficients in ascending powers of m."""

Interval: TypeAlias = "tuple[int, int | None]"
"""First and last m; a last m of None means that the interval is unbounded."""


def plus(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return left + right."""
    return [a + b for a, b in zip_longest(left, right, fillvalue=0)]


def times(left: Polynomial, right: Polynomial) -> Polynomial:
    """Return left * right."""
    if not left or not right:
        return []
    result = [0] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            result[i + j] += a * b
    return result


def coefficients_times(polynomial: Polynomial, factor: int) -> Polynomial:
    """Return factor * polynomial."""
    return [factor * each for each in polynomial]


def value(polynomial: Polynomial, m: int) -> int:
    """Evaluate the polynomial at m."""
    result = 0
    for coefficient in reversed(polynomial):
        result = result * m + coefficient
    return result


def nonnegative(polynomial: Polynomial, start: int) -> list[Interval]:
    """Return the intervals of m >= start on which the polynomial is nonnegative, in ascending order.

    Between sign changes of its difference p(m + 1) - p(m), which has one degree less, a polynomial is
    monotone, so each such interval is searched by bisection.
    """
    while polynomial and polynomial[-1] == 0:
        polynomial = polynomial[:-1]
    if len(polynomial) < 2:
        return [(start, None)] if not polynomial or polynomial[0] >= 0 else []
    rising = nonnegative(_difference(polynomial), start)
    found: list[Interval] = []
    for first, last, rises in _monotone(rising, start):
        found += _part(polynomial, first, last, rises=rises)
    return _joined(found)


def both(left: Sequence[Interval], right: Sequence[Interval]) -> list[Interval]:
    """Return the intersection of two lists of intervals."""
    found: list[Interval] = []
    for first, last in left:
        for other, end in right:
            ends = [each for each in (last, end) if each is not None]
            begin, stop = max(first, other), min(ends, default=None)
            if stop is None or begin <= stop:
                found.append((begin, stop))
    return sorted(found, key=lambda interval: interval[0])


def _difference(polynomial: Polynomial) -> Polynomial:
    """Return p(m + 1) - p(m), by the binomial theorem."""
    result = [0] * (len(polynomial) - 1)
    for power, coefficient in enumerate(polynomial):
        for below in range(power):
            result[below] += coefficient * comb(power, below)
    return result


def _monotone(rising: Sequence[Interval], start: int) -> list[tuple[int, int | None, bool]]:
    """Return intervals that cover all m >= start, each with whether the polynomial rises on it or falls.

    Where the difference is nonnegative from a to b, the polynomial rises from a to b + 1.
    """
    parts: list[tuple[int, int | None, bool]] = []
    at = start
    for first, last in rising:
        if first > at:
            parts.append((at, first - 1, False))
        parts.append((first, last, True))
        if last is None:
            return parts
        at = last + 1
    return [*parts, (at, None, False)]


def _part(polynomial: Polynomial, first: int, last: int | None, *, rises: bool) -> list[Interval]:
    """Return where the polynomial is nonnegative on an interval on which it is monotone."""
    if rises:
        begin = first_where(lambda m: value(polynomial, m) >= 0, first, last)
        return [] if begin is None else [(begin, last)]
    end = first_where(lambda m: value(polynomial, m) < 0, first, last)
    if end is None:
        return [(first, last)]
    return [(first, end - 1)] if end > first else []


def first_where(holds: Callable[[int], bool], first: int, last: int | None) -> int | None:
    """Return the first m at which a condition holds, if it holds from there to the end of the interval.

    On an unbounded interval the condition holds eventually: a monotone polynomial that is not constant
    passes every bound.
    """
    step = 1
    end = last
    while end is None:
        if holds(first + step):
            end = first + step
        step *= 2
    if not holds(end):
        return None
    low = first
    while low < end:
        middle = (low + end) // 2
        low, end = (low, middle) if holds(middle) else (middle + 1, end)
    return low


def _joined(intervals: Sequence[Interval]) -> list[Interval]:
    """Merge intervals that touch."""
    joined: list[Interval] = []
    for first, last in intervals:
        before = joined[-1][1] if joined else None
        if joined and before is not None and before + 1 >= first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined
