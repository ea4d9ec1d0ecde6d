"""Windows whose places follow from the sizes of input and output: adaptive pooling, interpolation, scales.

They answer the questions that :mod:`cnncli.layers.geometry.window` describes.
"""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

from cnncli.algebra import Condition, Dim, ceil_div, summed
from cnncli.layers.geometry.reach import Cycle, Reach, reach_of


class AdaptiveWindow(NamedTuple):
    """A given number o of windows, spread evenly: window i is floor(i n / o) .. ceil((i + 1) n / o) - 1."""

    size: int

    def placements(self, n: Dim) -> Dim:
        """Return the output size o, which does not depend on n."""
        return self.size

    def fits(self, n: Dim) -> bool | Condition:
        """Return True: windows overlap if the input is smaller."""
        return True

    def reads(self, position: int, n: int) -> range:
        """Return what window ``position`` covers."""
        return range(position * n // self.size, ceil_div((position + 1) * n, self.size))

    def reach(self, position: int, n: int) -> Reach:
        """Return the first and last input of window ``position``; all are inside."""
        return reach_of(self.reads(position, n), n)

    def cycle(self, n: int) -> Cycle:
        """Return the cycle: windows repeat as often as the greatest common divisor of the sizes."""
        common = gcd(n, self.size)
        return Cycle(self.size // common, n // common)

    def within(self, stretch: range, n: int) -> range:
        """Return the windows that cover nothing outside a stretch of the input."""
        return range(ceil_div(stretch.start * self.size, n), stretch.stop * self.size // n)

    def even(self, n: int) -> bool:
        """Return whether all windows are alike: one of the sizes divides the other."""
        return n % self.size == 0 or self.size % n == 0

    def total(self, n: Dim) -> Dim:
        """Return the sum of the lengths of all windows."""
        if isinstance(n, int):
            # Windows i and i + 1 share a position if o does not divide (i + 1) n.
            return n + self.size - gcd(n, self.size)
        from cnncli.algebra.divisors import totients  # noqa: PLC0415 - for unknown sizes only

        # gcd(n, o) is the sum of Euler's phi(d) for the d that divide both n and o, and o itself for those
        # that divide o. The rest is phi(d) for each d that does not divide n, where ceil(n/d) - floor(n/d)
        # is 1.
        return n + summed(phi * (ceil_div(n, d) - n // d) for d, phi in totients(self.size) if d > 1)


class Spread(NamedTuple):
    """The single position of the input, repeated at each of ``size`` outputs: a scale to multiply with."""

    size: int

    def placements(self, n: Dim) -> Dim:
        """Return the output size."""
        return self.size

    def fits(self, n: Dim) -> bool | Condition:
        """Return True: there is nothing to fit."""
        return True

    def reads(self, position: int, n: int) -> range:
        """Return the single position."""
        return range(1)

    def reach(self, position: int, n: int) -> Reach:
        """Return the single position."""
        return 0, 0

    def cycle(self, n: int) -> Cycle:
        """Return the cycle: all outputs read the same."""
        return Cycle(1, 0)

    def within(self, stretch: range, n: int) -> range:
        """Return all outputs, or none."""
        return range(self.size if 0 in stretch else 0)

    def even(self, n: int) -> bool:
        """Return whether all windows are alike."""
        return True


class Resampled(NamedTuple):
    """Interpolation between centers: output i lies at (i + 1/2) q/p - 1/2, where p outputs replace q inputs.

    It reads the nearest input, of two equally near ones the second; with ``linear`` the two around it. If
    ``down`` is 0, ``up`` is the size of the output, and the ratio follows from the size of the input.

    >>> half, twice = Resampled(1, 2, linear=False), Resampled(3, 2, linear=True)
    >>> half.placements(7), [half.reach(i, 7) for i in range(3)]
    (3, [(1, 1), (3, 3), (5, 5)])
    >>> twice.placements(3), [twice.reach(i, 3) for i in range(4)]
    (4, [(0, 0), (0, 1), (1, 2), (1, 2)])
    """

    up: int
    down: int
    linear: bool

    def ratio(self, n: int) -> tuple[int, int]:
        """Return p and q in lowest terms."""
        p, q = self.up, self.down or n
        return p // gcd(p, q), q // gcd(p, q)

    def placements(self, n: Dim) -> Dim:
        """Return the output size: floor(n p / q), or the one that is given."""
        return n * self.up // self.down if self.down else self.up

    def fits(self, n: Dim) -> bool | Condition:
        """Return whether any output is left."""
        return self.placements(n) >= 1

    def reads(self, position: int, n: int) -> range:
        """Return the nearest input, or the two around the output's place unless it is that of an input."""
        p, q = self.ratio(n)
        if not self.linear:
            nearest = (2 * position + 1) * q // (2 * p)
            return range(nearest, nearest + 1)
        first, rest = divmod((2 * position + 1) * q - p, 2 * p)
        return range(first, first + 1 + (rest > 0))

    def reach(self, position: int, n: int) -> Reach:
        """Return the first and last of the n inputs that an output reads."""
        return reach_of(self.reads(position, n), n)

    def cycle(self, n: int) -> Cycle:
        """Return the cycle: p outputs further on, everything is read q inputs further on."""
        return Cycle(*self.ratio(n))

    def within(self, stretch: range, n: int) -> range:
        """Return the outputs that read nothing outside a stretch of the input."""
        p, q = self.ratio(n)
        if not self.linear:
            return range(*(ceil_div(2 * p * end - q, 2 * q) for end in (stretch.start, stretch.stop)))
        first = ceil_div(2 * p * stretch.start + p - q, 2 * q)
        return range(first, (2 * p * (stretch.stop - 1) + p - q) // (2 * q) + 1)

    def even(self, n: int) -> bool:
        """Return whether phases depend on the ratio only, or the ratio to a given size is whole."""
        return bool(self.down) or 1 in self.ratio(n)
