"""A kernel along one spatial axis: placements, pads, and what one output position reads.

n is the input size along the axis, k' = dilation * (kernel - 1) + 1 the effective kernel.
Output sizes are computed for numbers and formulas; pads and what is read for numbers only.

Every window answers three questions, as if the axis had no ends: ``reads``, which input positions an
output position reads; ``cycle``, after how many outputs that repeats, and how far it has moved by then;
``within``, which outputs read nothing outside a stretch of the input.

The first convolution of ResNet has kernel 7, stride 2 and 3 pads on both sides. On 224 positions,
floor((224 + 6 - 7)/2) + 1 = 112. Its first output reads the inputs -3 to 3, of which 0 to 3 exist:

>>> conv = Window(kernel=7, stride=2, before=3, after=3)
>>> conv.placements(224)
112
>>> conv.reads(0, n=224), conv.reach(0, n=224)
(range(-3, 4), (0, 3))
>>> conv.within(range(224), n=224)
range(2, 111)

With ``same`` there are ceil(224/2) = 112 outputs too. They cover 111*2 + 7 = 229 positions, so there are 5
pads, the odd one after. Every output therefore reads one position further on than above:

>>> same_conv = Window(kernel=7, stride=2, same=True)
>>> same_conv.placements(224), same_conv.pads(224)
(112, (2, 3))

The rules work on formulas too. A transposed convolution of kernel and stride 2 doubles what pooling halved,
up to the remainder:

>>> from cnncli.algebra import symbol
>>> pool, up = Window(kernel=2, stride=2), TransposedWindow(kernel=2, stride=2)
>>> pool.placements(symbol("H")), up.placements(pool.placements(symbol("H")))
(H//2, 2*(H//2))
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import NamedTuple

from cnncli.algebra import Condition, Dim, ceil_div, largest, same, whole
from cnncli.layers.geometry.reach import Cycle, Reach, reach_of


class Window(NamedTuple):
    """A kernel that slides over the input: convolution and pooling; with kernel 1 also pad and crop.

    ``before`` and ``after`` are explicit pads (negative ones crop); with ``same`` they follow from the input
    size instead.
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
        """Return the numbers of positions added before and after the input.

        For ``same`` the total is max((ceil(n/s) - 1)s + k' - n, 0), the odd one after.
        """
        if not self.same:
            return self.before, self.after
        total = max((-(-n // self.stride) - 1) * self.stride + self.extent - n, 0)
        return total // 2, total - total // 2

    def most_padded(self, n: Dim) -> Dim:
        """Return how many positions are added on the side with more; at most 0 if ``same`` adds none.

        Unlike :meth:`pads` this also works for unknown sizes.
        """
        if not self.same:
            return max(self.before, self.after)
        return ceil_div((ceil_div(n, self.stride) - 1) * self.stride + self.extent - n, 2)

    def fixed_pads(self) -> tuple[int, int] | None:
        """Return the pads if they do not depend on the input size, otherwise None."""
        if not self.same:
            return self.before, self.after
        if self.stride == 1:
            return (self.extent - 1) // 2, self.extent - 1 - (self.extent - 1) // 2
        return None

    def padded(self, n: Dim) -> Dim:
        """Return the size of the input with its pads."""
        if not self.same:
            return n + self.before + self.after
        reached = (self.placements(n) - 1) * self.stride + self.extent
        # The last placement of a kernel that is not shorter than its stride covers the end.
        return reached if self.extent >= self.stride else largest((reached, n))

    def is_padded(self, n: Dim) -> bool:
        """Return whether any position is added or cut off."""
        if not self.same:
            return (self.before, self.after) != (0, 0)
        return self.extent > self.stride or not same(self.padded(n), n)

    def framed(self, n: Dim) -> Dim:
        """Return the size of the input from its first pad to the end of the last placement."""
        return (self.placements(n) - 1) * self.stride + self.extent

    def frame(self, n: int) -> tuple[int, int]:
        """Return the positions to add before and after for :meth:`framed`; negative ones are cut off."""
        before = self.pads(n)[0]
        framed = whole(self.framed(n))
        return before, framed - n - before

    def is_framed(self, n: Dim) -> bool:
        """Return whether any position is added or cut off for :meth:`framed`."""
        return (self.before > 0 and not self.same) or not same(self.framed(n), n)

    def fits(self, n: Dim) -> bool | Condition:
        """Return whether there is at least one placement."""
        return True if self.same else n + self.before + self.after >= self.extent

    def placements(self, n: Dim) -> Dim:
        """Return the output size.

        valid and padded: floor((n + before + after - k') / s) + 1; same: ceil(n / s). ``ceil_mode``
        rounds up, but the last window must start inside the input or its left pad, so the size is
        min(ceil((n + before + after - k') / s) + 1, ceil((n + before) / s)). Both are of the form
        ceil((n + before + c) / s), so the smaller c gives the smaller size.
        """
        if self.same:
            return ceil_div(n, self.stride)
        if self.ceil_mode:
            c = min(self.after - self.extent + self.stride, 0)
            return ceil_div(n + self.before + c, self.stride)
        return (n + self.before + self.after - self.extent) // self.stride + 1

    def reads(self, position: int, n: int) -> range:
        """Return the positions of the kernel's elements, including those on pads."""
        first = position * self.stride - self.pads(n)[0]
        return range(first, first + self.extent, self.dilation)

    def reach(self, position: int, n: int) -> Reach:
        """Return the first and last of the n inputs that an output reads."""
        return reach_of(self.reads(position, n), n)

    def cycle(self, n: int) -> Cycle:
        """Return the cycle: every output reads what the one before reads, a stride further on."""
        return Cycle(1, self.stride)

    def within(self, stretch: range, n: int) -> range:
        """Return the outputs whose kernel lies entirely on a stretch of the input."""
        before = self.pads(n)[0]
        first = ceil_div(stretch.start + before, self.stride)
        return range(first, (stretch.stop + before - self.extent) // self.stride + 1)

    def even(self, n: int) -> bool:
        """Return whether all windows are alike."""
        return True


class TransposedWindow(NamedTuple):
    """A kernel placed at every input position, with copies ``stride`` apart in the output."""

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
        """Return the output size (n - 1)s - pads + k' + output_padding."""
        return (n - 1) * self.stride - self.before - self.after + self.extent + self.output_padding

    @property
    def uneven(self) -> int:
        """The positions to add at the end after ``before`` has been removed at both ends."""
        return self.before - self.after + self.output_padding

    def fits(self, n: Dim) -> bool | Condition:
        """Return whether any output is left after removing the pads."""
        return self.placements(n) >= 1

    def reads(self, position: int, n: int) -> range:
        """Return the inputs i for which position + before - i s is one of 0, d, ..., k' - d, k' - 1.

        They are lcm(s, d) / s apart and depend only on (position + before) mod s; some of these phases may
        read nothing (Dumoulin and Visin, 2016, chapter 4, draw the zeros in between).
        """
        start = position + self.before
        common = gcd(self.stride, self.dilation)
        if start % common:
            return range(0)
        step = self.dilation // common
        residue = start // common * pow(self.stride // common, -1, step)
        first = ceil_div(start - self.extent + 1, self.stride)
        return range(first + (residue - first) % step, start // self.stride + 1, step)

    def reach(self, position: int, n: int) -> Reach:
        """Return the first and last of the n inputs that an output reads."""
        return reach_of(self.reads(position, n), n)

    def cycle(self, n: int) -> Cycle:
        """Return the cycle: ``stride`` outputs further on, everything is read one input further on."""
        return Cycle(self.stride, 1)

    def within(self, stretch: range, n: int) -> range:
        """Return the outputs that no copy of the kernel from outside a stretch of the input touches."""
        first = (stretch.start - 1) * self.stride + self.extent - self.before
        return range(first, stretch.stop * self.stride - self.before)

    def even(self, n: int) -> bool:
        """Return True: phases differ, but not in a way that depends on the input size."""
        return True


POINT = Window(kernel=1)
"""Every output position reads the input position with the same number."""


def native_pads(windows: Sequence[Window]) -> tuple[int, ...] | None:
    """Return the pads along each axis if torch's own layers support them, otherwise None.

    Those pad by a fixed amount, the same before and after.
    """
    fixed = [window.fixed_pads() for window in windows]
    symmetric = [pads[0] for pads in fixed if pads is not None and pads[0] == pads[1]]
    return tuple(symmetric) if len(symmetric) == len(fixed) else None
