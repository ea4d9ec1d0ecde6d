"""Pooling.

torch's own layers where padding is of fixed size and the same on both sides. Elsewhere the input is
padded first, at run time, such that its last window ends where the padded input ends; what the
padding holds cannot win, and averages are divided by the number of positions that count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncli.layers.geometry.window import Window, native_pads
from cnncli.layers.kind import along
from cnncli.layers.pooling import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    MedianPool,
    MinPool,
    Pool,
    Subsample,
)
from cnncli.network.padding import pad
from cnncli.network.registry import Sizes, builder, by_rank

_MAX: Final[dict[int, type[Any]]] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
_AVG: Final[dict[int, type[Any]]] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
_ADAPTIVE_MAX: Final[dict[int, type[Any]]] = {
    1: nn.AdaptiveMaxPool1d,
    2: nn.AdaptiveMaxPool2d,
    3: nn.AdaptiveMaxPool3d,
}
_ADAPTIVE_AVG: Final[dict[int, type[Any]]] = {
    1: nn.AdaptiveAvgPool1d,
    2: nn.AdaptiveAvgPool2d,
    3: nn.AdaptiveAvgPool3d,
}
_MAX_OF: Final[dict[int, Callable[..., Tensor]]] = {
    1: functional.max_pool1d,
    2: functional.max_pool2d,
    3: functional.max_pool3d,
}
_AVG_OF: Final[dict[int, Callable[..., Tensor]]] = {
    1: functional.avg_pool1d,
    2: functional.avg_pool2d,
    3: functional.avg_pool3d,
}


class Sliding(nn.Module):
    """Pooling with padding of its own."""

    def __init__(self, windows: Sequence[Window]) -> None:
        super().__init__()
        self.windows = tuple(windows)
        self.kernel = tuple(window.kernel for window in windows)
        self.stride = tuple(window.stride for window in windows)

    def framed(self, x: Tensor, value: float) -> Tensor:
        """Put ``value`` around x, such that the last window ends where the padded x does."""
        sizes = zip(self.windows, x.shape[2:], strict=True)
        return pad(x, [window.frame(n) for window, n in sizes], "constant", value)


class Maximum(Sliding):
    """The largest value; padding is less than any."""

    def forward(self, x: Tensor) -> Tensor:
        return _MAX_OF[len(self.kernel)](self.framed(x, -torch.inf), self.kernel, self.stride)


class Minimum(Sliding):
    """The smallest value: the largest of the negatives."""

    def forward(self, x: Tensor) -> Tensor:
        return -_MAX_OF[len(self.kernel)](self.framed(-x, -torch.inf), self.kernel, self.stride)


class Median(Sliding):
    """The middle of the values in their order; padding comes last there and is not counted."""

    def forward(self, x: Tensor) -> Tensor:
        sizes = x.shape[2:]
        x = self.framed(x, torch.inf)
        for axis, (kernel, stride) in enumerate(zip(self.kernel, self.stride, strict=True), start=2):
            x = x.unfold(axis, kernel, stride)
        ordered = x.flatten(2 + len(self.kernel)).sort(-1).values
        count = torch.ones((), dtype=torch.long, device=x.device)
        for axis, (window, n) in enumerate(zip(self.windows, sizes, strict=True)):
            count = count * _spread(_counts(window, n, 0, n, x.device), axis, len(sizes))
        low = ordered.gather(-1, ((count - 1) // 2).expand(ordered.shape[:-1]).unsqueeze(-1))
        high = ordered.gather(-1, (count // 2).expand(ordered.shape[:-1]).unsqueeze(-1))
        return ((low + high) / 2).squeeze(-1)


class Mean(Sliding):
    """The mean of the values that count: those of the input, and the zeros of the padding if they do.

    What a window covers beyond the padding (``ceil_mode``) does not count, as in torch.
    """

    def __init__(self, windows: Sequence[Window], *, count_padding: bool) -> None:
        super().__init__(windows)
        self.count_padding = count_padding

    def forward(self, x: Tensor) -> Tensor:
        y = _AVG_OF[len(self.kernel)](self.framed(x, 0.0), self.kernel, self.stride)
        for axis, (window, n) in enumerate(zip(self.windows, x.shape[2:], strict=True)):
            before, after = window.pads(n) if self.count_padding else (0, 0)
            counts = _counts(window, n, -before, n + after, x.device)
            y = y * _spread((window.kernel / counts).to(y.dtype), axis, len(self.kernel))
        return y


def _counts(window: Window, n: int, first: int, end: int, device: torch.device) -> Tensor:
    """For every placement over n inputs, how many of its positions are in ``first`` .. ``end`` - 1."""
    placements: Any = window.placements(n)
    start = torch.arange(placements, device=device) * window.stride - window.pads(n)[0]
    return (start + window.kernel).clamp(max=end) - start.clamp(min=first)


def _spread(values: Tensor, axis: int, rank: int) -> Tensor:
    """A vector along one of ``rank`` axes, so that it goes with a map."""
    return values.view(-1, *(1,) * (rank - 1 - axis))


def _native(kind: Pool, x: Sizes) -> dict[str, Any] | None:
    """The arguments of torch's own layers, or None where they cannot say it."""
    windows = kind.windows(x)
    if not kind.is_native(x):
        return None
    return {
        "kernel_size": tuple(window.kernel for window in windows),
        "stride": tuple(window.stride for window in windows),
        "padding": native_pads(windows),
        "ceil_mode": kind.ceil_mode and not windows[0].same,
    }


@builder(MaxPool)
def maxpool(kind: MaxPool, x: Sizes) -> nn.Module:
    """Padded positions never win."""
    native = _native(kind, x)
    if native is None:
        return Maximum(kind.windows(x))
    module: nn.Module = by_rank(_MAX, x)(**native)
    return module


@builder(MinPool)
def minpool(kind: MinPool, x: Sizes) -> nn.Module:
    """PyTorch has none of its own."""
    return Minimum(kind.windows(x))


@builder(MedianPool)
def medianpool(kind: MedianPool, x: Sizes) -> nn.Module:
    """PyTorch has none of its own."""
    return Median(kind.windows(x))


@builder(AvgPool)
def avgpool(kind: AvgPool, x: Sizes) -> nn.Module:
    """Zeros of the padding count, or not."""
    native = _native(kind, x)
    if native is None:
        return Mean(kind.windows(x), count_padding=kind.count_padding)
    module: nn.Module = by_rank(_AVG, x)(**native, count_include_pad=kind.count_padding)
    return module


class Subsampling(nn.Module):
    """The sum of each neighborhood, times a coefficient and plus a bias for each channel."""

    def __init__(self, kernel: Sizes, stride: Sizes, channels: int) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride
        self.area = prod(kernel)
        self.weight = nn.Parameter(torch.full((channels,), 1 / self.area))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        axes = (1,) * len(self.kernel)
        sums = self.area * _AVG_OF[len(self.kernel)](x, self.kernel, self.stride)
        return sums * self.weight.view(-1, *axes) + self.bias.view(-1, *axes)


@builder(Subsample)
def subsample(kind: Subsample, x: Sizes) -> nn.Module:
    """Starts as average pooling."""
    windows = kind.windows(x)
    kernel = tuple(window.kernel for window in windows)
    stride = tuple(window.stride for window in windows)
    return Subsampling(kernel, stride, x[0])


class GlobalPooling(nn.Module):
    """One figure of all positions of each channel."""

    def __init__(self, figure: Callable[..., Tensor], rank: int, *, keepdims: bool) -> None:
        super().__init__()
        self.figure = figure
        self.axes = tuple(range(2, 2 + rank))
        self.keepdims = keepdims

    def forward(self, x: Tensor) -> Tensor:
        return self.figure(x, self.axes, keepdim=self.keepdims)


@builder(GlobalAvgPool)
def globalavgpool(kind: GlobalAvgPool, x: Sizes) -> nn.Module:
    """The mean."""
    return GlobalPooling(torch.mean, len(x) - 1, keepdims=kind.keepdims)


@builder(GlobalMaxPool)
def globalmaxpool(kind: GlobalMaxPool, x: Sizes) -> nn.Module:
    """The largest value; where several are, they share the gradient."""
    return GlobalPooling(torch.amax, len(x) - 1, keepdims=kind.keepdims)


@builder(AdaptiveAvgPool)
def adaptiveavgpool(kind: AdaptiveAvgPool, x: Sizes) -> nn.Module:
    """PyTorch's own."""
    module: nn.Module = by_rank(_ADAPTIVE_AVG, x)(along(kind.size, len(x) - 1))
    return module


@builder(AdaptiveMaxPool)
def adaptivemaxpool(kind: AdaptiveMaxPool, x: Sizes) -> nn.Module:
    """PyTorch's own."""
    module: nn.Module = by_rank(_ADAPTIVE_MAX, x)(along(kind.size, len(x) - 1))
    return module
