"""Pooling.

Padding with a fixed size is an attribute. Otherwise the input is padded first, so that its last window ends
where the padded input ends, as in :mod:`cnncli.network.pooling`; ``ceil_mode`` is never left to a runtime.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import inf, prod
from typing import Any, Final

from cnncli.algebra import known, same
from cnncli.exporting.onnx.conv import sides
from cnncli.exporting.onnx.emission import END, Emission, Whole
from cnncli.exporting.onnx.padding import constant, frames, pad, pads
from cnncli.exporting.onnx.registry import emitter
from cnncli.layers.geometry.window import Window
from cnncli.layers.kind import along
from cnncli.layers.pooling import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AdaptivePool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    GlobalPool,
    MaxPool,
    MedianPool,
    MinPool,
    Subsample,
)

_MEAN: Final = "AveragePool"
_LARGEST: Final = "MaxPool"


@emitter(MaxPool)
def maxpool(layer: MaxPool, to: Emission) -> str:
    """Return the largest values; padded positions are ignored."""
    return _largest(to, to.x, layer.windows(to.shape))


@emitter(MinPool)
def minpool(layer: MinPool, to: Emission) -> str:
    """Return the smallest values, computed as the largest of the negatives."""
    return to.op("Neg", _largest(to, to.op("Neg", to.x), layer.windows(to.shape)))


def _largest(to: Emission, x: str, windows: Sequence[Window]) -> str:
    amounts = frames(to, windows)
    fixed = constant(amounts)
    # Positions that are left over after the last window need not be cut off.
    kept = [(before, max(after, 0)) for before, after in fixed or ()]
    shape = _shape_of(windows)
    if fixed and all(max(pair) < window.kernel for pair, window in zip(kept, windows, strict=True)):
        return to.op(_LARGEST, x, pads=sides(kept), **shape)
    return to.op(_LARGEST, pad(to, x, amounts, "constant", -inf), **shape)


def _shape_of(windows: Sequence[Window]) -> dict[str, Any]:
    shape = {"kernel_shape": [each.kernel for each in windows], "strides": [each.stride for each in windows]}
    return shape | {"dilations": [each.dilation for each in windows]}


@emitter(AvgPool)
def avgpool(layer: AvgPool, to: Emission) -> str:
    """Return means over the positions that count: those of the input, and with ``count_padding`` the padding.

    Where a window covers more, means over whole windows are divided by the share of positions that count.
    """
    windows = layer.windows(to.shape)
    framed, counted = frames(to, windows), pads(to, windows)
    fixed, counting = constant(framed), constant(counted)
    shape = _shape_of(windows)
    if fixed is not None and counting is not None:
        kept = [(before, max(after, 0)) for before, after in fixed]
        inside = all(after <= own for (_, after), (_, own) in zip(kept, counting, strict=True))
        if inside or not layer.count_padding:
            return to.op(_MEAN, to.x, pads=sides(kept), count_include_pad=int(layer.count_padding), **shape)
    if not layer.count_padding:
        counted = [(0, 0)] * to.rank
    means = to.op(_MEAN, pad(to, to.x, framed), **shape)
    sizes = [to.size(axis) for axis in range(to.rank)]
    ones = to.op("Expand", to.floats(1), to.wholes([1, 1, *sizes]))
    mask = pad(to, ones, counted, "constant", 1.0)
    rest = [_rest(whole, own) for whole, own in zip(framed, counted, strict=True)]
    return to.op("Div", means, to.op(_MEAN, pad(to, mask, rest), **shape))


def _rest(framed: tuple[Whole, Whole], counted: tuple[Whole, Whole]) -> tuple[Whole, Whole]:
    """Return what is left of a frame outside of the positions that count."""
    before, after = (_minus(one, two) for one, two in zip(framed, counted, strict=True))
    return before, after


def _minus(one: Whole, two: Whole) -> Whole:
    if isinstance(one, int):
        return one - two if isinstance(two, int) else two * -1 + one
    return one - two


@emitter(MedianPool)
def medianpool(layer: MedianPool, to: Emission) -> str:
    """Return medians: the values of each window sorted, padding last, and the middle of the others."""
    windows = layer.windows(to.shape)
    amounts = frames(to, windows)
    area = prod(each.kernel for each in windows)
    values = _unfolded(to, pad(to, to.x, amounts, "constant", inf), windows)
    ordered = to.ops("TopK", values, to.ints([area]), outputs=2, axis=-1, largest=0, sorted=1)[0]
    sizes = [to.size(axis) for axis in range(to.rank)]
    ones = to.op("Expand", to.constant(1, "float32"), to.wholes([1, 1, *sizes]))
    inside = _unfolded(to, pad(to, ones, amounts), windows)
    count = to.op("Cast", to.reduced("ReduceSum", inside, [2 + to.rank]), to=7)
    shape = to.op("Shape", to.op("Slice", ordered, to.ints([0]), to.ints([1]), to.ints([2 + to.rank])))
    one, two = to.ints([1]), to.ints([2])
    low = to.op("Expand", to.op("Div", to.op("Sub", count, one), two), shape)
    high = to.op("Expand", to.op("Div", count, two), shape)
    middle = [to.op("GatherElements", ordered, each, axis=2 + to.rank) for each in (low, high)]
    mean = to.op("Mul", to.op("Add", *middle), to.floats(0.5))
    return to.op("Squeeze", mean, to.ints([2 + to.rank]))


def _unfolded(to: Emission, x: str, windows: Sequence[Window]) -> str:
    """Return the values of each window along a new last axis; x ends where the last window does."""
    axes, steps = to.ints(to.axes), to.ints([each.stride for each in windows])
    parts = []
    for place in product(*(range(each.kernel) for each in windows)):
        ends = [offset + 1 - window.kernel or END for offset, window in zip(place, windows, strict=True)]
        part = to.op("Slice", x, to.ints(place), to.ints(ends), axes, steps)
        parts.append(to.op("Unsqueeze", part, to.ints([2 + to.rank])))
    return to.op("Concat", *parts, axis=2 + to.rank)


@emitter(Subsample)
def subsample(layer: Subsample, to: Emission) -> str:
    """Return the sum of each neighborhood, times a coefficient and plus a bias for each channel."""
    windows = layer.windows(to.shape)
    area = prod(each.kernel for each in windows)
    means = to.op(_MEAN, to.x, **_shape_of(windows))
    weight, bias = (to.along_channels(to.tensors[name]) for name in ("weight", "bias"))
    sums = to.op("Mul", means, to.floats(area))
    return to.op("Add", to.op("Mul", sums, weight), bias)


@emitter(GlobalAvgPool)
def globalavgpool(layer: GlobalAvgPool, to: Emission) -> str:
    """Return the mean over all positions."""
    return _over_all("ReduceMean", layer, to)


@emitter(GlobalMaxPool)
def globalmaxpool(layer: GlobalMaxPool, to: Emission) -> str:
    """Return the largest value over all positions."""
    return _over_all("ReduceMax", layer, to)


def _over_all(kind: str, layer: GlobalPool, to: Emission) -> str:
    return to.reduced(kind, to.x, to.axes, keepdims=layer.keepdims)


@emitter(AdaptiveAvgPool)
def adaptiveavgpool(layer: AdaptiveAvgPool, to: Emission) -> str:
    """Return means over windows that are spread evenly."""
    return _spread(layer, to, _MEAN, "ReduceMean")


@emitter(AdaptiveMaxPool)
def adaptivemaxpool(layer: AdaptiveMaxPool, to: Emission) -> str:
    """Return maxima over windows that are spread evenly."""
    return _spread(layer, to, _LARGEST, "ReduceMax")


def _spread(layer: AdaptivePool, to: Emission, pool: str, reduction: str) -> str:
    """Return one pooling if all windows are alike; otherwise window after window, axis after axis."""
    wanted = along(layer.size, to.rank)
    axes = [
        (axis, size)
        for axis, size in enumerate(wanted)
        if size is not None and not known(same(to.shape[1 + axis], size))
    ]
    if not axes:
        return to.op("Identity", to.x)
    kernel = [1] * to.rank
    for axis, size in axes:
        n = to.shape[1 + axis]
        if not isinstance(n, int) or n % size:
            break
        kernel[axis] = n // size
    else:
        return to.op(pool, to.x, kernel_shape=kernel, strides=kernel)
    y = to.x
    for axis, size in axes:
        y = _windowed(to, y, axis, size, reduction)
    return y


def _windowed(to: Emission, x: str, axis: int, size: int, reduction: str) -> str:
    """Return the values of window i, floor(i n / o) .. ceil((i + 1) n / o) - 1, for each i below o."""
    if size == 1:
        return to.reduced(reduction, x, [2 + axis])
    n = to.size(axis)
    parts = []
    for place in range(size):
        start, end = n * place // size, (n * (place + 1) + (size - 1)) // size
        part = to.slice(x, [start], [end], [2 + axis])
        parts.append(to.reduced(reduction, part, [2 + axis]))
    return to.op("Concat", *parts, axis=2 + axis)
