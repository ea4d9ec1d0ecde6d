"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence

from cnncli.exporting.python.expressions import Arg, Call
from cnncli.exporting.python.kinds.registry import Sizes, each, emitter, first, frames_of, pads_of
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


def _sliding(layer: Pool, input_shape: Sizes) -> tuple[Arg, Arg]:
    windows = layer.windows(input_shape)
    return (
        first("kernel_size", each([window.kernel for window in windows])),
        Arg("stride", each([window.stride for window in windows])),
    )


def _native(layer: Pool, input_shape: Sizes) -> tuple[Arg, ...]:
    windows = layer.windows(input_shape)
    pads = native_pads(windows)
    assert pads is not None
    return (
        *_sliding(layer, input_shape),
        Arg("padding", each(pads), 0),
        Arg("ceil_mode", layer.ceil_mode and not windows[0].same, False),
    )


def _per_axis(windows: Sequence[Window]) -> tuple[Arg, ...]:
    """Return the arguments of our own pooling, with one entry for each axis."""
    return (
        first("kernel", tuple(window.kernel for window in windows)),
        Arg("stride", tuple(window.stride for window in windows)),
        Arg("frames", frames_of(windows)),
    )


@emitter(MaxPool)
def _maxpool(layer: MaxPool, input_shape: Sizes) -> Call:
    rank, windows = len(input_shape) - 1, layer.windows(input_shape)
    dilation = along(layer.dilation, rank)
    if layer.is_native(input_shape):
        more = Arg("dilation", each(dilation), 1)
        return Call(f"nn.MaxPool{rank}d", (*_native(layer, input_shape), more))
    return Call("PaddedMaxPool", (*_per_axis(windows), Arg("dilation", dilation)))


@emitter(MinPool)
def _minpool(layer: MinPool, input_shape: Sizes) -> Call:
    return Call("MinPool", _per_axis(layer.windows(input_shape)))


@emitter(MedianPool)
def _medianpool(layer: MedianPool, input_shape: Sizes) -> Call:
    return Call("MedianPool", _per_axis(layer.windows(input_shape)))


@emitter(AvgPool)
def _avgpool(layer: AvgPool, input_shape: Sizes) -> Call:
    rank, windows = len(input_shape) - 1, layer.windows(input_shape)
    if layer.is_native(input_shape):
        more = Arg("count_include_pad", layer.count_padding, True)
        return Call(f"nn.AvgPool{rank}d", (*_native(layer, input_shape), more))
    counted = pads_of(windows if layer.count_padding else [Window(1)] * rank)
    return Call("PaddedAvgPool", (*_per_axis(windows), Arg("counted", counted)))


@emitter(Subsample)
def _subsample(layer: Subsample, input_shape: Sizes) -> Call:
    windows = layer.windows(input_shape)
    kernel, stride, _ = _per_axis(windows)
    return Call("Subsample", (first("channels", input_shape[0]), kernel, stride))


@emitter(GlobalAvgPool, GlobalMaxPool)
def _globalpool(layer: GlobalAvgPool | GlobalMaxPool, input_shape: Sizes) -> Call:
    return Call(type(layer).__name__, (Arg("keepdim", layer.keepdims, False),))


@emitter(AdaptiveAvgPool, AdaptiveMaxPool)
def _adaptive(layer: AdaptiveAvgPool | AdaptiveMaxPool, input_shape: Sizes) -> Call:
    rank = len(input_shape) - 1
    size = first("output_size", each(along(layer.size, rank)))
    return Call(f"nn.{type(layer).__name__}{rank}d", (size,))
