"""Layers that rearrange, resize, cut or pass on values."""

from __future__ import annotations

import numpy as np

from cnncli.algebra import whole, whole_shape
from cnncli.exporting.onnx.emission import END, Emission, Number, Whole
from cnncli.exporting.onnx.norm import with_statistics
from cnncli.exporting.onnx.padding import pad, pads
from cnncli.exporting.onnx.registry import emitter
from cnncli.layers.geometry.resampling import Resampled
from cnncli.layers.geometry.window import TransposedWindow
from cnncli.layers.kind import along
from cnncli.layers.shaping import (
    ChannelShuffle,
    Crop,
    Flatten,
    Identity,
    Pad,
    PixelShuffle,
    Reshape,
    Shortcut,
    Upsample,
)


@emitter(Identity)
def identity(layer: Identity, to: Emission) -> str:
    """Return the input."""
    return to.op("Identity", to.x)


@emitter(Flatten)
def flatten(layer: Flatten, to: Emission) -> str:
    """Return all values of a sample as a vector."""
    return to.op("Flatten", to.x, axis=1)


@emitter(Reshape)
def reshape(layer: Reshape, to: Emission) -> str:
    """Return the values of each sample in another shape; 0 keeps the batch."""
    return to.op("Reshape", to.x, to.ints([0, *whole_shape(layer.shape)]))


@emitter(Upsample)
def upsample(layer: Upsample, to: Emission) -> str:
    """Return the map in another size.

    Nearest inputs are gathered by whole numbers, which are exact for every factor; ``Resize`` interpolates.
    """
    windows = layer.windows(to.shape)
    if layer.mode == "nearest":
        y = to.x
        for axis, window in enumerate(windows):
            y = _nearest(to, y, axis, window)
        return y
    empty = to.floats([])
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    if layer.scale is None:
        sizes = to.ints([*along(layer.size or 1, to.rank)])
        return to.op("Resize", to.x, empty, "", sizes, axes=to.axes, **how)
    scales = to.floats([*map(float, along(layer.scale, to.rank))])
    return to.op("Resize", to.x, empty, scales, axes=to.axes, **how)


def _nearest(to: Emission, x: str, axis: int, window: TransposedWindow | Resampled) -> str:
    """Return x in the size along an axis that a window gives."""
    n = to.size(axis)
    if isinstance(window, TransposedWindow):
        return nearest(to, x, axis, n * window.stride, (window.stride, 1))
    if window.down:
        return nearest(to, x, axis, n * window.up // window.down, (window.up, window.down))
    return nearest(to, x, axis, window.up, (window.up, n))


def nearest(to: Emission, x: str, axis: int, count: Whole, ratio: tuple[Whole, Whole]) -> str:
    """Return ``count`` positions along a spatial axis, each the nearest one of x: floor((2i + 1) q / (2p)).

    ``ratio`` is (p, q): p outputs take the place of q inputs. Both are small or sizes, so that products are
    far below 2^63.
    """
    up, down = ratio
    if isinstance(count, int) and isinstance(up, int) and isinstance(down, int):
        places = to.ints([(2 * place + 1) * down // (2 * up) for place in range(count)])
    else:
        end = to.op("Squeeze", to.wholes([count]))
        steps = to.op("Range", to.constant(0, np.int64), end, to.constant(1, np.int64))
        doubled: Whole = up * 2
        places = ((Number(to, steps) * 2 + 1) * down // doubled).name
    return to.op("Gather", x, places, axis=2 + axis)


@emitter(PixelShuffle)
def pixelshuffle(layer: PixelShuffle, to: Emission) -> str:
    """Return channels as positions; of the channels of one output, the row comes before the column."""
    return to.op("DepthToSpace", to.x, blocksize=layer.scale, mode="CRD")


@emitter(ChannelShuffle)
def channelshuffle(layer: ChannelShuffle, to: Emission) -> str:
    """Return the first channel of every group, then the second, and so on."""
    groups, channels = whole(layer.groups), whole(to.shape[0])
    grouped = to.op("Reshape", to.x, to.ints([0, groups, channels // groups, -1]))
    return to.op("Reshape", to.op("Transpose", grouped, perm=[0, 2, 1, 3]), to.op("Shape", to.x))


@emitter(Crop)
def crop(layer: Crop, to: Emission) -> str:
    """Return the map without positions at its borders."""
    return pad(to, to.x, pads(to, layer.windows(to.shape)))


@emitter(Pad)
def padded(layer: Pad, to: Emission) -> str:
    """Return the map with positions around it."""
    return pad(to, to.x, pads(to, layer.windows(to.shape)), layer.mode, layer.value)


@emitter(Shortcut)
def shortcut(layer: Shortcut, to: Emission) -> str:
    """Return the input, a projection (option B), or strided positions and channels of zeros (option A)."""
    if layer.is_identity(to.shape):
        return to.op("Identity", to.x)
    rank = to.rank
    if layer.projects(to.shape):
        settings = {"kernel_shape": [1] * rank, "strides": [layer.stride] * rank}
        y = to.op("Conv", to.x, to.tensors["0.weight"], **settings)
        return with_statistics(to, y, "1.", affine=layer.affine, eps=layer.eps)
    steps = to.ints([layer.stride] * rank)
    y = to.op("Slice", to.x, to.ints([0] * rank), to.ints([END] * rank), to.ints(to.axes), steps)
    extra = whole(layer.channels) - whole(to.shape[0])
    return to.op("Pad", y, to.ints([0, extra]), to.floats(0), to.ints([1]))
