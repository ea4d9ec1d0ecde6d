"""Pooling: one number stands for a neighbourhood, in every channel by itself; LeNet-5's has weights."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import ClassVar

from cnncli.algebra import Dim, product
from cnncli.layers.kind import (
    Example,
    Layer,
    Require,
    Shape,
    Tensors,
    UnderShift,
    Weightless,
    along,
    axes_match,
    is_map,
    padding_axes,
)
from cnncli.layers.padding import VALID, Padding, PaddingReader
from cnncli.layers.registry import layer
from cnncli.layers.sliding import make_windows, windows_fit
from cnncli.layers.window import AdaptiveWindow, Window, placements
from cnncli.spec.fields import Flag, PerAxis, arg


class Pool(Weightless):
    """Sliding pooling; what is common to max, min, average and median."""

    kernel: int | tuple[int, ...] = arg(PerAxis(), "size of the neighbourhood along each axis", main=True)
    stride: int | tuple[int, ...] | None = arg(
        PerAxis(), "step between neighbourhoods; the kernel's size unless given", default=None
    )
    padding: Padding = arg(PaddingReader(), "how the borders are padded", default=VALID)
    ceil_mode: bool = arg(Flag(), "let the last window reach over the end", default=False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("2", ((6, 28, 28),)),
        Example("{kernel: 3, stride: 2}", ((4, 13, 12),)),
        Example("{kernel: 3, stride: 2, padding: half}", ((4, 12, 13),)),
        Example("{kernel: 3, stride: 1, padding: same}", ((4, 7, 8),)),
        Example("{kernel: 2, stride: 2, padding: same}", ((3, 7, 8),)),
        Example("{kernel: 3, stride: 2, ceil_mode: true}", ((4, 14, 13),)),
        Example("{kernel: 3, stride: 2, padding: 1, ceil_mode: true}", ((4, 14, 13),)),
        Example("[2, 3]", ((2, 8, 9),)),
        Example("3", ((2, 10),)),
        Example("2", ((2, 4, 6, 4),)),
    )

    def check(self, x: Shape) -> Iterator[Require]:
        yield is_map(x, self.keyword)
        yield from axes_match(x, self.keyword, kernel=self.kernel, stride=self.stride)
        yield from padding_axes(x, self.keyword, self.padding.axes())
        for window in self.windows(x):
            most = max(window.before, window.after)
            expected = f"at most half of the kernel, {window.kernel // 2}"
            message = f"'{self.keyword}' is padded so far that a window could lie outside"
            yield Require(most <= window.kernel // 2, message, expected, str(most), argument="padding")
        yield from windows_fit(x, self.windows(x), self.keyword)

    def windows(self, x: Shape) -> tuple[Window, ...]:
        stride = self.kernel if self.stride is None else self.stride
        return make_windows(len(x) - 1, self.kernel, stride, self.padding, ceil_mode=self.ceil_mode)

    def output(self, x: Shape) -> Shape:
        return (x[0], *placements(self.windows(x), x[1:]))

    def area(self, x: Shape) -> int:
        """The number of positions in a neighbourhood."""
        return prod(along(self.kernel, len(x) - 1))


@layer("maxpool")
class MaxPool(Pool):
    """Max-pooling: the largest value of each neighbourhood; padded positions never win."""

    def operations(self, x: Shape, y: Shape) -> Dim:
        """One comparison less per output than the neighbourhood has positions."""
        return (self.area(x) - 1) * product(y)


@layer("minpool")
class MinPool(Pool):
    """Min-pooling: the smallest value of each neighbourhood; padded positions never win."""

    def operations(self, x: Shape, y: Shape) -> Dim:
        """One comparison less per output than the neighbourhood has positions."""
        return (self.area(x) - 1) * product(y)


@layer("medianpool")
class MedianPool(Pool):
    """Median-pooling: the middle value of each neighbourhood, the mean of the two of an even number.

    Padded positions do not take part.
    """

    def operations(self, x: Shape, y: Shape) -> Dim:
        """The comparisons of a merge sort per output: positions times their logarithm, rounded up."""
        area = self.area(x)
        return area * (area - 1).bit_length() * product(y)


@layer("avgpool")
class AvgPool(Pool):
    """Average-pooling: the mean of each neighbourhood.

    Padded zeros count as values unless ``count_padding`` is false, as in published PyTorch models.
    """

    count_padding: bool = arg(Flag(), "padded zeros count in the mean", default=True)

    examples: ClassVar[tuple[Example, ...]] = (
        *Pool.examples,
        Example("{kernel: 3, stride: 2, padding: 1, count_padding: false}", ((4, 9, 8),)),
        Example("{kernel: 2, stride: 2, padding: same, count_padding: false}", ((3, 7, 8),)),
    )

    def operations(self, x: Shape, y: Shape) -> Dim:
        """One addition less per output than the neighbourhood has positions, and one division."""
        return self.area(x) * product(y)


@layer("subsample")
class Subsample(Layer):
    """Trainable subsampling: the sum of each neighbourhood times a coefficient, plus a bias.

    Coefficient and bias are learnt, one of each for every channel; with a coefficient of 1 over the size of
    the neighbourhood, where training starts, this is average pooling (LeCun et al., 1998, layers S2 and S4).
    """

    kernel: int | tuple[int, ...] = arg(PerAxis(), "size of the neighbourhood along each axis", main=True)
    stride: int | tuple[int, ...] | None = arg(
        PerAxis(), "step between neighbourhoods; the kernel's size unless given", default=None
    )

    sugar = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example("2", ((6, 28, 28),)),
        Example("{kernel: [3, 2], stride: 2}", ((4, 8, 7),)),
        Example("3", ((2, 10),)),
        Example("2", ((2, 4, 6, 4),)),
    )

    def check(self, x: Shape) -> Iterator[Require]:
        yield is_map(x, "subsample")
        yield from axes_match(x, "subsample", kernel=self.kernel, stride=self.stride)
        yield from windows_fit(x, self.windows(x), "subsample")

    def windows(self, x: Shape) -> tuple[Window, ...]:
        stride = self.kernel if self.stride is None else self.stride
        return make_windows(len(x) - 1, self.kernel, stride, VALID)

    def output(self, x: Shape) -> Shape:
        return (x[0], *placements(self.windows(x), x[1:]))

    def parameters(self, x: Shape) -> Tensors:
        return {"weight": (x[0],), "bias": (x[0],)}

    def macs(self, x: Shape, y: Shape) -> Dim:
        return 0

    def operations(self, x: Shape, y: Shape) -> Dim:
        """Per output the additions of its neighbourhood, the product and the addition of the bias."""
        return (prod(along(self.kernel, len(x) - 1)) + 1) * product(y)

    def connections(self, x: Shape, y: Shape) -> Dim:
        return (prod(along(self.kernel, len(x) - 1)) + 1) * product(y)


class GlobalPool(Weightless):
    """Pooling over all positions; the result is a vector of the channels."""

    keepdims: bool = arg(Flag(), "keep the spatial axes, of size 1", default=False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((8, 7, 7),)),
        Example("{keepdims: true}", ((8, 7, 5),)),
        Example("", ((4, 9),)),
        Example("", ((4, 3, 4, 2),)),
    )

    def check(self, x: Shape) -> Iterator[Require]:
        yield is_map(x, self.keyword)

    def output(self, x: Shape) -> Shape:
        return (x[0], *(1,) * (len(x) - 1)) if self.keepdims else (x[0],)

    def windows(self, x: Shape) -> None:
        return None

    def under_shift(self, x: Shape) -> UnderShift:
        """The mean, or the largest, of the same values at other positions."""
        return UnderShift.STAYS


@layer("globalavgpool")
class GlobalAvgPool(GlobalPool):
    """Global average pooling: the mean of each channel (Lin, Chen and Yan, Network in network, 2013)."""

    def operations(self, x: Shape, y: Shape) -> Dim:
        """One operation per input: all additions but one, and the division."""
        return product(x)


@layer("globalmaxpool")
class GlobalMaxPool(GlobalPool):
    """Global max-pooling: the largest value of each channel."""

    def operations(self, x: Shape, y: Shape) -> Dim:
        """One comparison less per channel than it has positions."""
        return product(x) - x[0]


class AdaptivePool(Weightless):
    """Pooling to a fixed output size: windows spread evenly over the input."""

    size: int | tuple[int, ...] = arg(PerAxis(), "output size along each axis", main=True)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("6", ((4, 13, 13),)),
        Example("[2, 3]", ((4, 7, 8),)),
        Example("7", ((2, 3, 5),)),
        Example("4", ((3, 9),)),
        Example("2", ((3, 5, 4, 3),)),
    )

    def check(self, x: Shape) -> Iterator[Require]:
        yield is_map(x, self.keyword)
        yield from axes_match(x, self.keyword, size=self.size)

    def windows(self, x: Shape) -> tuple[AdaptiveWindow, ...]:
        return tuple(AdaptiveWindow(size) for size in along(self.size, len(x) - 1))

    def output(self, x: Shape) -> Shape:
        return (x[0], *placements(self.windows(x), x[1:]))

    def covered(self, x: Shape) -> Dim:
        """The positions of all windows together, over all channels."""
        return x[0] * product(window.total(n) for window, n in zip(self.windows(x), x[1:], strict=True))


@layer("adaptiveavgpool")
class AdaptiveAvgPool(AdaptivePool):
    """Average pooling to a fixed size: window i covers floor(i n / o) to ceil((i + 1) n / o) - 1."""

    def operations(self, x: Shape, y: Shape) -> Dim:
        """One operation per position of every window: all additions but one, and the division."""
        return self.covered(x)


@layer("adaptivemaxpool")
class AdaptiveMaxPool(AdaptivePool):
    """Max-pooling to a fixed size: window i covers floor(i n / o) to ceil((i + 1) n / o) - 1."""

    def operations(self, x: Shape, y: Shape) -> Dim:
        """One comparison less per output than its window has positions."""
        return self.covered(x) - product(y)
