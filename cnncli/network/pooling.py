"""Pooling.

torch's own layers are used if padding has a fixed size that is the same on both sides. Otherwise the input is
padded first, at run time, so that its last window ends where the padded input ends; padded values are never
picked, and averages are divided by the number of positions that count.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, Final

import torch
from torch import Tensor, fx, nn
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
from cnncli.network.padding import Amounts, frames_by_size, pad_by_size, pads_by_size
from cnncli.network.registry import Sizes, builder, by_rank

# These functions depend on sizes, which torch.fx does not know, so calls are recorded as they are.
fx.wrap("pad_by_size")
fx.wrap("_median")
fx.wrap("_largest_at")
fx.wrap("_mean_at")
fx.wrap("_scaled_by_counts")

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


class Sliding(nn.Module):
    """Pooling that pads depending on the input size; ``border`` is the value of the padding."""

    def __init__(self, windows: Sequence[Window], border: float) -> None:
        super().__init__()
        self.kernel = [window.kernel for window in windows]
        self.stride = [window.stride for window in windows]
        self.dilation = [window.dilation for window in windows]
        self.frames = frames_by_size(windows)
        self.border = border

    def framed(self, x: Tensor) -> Tensor:
        """Return x padded so that the last window ends where the padded x does."""
        return pad_by_size(x, self.frames, "constant", self.border)


class Maximum(Sliding):
    """The largest value; the padding is minus infinity."""

    def __init__(self, windows: Sequence[Window]) -> None:
        super().__init__(windows, -torch.inf)

    def forward(self, x: Tensor) -> Tensor:
        return _max_pool(self.framed(x), self.kernel, self.stride, self.dilation)


class Minimum(Sliding):
    """The smallest value, computed as the largest of the negatives."""

    def __init__(self, windows: Sequence[Window]) -> None:
        super().__init__(windows, -torch.inf)

    def forward(self, x: Tensor) -> Tensor:
        return -_max_pool(self.framed(-x), self.kernel, self.stride, self.dilation)


class Median(Sliding):
    """The middle of the sorted values; padding is infinite, sorted to the end, and does not count."""

    def __init__(self, windows: Sequence[Window]) -> None:
        super().__init__(windows, torch.inf)

    def forward(self, x: Tensor) -> Tensor:
        return _median(x, self.framed(x), self.kernel, self.stride, self.frames)


class Mean(Sliding):
    """The mean over the positions that count: those of the input, and with ``count_padding`` the padding.

    What a window covers beyond the padding (``ceil_mode``) does not count, as in torch.
    """

    def __init__(self, windows: Sequence[Window], *, count_padding: bool) -> None:
        super().__init__(windows, 0.0)
        self.counted = pads_by_size(windows if count_padding else [Window(1)] * len(windows))

    def forward(self, x: Tensor) -> Tensor:
        # Assigning the means to a name would keep them in memory together with the scaled ones.
        return _scaled_by_counts(
            _avg_pool(self.framed(x), self.kernel, self.stride),
            x,
            self.kernel,
            self.stride,
            self.frames,
            self.counted,
        )


def _max_pool(x: Tensor, kernel: list[int], stride: list[int], dilation: list[int]) -> Tensor:
    if len(kernel) == 1:
        return torch.max_pool1d(x, kernel, stride, 0, dilation)
    if len(kernel) == 2:
        return torch.max_pool2d(x, kernel, stride, 0, dilation)
    return torch.max_pool3d(x, kernel, stride, 0, dilation)


def _avg_pool(x: Tensor, kernel: list[int], stride: list[int]) -> Tensor:
    if len(kernel) == 1:
        return functional.avg_pool1d(x, kernel, stride)
    if len(kernel) == 2:
        return functional.avg_pool2d(x, kernel, stride)
    return functional.avg_pool3d(x, kernel, stride)


def _median(x: Tensor, framed: Tensor, kernel: list[int], stride: list[int], frames: Amounts) -> Tensor:
    windows = framed
    for axis in range(len(kernel)):
        windows = windows.unfold(axis + 2, kernel[axis], stride[axis])
    ordered = windows.flatten(2 + len(kernel)).sort(-1)[0]
    count = torch.ones((), dtype=torch.long, device=x.device)
    for axis in range(len(kernel)):
        n = x.shape[axis + 2]
        start = frames[axis][n % len(frames[axis])][0]
        counts = _counts(ordered.shape[axis + 2], kernel[axis], stride[axis], start, [0, n], x.device)
        count = count * _along(counts, axis, len(kernel))
    shape = list(ordered.shape[:-1])
    low = ordered.gather(-1, ((count - 1) // 2).expand(shape).unsqueeze(-1))
    high = ordered.gather(-1, (count // 2).expand(shape).unsqueeze(-1))
    return ((low + high) / 2).squeeze(-1)


def _scaled_by_counts(
    y: Tensor, x: Tensor, kernel: list[int], stride: list[int], frames: Amounts, counted: Amounts
) -> Tensor:
    """Scale means y over whole windows on x to means over the positions that count."""
    for axis in range(len(kernel)):
        n = x.shape[axis + 2]
        start = frames[axis][n % len(frames[axis])][0]
        before, after = counted[axis][n % len(counted[axis])]
        counts = _counts(y.shape[axis + 2], kernel[axis], stride[axis], start, [-before, n + after], x.device)
        y = y * _along((kernel[axis] / counts).to(y.dtype), axis, len(kernel))
    return y


def _counts(
    windows: int, kernel: int, stride: int, start: int, counted: list[int], device: torch.device
) -> Tensor:
    """Return for each window how many of its positions count: those from the first to before the end.

    The first window starts ``start`` positions before the input.
    """
    starts = torch.arange(windows, device=device) * stride - start
    return (starts + kernel).clamp(max=counted[1]) - starts.clamp(min=counted[0])


def _along(values: Tensor, axis: int, rank: int) -> Tensor:
    """Return a vector along one of ``rank`` axes, to combine it with a map."""
    return values.view([-1] + [1] * (rank - 1 - axis))


def _native(layer: Pool, input_shape: Sizes) -> dict[str, Any] | None:
    """Return the arguments of torch's own layers, or None if those cannot compute it."""
    windows = layer.windows(input_shape)
    if not layer.is_native(input_shape):
        return None
    return {
        "kernel_size": tuple(window.kernel for window in windows),
        "stride": tuple(window.stride for window in windows),
        "padding": native_pads(windows),
        "ceil_mode": layer.ceil_mode and not windows[0].same,
    }


@builder(MaxPool)
def maxpool(layer: MaxPool, input_shape: Sizes) -> nn.Module:
    """Return a module that ignores padded positions."""
    native = _native(layer, input_shape)
    if native is None:
        return Maximum(layer.windows(input_shape))
    dilation = along(layer.dilation, len(input_shape) - 1)
    module: nn.Module = by_rank(_MAX, input_shape)(**native, dilation=dilation)
    return module


@builder(MinPool)
def minpool(layer: MinPool, input_shape: Sizes) -> nn.Module:
    """Return a minimum; torch has no such layer."""
    return Minimum(layer.windows(input_shape))


@builder(MedianPool)
def medianpool(layer: MedianPool, input_shape: Sizes) -> nn.Module:
    """Return a median; torch has no such layer."""
    return Median(layer.windows(input_shape))


@builder(AvgPool)
def avgpool(layer: AvgPool, input_shape: Sizes) -> nn.Module:
    """Return a mean that includes padded zeros or ignores them."""
    native = _native(layer, input_shape)
    if native is None:
        return Mean(layer.windows(input_shape), count_padding=layer.count_padding)
    module: nn.Module = by_rank(_AVG, input_shape)(**native, count_include_pad=layer.count_padding)
    return module


class Subsampling(nn.Module):
    """The sum of each neighborhood, times a coefficient and plus a bias for each channel."""

    def __init__(self, windows: Sequence[Window], channels: int) -> None:
        super().__init__()
        self.kernel = [window.kernel for window in windows]
        self.stride = [window.stride for window in windows]
        self.area = prod(self.kernel)
        self.along_channels = [-1, *(1,) * len(windows)]
        self.weight = nn.Parameter(torch.full((channels,), 1 / self.area))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        sums = self.area * _avg_pool(x, self.kernel, self.stride)
        return sums * self.weight.view(self.along_channels) + self.bias.view(self.along_channels)


@builder(Subsample)
def subsample(layer: Subsample, input_shape: Sizes) -> nn.Module:
    """Return a layer that starts as average pooling."""
    return Subsampling(layer.windows(input_shape), input_shape[0])


class GlobalMean(nn.Module):
    """The mean over all positions of each channel."""

    def __init__(self, rank: int, *, keepdims: bool) -> None:
        super().__init__()
        self.axes = list(range(2, 2 + rank))
        self.keepdims = keepdims

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(self.axes, keepdim=self.keepdims)


class GlobalMaximum(nn.Module):
    """The largest value of each channel; if several are equal, they share the gradient."""

    def __init__(self, rank: int, *, keepdims: bool) -> None:
        super().__init__()
        self.axes = list(range(2, 2 + rank))
        self.keepdims = keepdims

    def forward(self, x: Tensor) -> Tensor:
        return x.amax(self.axes, keepdim=self.keepdims)


@builder(GlobalAvgPool)
def globalavgpool(layer: GlobalAvgPool, input_shape: Sizes) -> nn.Module:
    """Return the mean over all positions."""
    return GlobalMean(len(input_shape) - 1, keepdims=layer.keepdims)


@builder(GlobalMaxPool)
def globalmaxpool(layer: GlobalMaxPool, input_shape: Sizes) -> nn.Module:
    """Return the largest value over all positions."""
    return GlobalMaximum(len(input_shape) - 1, keepdims=layer.keepdims)


class PartlyAdaptive(nn.Module):
    """Adaptive pooling that leaves axes alone; torch's modules cannot be scripted with a size of None."""

    def __init__(self, output_size: Sequence[int | None], *, largest: bool) -> None:
        super().__init__()
        self.output_size = [_AS_IT_IS if size is None else size for size in output_size]
        self.largest = largest

    def forward(self, x: Tensor) -> Tensor:
        if self.largest:
            return _largest_at(x, self.output_size)
        return _mean_at(x, self.output_size)


_AS_IT_IS: Final = -1


def _largest_at(x: Tensor, output_size: list[int]) -> Tensor:
    sizes = [x.shape[2 + axis] if size < 0 else size for axis, size in enumerate(output_size)]
    if len(sizes) == 1:
        return functional.adaptive_max_pool1d(x, sizes)
    if len(sizes) == 2:
        return functional.adaptive_max_pool2d(x, sizes)
    return functional.adaptive_max_pool3d(x, sizes)


def _mean_at(x: Tensor, output_size: list[int]) -> Tensor:
    sizes = [x.shape[2 + axis] if size < 0 else size for axis, size in enumerate(output_size)]
    # torch is annotated with tuples, but TorchScript passes lists.
    if len(sizes) == 1:
        return functional.adaptive_avg_pool1d(x, sizes)
    if len(sizes) == 2:
        return functional.adaptive_avg_pool2d(x, sizes)  # type: ignore[arg-type]
    return functional.adaptive_avg_pool3d(x, sizes)  # type: ignore[arg-type]


@builder(AdaptiveAvgPool)
def adaptiveavgpool(layer: AdaptiveAvgPool, input_shape: Sizes) -> nn.Module:
    """Return torch's own module, or one that leaves axes alone."""
    return _adaptive(along(layer.size, len(input_shape) - 1), _ADAPTIVE_AVG, input_shape, largest=False)


@builder(AdaptiveMaxPool)
def adaptivemaxpool(layer: AdaptiveMaxPool, input_shape: Sizes) -> nn.Module:
    """Return torch's own module, or one that leaves axes alone."""
    return _adaptive(along(layer.size, len(input_shape) - 1), _ADAPTIVE_MAX, input_shape, largest=True)


def _adaptive(
    size: tuple[int | None, ...], modules: dict[int, type[Any]], input_shape: Sizes, *, largest: bool
) -> nn.Module:
    if None in size:
        return PartlyAdaptive(size, largest=largest)
    module: nn.Module = by_rank(modules, input_shape)(size)
    return module
