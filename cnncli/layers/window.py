"""All arithmetic along one spatial axis: placements, pads, and what one output position reads.

n is the input size along the axis, k' = dilation * (kernel - 1) + 1 the effective kernel.
Output sizes work on numbers and on formulas alike; pads and reach are asked of numbers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import NamedTuple, TypeAlias

from cnncli.algebra import Condition, Dim, ceil_div, same

Reach: TypeAlias = "tuple[int, int] | None"
"""First and last input position that an output position reads; None where it reads none."""


class Window(NamedTuple):
    """A kernel that slides over the input: convolution and pooling; with kernel 1 also pad and crop.

    ``before`` and ``after`` are explicit pads (negative ones crop); with ``same`` they follow from
    the input size instead.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    same: bool = False
    ceil_mode: bool = False

    @property
    def extent(self) -> int:
        """The effective kernel k'."""
        return self.dilation * (self.kernel - 1) + 1

    def pads(self, n: int) -> tuple[int, int]:
        """Positions added before and after the input.

        For ``same`` the total is max((ceil(n/s) - 1)s + k' - n, 0), the odd one after.
        """
        if not self.same:
            return self.before, self.after
        total = max((-(-n // self.stride) - 1) * self.stride + self.extent - n, 0)
        return total // 2, total - total // 2

    def fixed_pads(self) -> tuple[int, int] | None:
        """The pads where they do not depend on the input size, else None."""
        if not self.same:
            return self.before, self.after
        if self.stride == 1:
            return (self.extent - 1) // 2, self.extent - 1 - (self.extent - 1) // 2
        return None

    def padded(self, n: Dim) -> Dim:
        """The size of the input with its pads."""
        if not self.same:
            return n + self.before + self.after
        reached = (self.placements(n) - 1) * self.stride + self.extent
        # A kernel no shorter than its stride reaches the end from the last placement.
        return reached if self.extent >= self.stride else max(reached, n)

    def is_padded(self, n: Dim) -> bool:
        """Whether any position is added or cut off."""
        if not self.same:
            return (self.before, self.after) != (0, 0)
        return self.extent > self.stride or not same(self.padded(n), n)

    def framed(self, n: Dim) -> Dim:
        """The size of the input from its first pad to the end of the last placement."""
        return (self.placements(n) - 1) * self.stride + self.extent

    def frame(self, n: int) -> tuple[int, int]:
        """Positions to add before and after n for :meth:`framed`; a negative number after: left over."""
        before = self.pads(n)[0]
        framed = self.framed(n)
        assert isinstance(framed, int), framed
        return before, framed - n - before

    def is_framed(self, n: Dim) -> bool:
        """Whether any position is added or cut off for :meth:`framed`."""
        return (self.before > 0 and not self.same) or not same(self.framed(n), n)

    def fits(self, n: Dim) -> bool | Condition:
        """Whether there is at least one placement."""
        return True if self.same else n + self.before + self.after >= self.extent

    def placements(self, n: Dim) -> Dim:
        """The output size.

        valid and padded: floor((n + before + after - k') / s) + 1; same: ceil(n / s). ``ceil_mode``
        rounds up, but the last window must start inside the input or its left pad, so the size is
        min(ceil((n + before + after - k') / s) + 1, ceil((n + before) / s)), which are both
        ceil((n + before + c) / s), so that the smaller c gives the smaller size.
        """
        if self.same:
            return ceil_div(n, self.stride)
        if self.ceil_mode:
            c = min(self.after - self.extent + self.stride, 0)
            return ceil_div(n + self.before + c, self.stride)
        return (n + self.before + self.after - self.extent) // self.stride + 1

    def reach(self, position: int, n: int) -> Reach:
        """What the output at ``position`` reads of n inputs, pads excluded (they may be a dilation apart)."""
        first = position * self.stride - self.pads(n)[0]
        last = first + self.extent - 1
        first += self._steps(-first) * self.dilation
        last -= self._steps(last - (n - 1)) * self.dilation
        return (first, last) if first <= last else None

    def _steps(self, outside: int) -> int:
        """How many elements of the kernel lie on a stretch outside of the input."""
        return -(-max(outside, 0) // self.dilation)


class TransposedWindow(NamedTuple):
    """A kernel placed at every input position, its copies ``stride`` apart in the output."""

    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0
    after: int = 0
    output_padding: int = 0

    @property
    def extent(self) -> int:
        """The effective kernel k'."""
        return self.dilation * (self.kernel - 1) + 1

    def placements(self, n: Dim) -> Dim:
        """The output size (n - 1)s - pads + k' + output_padding."""
        return (n - 1) * self.stride - self.before - self.after + self.extent + self.output_padding

    @property
    def uneven(self) -> int:
        """Positions at the end, once ``before`` is taken off both ends."""
        return self.before - self.after + self.output_padding

    def fits(self, n: Dim) -> bool | Condition:
        """Whether any output is left after the pads are taken off."""
        return self.placements(n) >= 1

    def reach(self, position: int, n: int) -> Reach:
        """The inputs i for which position + before - i s is one of 0, d, ..., k' - 1."""
        start = position + self.before
        first = max(-(-(start - self.extent + 1) // self.stride), 0)
        last = min(start // self.stride, n - 1)
        reads = [i for i in range(first, last + 1) if (start - i * self.stride) % self.dilation == 0]
        return (reads[0], reads[-1]) if reads else None


class AdaptiveWindow(NamedTuple):
    """As many windows as are wanted, spread evenly: window i is floor(i n / o) .. ceil((i+1) n / o) - 1."""

    size: int

    def placements(self, n: Dim) -> Dim:
        """The output size o, whatever n is."""
        return self.size

    def fits(self, n: Dim) -> bool | Condition:
        """Always: windows overlap where the input is smaller."""
        return True

    def reach(self, position: int, n: int) -> Reach:
        """What window ``position`` covers."""
        return position * n // self.size, -(-(position + 1) * n // self.size) - 1

    def total(self, n: Dim) -> Dim:
        """The lengths of all windows together."""
        if isinstance(n, int):
            # Neighbours i and i + 1 share a position wherever o does not divide (i + 1) n.
            return n + self.size - gcd(n, self.size)
        lengths: Dim = 0
        for i in range(self.size):
            lengths = lengths + ceil_div((i + 1) * n, self.size) - i * n // self.size
        return lengths


AnyWindow: TypeAlias = Window | TransposedWindow | AdaptiveWindow

POINT = Window(kernel=1)
"""Every output position reads the input position of the same number."""


def placements(windows: Sequence[AnyWindow], sizes: Sequence[Dim]) -> tuple[Dim, ...]:
    """The output size along every axis."""
    return tuple(window.placements(n) for window, n in zip(windows, sizes, strict=True))


def native_pads(windows: Sequence[Window]) -> tuple[int, ...] | None:
    """The pads as torch's own layers take them: of fixed size, as many before as after; else None."""
    fixed = [window.fixed_pads() for window in windows]
    symmetric = [pads[0] for pads in fixed if pads is not None and pads[0] == pads[1]]
    return tuple(symmetric) if len(symmetric) == len(fixed) else None
