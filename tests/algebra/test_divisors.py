"""Divisors and Euler's phi, by brute force."""

from __future__ import annotations

from math import gcd

import pytest

from cnncli.algebra.divisors import totients
from cnncli.diagnostics import WorkError
from cnncli.work import metered


def test_every_divisor_with_its_phi() -> None:
    for number in range(1, 400):
        divisors = [d for d in range(1, number + 1) if number % d == 0]
        phis = [sum(gcd(d, k) == 1 for k in range(1, d + 1)) for d in divisors]
        assert sorted(totients(number)) == [*zip(divisors, phis, strict=True)]


def test_large_primes_cost_work() -> None:
    prime = 999_999_999_989
    with metered():
        assert totients(prime) == [(1, 1), (prime, prime - 1)]
        with pytest.raises(WorkError, match="too much work"):
            [*map(totients, [prime] * 100)]
