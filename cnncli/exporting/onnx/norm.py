"""Normalization."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cnncli.algebra import whole
from cnncli.exporting.onnx.emission import Emission
from cnncli.exporting.onnx.registry import emitter
from cnncli.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm


@emitter(BatchNorm)
def batchnorm(layer: BatchNorm, to: Emission) -> str:
    """Return the values with the running statistics."""
    return with_statistics(to, to.x, "", affine=layer.affine, eps=layer.eps)


def with_statistics(to: Emission, x: str, prefix: str, *, affine: bool, eps: float) -> str:
    """Return x normalized with running statistics, whose tensors have names that begin with ``prefix``."""
    names = to.tensors
    if affine:
        scale, shift = names[f"{prefix}weight"], names[f"{prefix}bias"]
    else:
        channels = whole(to.output_shape[0])
        scale, shift = to.floats(np.ones(channels)), to.floats(np.zeros(channels))
    statistics = names[f"{prefix}running_mean"], names[f"{prefix}running_var"]
    return to.op("BatchNormalization", x, scale, shift, *statistics, epsilon=eps)


@emitter(LayerNorm)
def layernorm(layer: LayerNorm, to: Emission) -> str:
    """Return the values normalized over all values of a sample, or over the channels of each position."""
    over_all = layer.over == "all"
    y = _normalized(to, to.x, range(1, 2 + to.rank) if over_all else [1], layer.eps)
    if not layer.affine:
        return y
    scale, shift = to.tensors["weight"], to.tensors["bias"]
    if not over_all:
        scale, shift = to.along_channels(scale), to.along_channels(shift)
    return to.op("Add", to.op("Mul", y, scale), shift)


@emitter(GroupNorm)
def groupnorm(layer: GroupNorm, to: Emission) -> str:
    """Return the values normalized within groups of channels."""
    groups = to.op("Reshape", to.x, to.ints([0, whole(layer.groups), -1]))
    y = to.op("Reshape", _normalized(to, groups, [2], layer.eps), to.op("Shape", to.x))
    if not layer.affine:
        return y
    scale, shift = (to.along_channels(to.tensors[name]) for name in ("weight", "bias"))
    return to.op("Add", to.op("Mul", y, scale), shift)


@emitter(InstanceNorm)
def instancenorm(layer: InstanceNorm, to: Emission) -> str:
    """Return the values normalized within each channel."""
    channels = whole(to.shape[0])
    scale = to.tensors["weight"] if layer.affine else to.floats(np.ones(channels))
    shift = to.tensors["bias"] if layer.affine else to.floats(np.zeros(channels))
    return to.op("InstanceNormalization", to.x, scale, shift, epsilon=layer.eps)


def _normalized(to: Emission, x: str, axes: Sequence[int], eps: float) -> str:
    """Return x with mean 0 and variance 1 over axes of the batch."""
    apart = to.op("Sub", x, to.reduced("ReduceMean", x, axes))
    variance = to.reduced("ReduceMean", to.op("Mul", apart, apart), axes)
    return to.op("Div", apart, to.op("Sqrt", to.op("Add", variance, to.floats(eps))))


@emitter(LocalResponseNorm)
def localresponsenorm(layer: LocalResponseNorm, to: Emission) -> str:
    """Return the values divided by the activity of neighboring channels.

    Of an even number of neighbors ``LRN`` has the odd one after, and torch before; and runtimes have it for
    images only.
    """
    if layer.size % 2 and to.rank == 2:
        settings = {"size": layer.size, "alpha": layer.alpha, "beta": layer.beta, "bias": layer.k}
        return to.op("LRN", to.x, **settings)
    squares = to.op("Reshape", to.op("Mul", to.x, to.x), to.ints([0, 1, whole(to.shape[0]), -1]))
    around = to.ints([layer.size // 2, (layer.size - 1) // 2])
    padded = to.op("Pad", squares, around, to.floats(0), to.ints([2]))
    means = to.op("AveragePool", padded, kernel_shape=[layer.size, 1], strides=[1, 1])
    means = to.op("Reshape", means, to.op("Shape", to.x))
    base = to.op("Add", to.op("Mul", means, to.floats(layer.alpha)), to.floats(layer.k))
    return to.op("Div", to.x, to.op("Pow", base, to.floats(layer.beta)))
