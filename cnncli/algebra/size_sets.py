"""Eventually periodic sets of sizes: which inputs a network accepts.

A :class:`SizeSet` contains integers of at least 1. Every condition that shape rules impose on one unknown
size has a set of this form, because floor divisions are periodic: see :mod:`.deciding`.

U-Net (Ronneberger, Fischer and Brox, 2015) asks for input sizes at which each of its four 2x2 poolings reads
an even number of positions. Before each are two 3x3 convolutions without padding, which remove 4 positions:

>>> from cnncli.algebra import same, symbol
>>> from cnncli.algebra.deciding import solve
>>> n, sizes = symbol("n"), ALL
>>> for level in range(4):
...     n = n - 4
...     sizes = sizes & solve(same(n % 2, 0))
...     n = n // 2
>>> sizes
SizeSet(period=16, tails=((12, 12),), isolated=())

So n = 16 k + 12. The two convolutions at the bottom need more than 4 of the remaining positions:

>>> n
(n + 4)//16 - 4
>>> sizes = sizes & solve(n >= 5)
>>> sizes
SizeSet(period=16, tails=((12, 140),), isolated=())

The paper uses 572. The sizes nearest to 500 are:

>>> 572 in sizes, sizes.at_most(500), sizes.at_least(500)
(True, 492, 508)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from math import lcm
from typing import Final, NamedTuple

from cnncli.limits import MAX_ISOLATED, MAX_PERIOD, RESIDUES
from cnncli.work import spend


class TooFineError(ValueError):
    """A set has too many classes or single values to be written down."""


class SizeSet(NamedTuple):
    """The n >= first with n = residue (mod period) for each of ``tails``, and the sizes in ``isolated``.

    ``tails`` pairs residues with the first size of their class, in ascending order; ``isolated`` are the
    single sizes before those, in ascending order. In canonical form, as returned by :func:`make`, equal sets
    are equal values: the period is the smallest possible, and no tail could begin earlier.
    """

    period: int
    tails: tuple[tuple[int, int], ...]
    isolated: tuple[int, ...]

    def __contains__(self, size: object) -> bool:
        return isinstance(size, int) and self.lookup()(size)

    def lookup(self) -> Callable[[int], bool]:
        """Return a function that answers for many sizes."""
        spend(RESIDUES, len(self.tails) + len(self.isolated))
        tails, single, period = dict(self.tails), frozenset(self.isolated), self.period
        return lambda size: size >= tails.get(size % period, size + 1) or size in single

    def __bool__(self) -> bool:
        return bool(self.tails or self.isolated)

    def __and__(self, other: SizeSet) -> SizeSet:
        """Return the sizes in both sets.

        Raises:
            TooFineError: the common period is too large.
        """
        if other in (self, ALL):
            return self
        if self == ALL:
            return other
        period = bounded(lcm(self.period, other.period))
        few, many = sorted((self, other), key=lambda each: len(each.tails) * (period // each.period))
        spend(RESIDUES, len(few.tails) * (period // few.period) + len(many.tails))
        starts = dict(many.tails)
        tails: dict[int, int] = {}
        for own, first in few.tails:
            for residue in range(own, period, few.period):
                start = starts.get(residue % many.period)
                if start is not None:
                    tails[residue] = first_at(residue, period, max(first, start))
        single = {*filter(other.lookup(), self.isolated), *filter(self.lookup(), other.isolated)}
        return make(period, tails, single)

    def __sub__(self, other: SizeSet) -> SizeSet:
        """Return the sizes that are not in the other set.

        Raises:
            TooFineError: the common period is too large, or there are too many single sizes.
        """
        period = bounded(lcm(self.period, other.period))
        spend(RESIDUES, period + len(self.isolated))
        own, others, inside = dict(self.tails), dict(other.tails), other.lookup()
        last = _last_in_class(other.isolated, period)
        tails: dict[int, int] = {}
        single = {n for n in self.isolated if not inside(n)}
        for residue in range(period):
            first = own.get(residue % self.period)
            if first is None:
                continue
            first = first_at(residue, period, first)
            end = others.get(residue % other.period)
            if end is None:
                # The tail begins after the last single size of the other set in this class.
                end = last.get(residue, first - 1) + 1
                tails[residue] = first_at(residue, period, max(first, end))
            before = range(first, end, period)
            if len(single) + len(before) > MAX_ISOLATED:
                raise TooFineError(f"more than {MAX_ISOLATED:,} single sizes")
            single.update(n for n in before if not inside(n))
        return make(period, tails, single)

    def moved(self, by: int) -> SizeSet:
        """Return the set of n + by for the sizes n; every n + by must be at least 1."""
        tails = {(residue + by) % self.period: first + by for residue, first in self.tails}
        return make(self.period, tails, (n + by for n in self.isolated))

    def endless(self) -> SizeSet:
        """Return the unbounded part of the set."""
        return self._replace(isolated=())

    def last(self) -> int:
        """Return a size above which only the unbounded part has sizes; 0 if the set is empty."""
        return max((*(first for _, first in self.tails), *self.isolated), default=0)

    def upwards(self, start: int = 1) -> Iterator[int]:
        """Yield the sizes from ``start`` on, in ascending order."""
        size = self.at_least(start)
        while size is not None:
            yield size
            size = self.at_least(size + 1)

    def at_most(self, size: int) -> int | None:
        """Return the largest size that is at most ``size``, or None."""
        spend(RESIDUES, len(self.tails) + len(self.isolated))
        found = [n for n in self.isolated if n <= size]
        found += [size - (size - residue) % self.period for residue, first in self.tails if first <= size]
        return max(found, default=None)

    def at_least(self, size: int) -> int | None:
        """Return the smallest size that is at least ``size``, or None."""
        spend(RESIDUES, len(self.tails) + len(self.isolated))
        found = [n for n in self.isolated if n >= size]
        found += [first_at(residue, self.period, max(size, first)) for residue, first in self.tails]
        return min(found, default=None)


def first_at(residue: int, period: int, least: int) -> int:
    """Return the smallest n >= least with n = residue (mod period)."""
    return least + (residue - least) % period


def make(period: int, tails: Mapping[int, int], isolated: Iterable[int]) -> SizeSet:
    """Return a set in canonical form, given the first size of each residue's tail and the single sizes.

    Raises:
        TooFineError: there are too many classes or single sizes.
    """
    single = set(isolated)
    spend(RESIDUES, len(tails) + len(single))
    grown = {residue: _grown(first, period, single) for residue, first in tails.items()}
    smaller = _smallest_period(bounded(period), grown.keys())
    starts: dict[int, int] = {}
    for residue, first in grown.items():
        # first - period is not in the set, so no tail of this class may begin at or before it.
        begin = first_at(residue % smaller, smaller, max(first - period + 1, 1))
        starts[residue % smaller] = max(starts.get(residue % smaller, 1), begin)
    below = [range(first, starts[residue % smaller], period) for residue, first in grown.items()]
    if sum(map(len, below)) + len(single) > MAX_ISOLATED:
        raise TooFineError(f"more than {MAX_ISOLATED:,} single sizes")
    single.update(*below)
    left = {n for n in single if n < starts.get(n % smaller, n + 1)}
    return SizeSet(smaller, tuple(sorted(starts.items())), tuple(sorted(left)))


def bounded(period: int) -> int:
    """Return the period if it is within the limit.

    Raises:
        TooFineError: it is larger.
    """
    if period > MAX_PERIOD:
        # The period itself may have thousands of digits.
        raise TooFineError(f"a period of more than {MAX_PERIOD:,}")
    return period


def _last_in_class(sizes: Iterable[int], period: int) -> Mapping[int, int]:
    """Return the last of some ascending sizes in each residue class."""
    return {n % period: n for n in sizes}


def _grown(first: int, period: int, single: set[int]) -> int:
    """Extend a tail by the single sizes right before it; return its first size."""
    while first - period in single:
        first -= period
    return first


def _smallest_period(period: int, residues: Collection[int]) -> int:
    """Return the smallest period with the same residue classes."""
    if not residues:
        return 1
    for prime in _primes(period):
        while period % prime == 0:
            smaller = period // prime
            if len({residue % smaller for residue in residues}) * prime != len(residues):
                break
            period, residues = smaller, {residue % smaller for residue in residues}
    return period


def _primes(number: int) -> Iterator[int]:
    """Yield the prime factors of a number, each once."""
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
"""Every size of at least 1."""
