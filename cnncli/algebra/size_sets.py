"""Sets of sizes that go on for ever with a period: which inputs a network accepts.

A :class:`SizeSet` holds integers from 1 on. Every condition on one unknown size that shape rules impose has
a set of this form, because floor divisions repeat: see :mod:`.deciding`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import lcm
from typing import Final, NamedTuple

MAX_PERIOD: Final = 1_000_000
MAX_ISOLATED: Final = 100_000


class TooFineError(ValueError):
    """A set has too many classes, or too many single values, to be written down."""


class SizeSet(NamedTuple):
    """The n >= 1 for which n >= first and n = residue (mod period) for one of ``tails``, and ``isolated``.

    ``tails`` maps residues to the first size of their class, in rising order; ``isolated`` are the sizes
    below those, in rising order. In canonical form, which :func:`make` gives, equal sets are equal values:
    no tail could begin earlier, and no smaller period says the same.
    """

    period: int
    tails: tuple[tuple[int, int], ...]
    isolated: tuple[int, ...]

    def __contains__(self, size: object) -> bool:
        if not isinstance(size, int):
            return False
        first = dict(self.tails).get(size % self.period)
        return (first is not None and size >= first) or size in self.isolated

    def __bool__(self) -> bool:
        return bool(self.tails or self.isolated)

    def __and__(self, other: SizeSet) -> SizeSet:
        """The sizes in both.

        Raises:
            TooFineError: the common period is too large.
        """
        if self == other or other == ALL:
            return self
        if self == ALL:
            return other
        period = bounded(lcm(self.period, other.period))
        own, others = dict(self.tails), dict(other.tails)
        tails = {
            residue: first_at(
                residue, period, max(own[residue % self.period], others[residue % other.period])
            )
            for residue in range(period)
            if residue % self.period in own and residue % other.period in others
        }
        single = {n for n in self.isolated if n in other} | {n for n in other.isolated if n in self}
        return make(period, tails, single)

    def upwards(self, start: int = 1) -> Iterator[int]:
        """The sizes from ``start`` on, in rising order."""
        size = self.at_least(start)
        while size is not None:
            yield size
            size = self.at_least(size + 1)

    def at_most(self, size: int) -> int | None:
        """The largest size that is not above ``size``, or None."""
        found = [n for n in self.isolated if n <= size]
        found += [size - (size - residue) % self.period for residue, first in self.tails if first <= size]
        return max(found, default=None)

    def at_least(self, size: int) -> int | None:
        """The smallest size that is not below ``size``, or None."""
        found = [n for n in self.isolated if n >= size]
        found += [first_at(residue, self.period, max(size, first)) for residue, first in self.tails]
        return min(found, default=None)


def first_at(residue: int, period: int, least: int) -> int:
    """The smallest n >= least with n = residue (mod period)."""
    return least + (residue - least) % period


def make(period: int, tails: Mapping[int, int], isolated: Iterable[int]) -> SizeSet:
    """The canonical form of a set: for each residue the first size of its tail, and single sizes below.

    Raises:
        TooFineError: there are too many classes or single sizes.
    """
    single = set(isolated)
    if len(single) > MAX_ISOLATED:
        raise TooFineError(f"more than {MAX_ISOLATED:,} single sizes")
    grown = {residue: _grown(first, period, single) for residue, first in tails.items()}
    single = {n for n in single if n % period not in grown or n < grown[n % period]}
    period, grown = _coarsest(bounded(period), grown)
    return SizeSet(period, tuple(sorted(grown.items())), tuple(sorted(single)))


def bounded(period: int) -> int:
    """The period, if it is no larger than a set may have.

    Raises:
        TooFineError: it is.
    """
    if period > MAX_PERIOD:
        raise TooFineError(f"a period of {period:,}")
    return period


def _grown(first: int, period: int, single: set[int]) -> int:
    """Where a tail begins when the single sizes right before it are counted in."""
    while first - period in single:
        first -= period
    return first


def _coarsest(period: int, tails: dict[int, int]) -> tuple[int, dict[int, int]]:
    """The same tails by the smallest period that says the same."""
    for prime in _primes(period):
        while period % prime == 0 and (merged := _merged(period, period // prime, tails)) is not None:
            period, tails = period // prime, merged
    return (period, tails) if tails else (1, {})


def _merged(period: int, smaller: int, tails: Mapping[int, int]) -> dict[int, int] | None:
    """The tails by a smaller period, or None where that is not exactly the same."""
    merged: dict[int, int] = {}
    for residue in tails:
        group = [tails.get(each) for each in range(residue % smaller, period, smaller)]
        first = min(each for each in group if each is not None)
        whole = all(each == first_at(each % period, period, first) for each in group if each is not None)
        if None in group or not whole:
            return None
        merged[residue % smaller] = first
    return merged


def _primes(number: int) -> Iterator[int]:
    """The prime factors of a number, each once."""
    prime = 2
    while prime * prime <= number:
        if number % prime == 0:
            yield prime
            while number % prime == 0:
                number //= prime
        prime += 1
    if number > 1:
        yield number


ALL: Final = SizeSet(1, ((0, 1),), ())
"""Every size from 1 on."""
