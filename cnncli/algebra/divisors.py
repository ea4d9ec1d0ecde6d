"""The divisors of a number, and Euler's phi of each.

>>> sorted(totients(12))
[(1, 1), (2, 1), (3, 2), (4, 2), (6, 2), (12, 4)]

The greatest common divisor of 12 and n is the sum of phi(d) over the d that divide both:

>>> sum(phi for d, phi in totients(12) if 90 % d == 0)
6
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from typing import Final

from cnncli.limits import TERMS
from cnncli.work import spend

_STEPS: Final = 32
"""Numbers that are tried as a divisor in the time of one term."""


def totients(number: int) -> list[tuple[int, int]]:
    """Return each divisor d of a number, and phi(d), how many of 1 .. d are coprime to d."""
    spend(TERMS, isqrt(number) // _STEPS)
    found = [(1, 1)]
    for prime, power in _factored(number):
        powers = [(1, 1), *((prime**k, prime**k - prime ** (k - 1)) for k in range(1, power + 1))]
        found = [(d * each, phi * own) for d, phi in found for each, own in powers]
    return found


def _factored(number: int) -> Iterator[tuple[int, int]]:
    """Yield the prime factors of a number, each with its power."""
    prime = 2
    while prime * prime <= number:
        power = 0
        while number % prime == 0:
            number //= prime
            power += 1
        if power:
            yield prime, power
        prime += 1
    if number > 1:
        yield number, 1
