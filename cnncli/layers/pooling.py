"""Pooling: one number replaces a neighborhood, in each channel separately; LeNet-5's has weights."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import ClassVar

from cnncli.algebra import Dim, product
from cnncli.language.fields import arg
from cnncli.language.readers import Flag, PerAxis, PerAxisOrNull
from cnncli.layers.geometry.axis import placements
from cnncli.layers.geometry.padding import VALID, Padding, PaddingReader
from cnncli.layers.geometry.resampling import AdaptiveWindow
from cnncli.layers.geometry.sliding import make_windows, windows_fit
from cnncli.layers.geometry.window import POINT, Window, native_pads
from cnncli.layers.kind import (
    EVERYWHERE,
    Example,
    Extent,
    Require,
    Shape,
    Summing,
    Tensors,
    UnderShift,
    Weightless,
    along,
    axes_match,
    is_map,
    padding_axes,
)
from cnncli.layers.registry import layer


class Pool(Weightless):
    """Pooling with a sliding window: maximum, minimum, average and median."""

    kernel: int | tuple[int, ...] = arg(PerAxis(), "size of the neighborhood along each axis", main=True)
    stride: int | tuple[int, ...] | None = arg(
        PerAxis(), "step between neighborhoods; by default the kernel size", default=None
    )
    padding: Padding = arg(PaddingReader(), "how the borders are padded", default=VALID)
    ceil_mode: bool = arg(Flag(), "let the last window extend past the end", default=False)

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

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, self.keyword)
        yield from axes_match(input_shape, self.keyword, kernel=self.kernel, stride=self.stride)
        yield from padding_axes(input_shape, self.keyword, self.padding.axes())
        for window in self.windows(input_shape):
            most = max(window.before, window.after)
            expected = f"at most half of the kernel: {window.extent // 2}"
            message = f"the padding of '{self.keyword}' is too large: a window could lie outside the input"
            yield Require(most <= window.extent // 2, message, expected, str(most), argument="padding")
        yield from windows_fit(input_shape, self.windows(input_shape), self.keyword)

    def windows(self, input_shape: Shape) -> tuple[Window, ...]:
        stride = self.kernel if self.stride is None else self.stride
        return make_windows(len(input_shape) - 1, self.kernel, stride, self.padding, ceil_mode=self.ceil_mode)

    def output(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *placements(self.windows(input_shape), input_shape[1:]))

    def area(self, input_shape: Shape) -> int:
        """Return the number of positions in a neighborhood."""
        return prod(along(self.kernel, len(input_shape) - 1))

    def is_native(self, input_shape: Shape) -> bool:
        """Return whether torch's own layer can compute it, if it has one: that pads evenly."""
        return native_pads(self.windows(input_shape)) is not None


@layer("maxpool")
class MaxPool(Pool):
    """Max-pooling: the largest value of each neighborhood; padded positions are ignored.

    With a dilation d the positions of a neighborhood are d apart, and it spans d(k - 1) + 1 positions.
    """

    dilation: int | tuple[int, ...] = arg(
        PerAxis(), "step between the positions of a neighborhood", default=1
    )

    examples: ClassVar[tuple[Example, ...]] = (
        *Pool.examples,
        Example("{kernel: 3, stride: 1, dilation: 2}", ((4, 9, 8),)),
        Example("{kernel: [2, 3], stride: 2, dilation: [3, 1], padding: 1, ceil_mode: true}", ((2, 9, 8),)),
        Example("{kernel: 3, stride: 2, dilation: 2, padding: half}", ((2, 9, 7),)),
        Example("{kernel: 2, stride: 1, dilation: 3, padding: same}", ((2, 7),)),
        Example("{kernel: 2, dilation: 2}", ((2, 4, 5, 6),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "maxpool")
        yield from axes_match(input_shape, "maxpool", dilation=self.dilation)
        yield from super().check(input_shape)
        for window, n in zip(self.windows(input_shape), input_shape[1:], strict=True):
            # Padded windows cover the input's first or last position, so one of d neighbors is read.
            if window.dilation > 1 and (window.same or window.before or window.after):
                message = "the dilation of 'maxpool' is too large: a window could miss the whole input"
                expected = f"at least {window.dilation} positions, as many as the dilation"
                yield Require(n >= window.dilation, message, expected, str(n), argument="dilation")

    def windows(self, input_shape: Shape) -> tuple[Window, ...]:
        stride = self.kernel if self.stride is None else self.stride
        rank, ceil_mode = len(input_shape) - 1, self.ceil_mode
        return make_windows(rank, self.kernel, stride, self.padding, self.dilation, ceil_mode=ceil_mode)

    def is_native(self, input_shape: Shape) -> bool:
        """Return whether torch's own layer can compute it: that pads by half of the undilated kernel."""
        windows = self.windows(input_shape)
        pads = native_pads(windows)
        return pads is not None and all(
            pad <= window.kernel // 2 for pad, window in zip(pads, windows, strict=True)
        )

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """One comparison fewer per output than the neighborhood has positions."""
        return (self.area(input_shape) - 1) * product(output_shape)


@layer("minpool")
class MinPool(Pool):
    """Min-pooling: the smallest value of each neighborhood; padded positions are ignored."""

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """One comparison fewer per output than the neighborhood has positions."""
        return (self.area(input_shape) - 1) * product(output_shape)


@layer("medianpool")
class MedianPool(Pool):
    """Median-pooling: the middle value of each neighborhood, or the mean of the two middle values.

    Padded positions are ignored.
    """

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """The comparisons of a merge sort per output: positions times their binary logarithm, rounded up."""
        area = self.area(input_shape)
        return area * (area - 1).bit_length() * product(output_shape)


@layer("avgpool")
class AvgPool(Pool):
    """Average-pooling: the mean of each neighborhood.

    Padded zeros count as values unless ``count_padding`` is false, as in published PyTorch models.
    """

    count_padding: bool = arg(Flag(), "include padded zeros in the mean", default=True)

    examples: ClassVar[tuple[Example, ...]] = (
        *Pool.examples,
        Example("{kernel: 3, stride: 2, padding: 1, count_padding: false}", ((4, 9, 8),)),
        Example("{kernel: 2, stride: 2, padding: same, count_padding: false}", ((3, 7, 8),)),
    )

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """One addition fewer per output than the neighborhood has positions, and one division."""
        return self.area(input_shape) * product(output_shape)

    def is_native(self, input_shape: Shape) -> bool:
        """Return whether torch's own layer can compute it: in 3-D not for inputs smaller than the kernel."""
        refused = len(input_shape) == 4 and any(
            window.kernel > n for window, n in zip(self.windows(input_shape), input_shape[1:], strict=True)
        )
        return super().is_native(input_shape) and not refused


@layer("subsample")
class Subsample(Summing):
    """Trainable subsampling: the sum of each neighborhood times a coefficient, plus a bias.

    Coefficient and bias are learned, one of each for every channel. Initially the coefficient is 1 over the
    size of the neighborhood, which is average pooling (LeCun et al., 1998, layers S2 and S4).
    """

    kernel: int | tuple[int, ...] = arg(PerAxis(), "size of the neighborhood along each axis", main=True)
    stride: int | tuple[int, ...] | None = arg(
        PerAxis(), "step between neighborhoods; by default the kernel size", default=None
    )

    shorthand = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example("2", ((6, 28, 28),)),
        Example("{kernel: [3, 2], stride: 2}", ((4, 8, 7),)),
        Example("3", ((2, 10),)),
        Example("2", ((2, 4, 6, 4),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "subsample")
        yield from axes_match(input_shape, "subsample", kernel=self.kernel, stride=self.stride)
        yield from windows_fit(input_shape, self.windows(input_shape), "subsample")

    def windows(self, input_shape: Shape) -> tuple[Window, ...]:
        stride = self.kernel if self.stride is None else self.stride
        return make_windows(len(input_shape) - 1, self.kernel, stride, VALID)

    def output(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *placements(self.windows(input_shape), input_shape[1:]))

    def parameters(self, input_shape: Shape) -> Tensors:
        return {"weight": (input_shape[0],), "bias": (input_shape[0],)}

    def macs(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return 0

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """Per output the additions in its neighborhood, the product and the addition of the bias."""
        return (prod(along(self.kernel, len(input_shape) - 1)) + 1) * product(output_shape)

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return (prod(along(self.kernel, len(input_shape) - 1)) + 1) * product(output_shape)


class GlobalPool(Weightless):
    """Pooling over all positions; the result is a vector with one value per channel."""

    keepdims: bool = arg(Flag(), "keep the spatial axes, with size 1", default=False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((8, 7, 7),)),
        Example("{keepdims: true}", ((8, 7, 5),)),
        Example("", ((4, 9),)),
        Example("", ((4, 3, 4, 2),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, self.keyword)

    def output(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *(1,) * (len(input_shape) - 1)) if self.keepdims else (input_shape[0],)

    def windows(self, input_shape: Shape) -> Extent:
        return EVERYWHERE

    def under_shift(self, input_shape: Shape) -> UnderShift:
        """Return STAYS: the mean or maximum does not depend on where the values are."""
        return UnderShift.STAYS


@layer("globalavgpool")
class GlobalAvgPool(GlobalPool):
    """Global average pooling: the mean of each channel (Lin, Chen and Yan, Network in network, 2013)."""

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """One operation per input: one addition fewer than inputs per channel, and one division."""
        return product(input_shape)


@layer("globalmaxpool")
class GlobalMaxPool(GlobalPool):
    """Global max-pooling: the largest value of each channel."""

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """One comparison fewer per channel than it has positions."""
        return product(input_shape) - input_shape[0]


class AdaptivePool(Weightless):
    """Pooling to a fixed output size, with windows spread evenly over the input."""

    size: int | tuple[int | None, ...] = arg(
        PerAxisOrNull(), "output size along each axis; null leaves an axis as it is", main=True
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example("6", ((4, 13, 13),)),
        Example("[2, 3]", ((4, 7, 8),)),
        Example("7", ((2, 3, 5),)),
        Example("4", ((3, 9),)),
        Example("2", ((3, 5, 4, 3),)),
        Example("[null, 1]", ((4, 7, 6),)),
        Example("[2, null]", ((4, 7, 6),)),
        Example("[null, 2, null]", ((2, 3, 5, 4),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, self.keyword)
        yield from axes_match(input_shape, self.keyword, size=self.size)

    def sizes(self, input_shape: Shape) -> tuple[Dim, ...]:
        """Return the output size along each axis."""
        wanted = along(self.size, len(input_shape) - 1)
        return tuple(n if size is None else size for size, n in zip(wanted, input_shape[1:], strict=True))

    def windows(self, input_shape: Shape) -> tuple[AdaptiveWindow | Window, ...]:
        sizes = along(self.size, len(input_shape) - 1)
        return tuple(POINT if size is None else AdaptiveWindow(size) for size in sizes)

    def output(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *placements(self.windows(input_shape), input_shape[1:]))

    def covered(self, input_shape: Shape) -> Dim:
        """Return the number of positions in all windows together, over all channels."""
        return input_shape[0] * product(
            window.total(n) if isinstance(window, AdaptiveWindow) else n
            for window, n in zip(self.windows(input_shape), input_shape[1:], strict=True)
        )


@layer("adaptiveavgpool")
class AdaptiveAvgPool(AdaptivePool):
    """Average pooling to a fixed size: window i covers floor(i n / o) to ceil((i + 1) n / o) - 1."""

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """One operation per position of every window: one addition fewer than positions, and one division."""
        return self.covered(input_shape)


@layer("adaptivemaxpool")
class AdaptiveMaxPool(AdaptivePool):
    """Max-pooling to a fixed size: window i covers floor(i n / o) to ceil((i + 1) n / o) - 1."""

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """One comparison fewer per output than its window has positions."""
        return self.covered(input_shape) - product(output_shape)
