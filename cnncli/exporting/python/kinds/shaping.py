"""Fully connected layers, capsules, layers of training, and those that rearrange values."""

from __future__ import annotations

from math import prod

from cnncli.algebra import whole, whole_shape
from cnncli.exporting.python.expressions import Arg, Call
from cnncli.exporting.python.kinds.registry import Sizes, each, emitter, first, pads_of
from cnncli.layers.capsules import Capsules
from cnncli.layers.dense import RBF, Linear
from cnncli.layers.kind import along
from cnncli.layers.regularization import Dropout, Dropout2d, DropPath, Noise
from cnncli.layers.shaping import ChannelShuffle, Crop, Pad, PixelShuffle, Reshape, Upsample


@emitter(Linear)
def _linear(layer: Linear, input_shape: Sizes) -> Call:
    sizes = (first("in_features", input_shape[0]), first("out_features", whole(layer.features)))
    return Call("nn.Linear", (*sizes, Arg("bias", layer.bias, True)))


@emitter(RBF)
def _rbf(layer: RBF, input_shape: Sizes) -> Call:
    return Call("DigitDistances", (first("classes", layer.classes),))


@emitter(Capsules)
def _capsules(layer: Capsules, input_shape: Sizes) -> Call:
    arguments = (
        first("inputs", prod(input_shape) // layer.reads),
        first("count", whole(layer.count)),
        first("size", whole(layer.size)),
        Arg("reads", layer.reads),
        Arg("routings", layer.routings),
    )
    return Call("Capsules", arguments)


@emitter(Dropout)
def _dropout(layer: Dropout, input_shape: Sizes) -> Call:
    return Call("nn.Dropout", (first("p", layer.probability),))


@emitter(Dropout2d)
def _dropout2d(layer: Dropout2d, input_shape: Sizes) -> Call:
    return Call(f"nn.Dropout{len(input_shape) - 1}d", (first("p", layer.probability),))


@emitter(DropPath)
def _droppath(layer: DropPath, input_shape: Sizes) -> Call:
    return Call("DropPath", (first("p", layer.probability),))


@emitter(Noise)
def _noise(layer: Noise, input_shape: Sizes) -> Call:
    return Call("GaussianNoise", (first("sigma", layer.sigma),))


@emitter(Reshape)
def _reshape(layer: Reshape, input_shape: Sizes) -> Call:
    return Call("Reshape", (first("shape", whole_shape(layer.shape)),))


@emitter(Upsample)
def _upsample(layer: Upsample, input_shape: Sizes) -> Call:
    rank = len(input_shape) - 1
    # torch's "nearest" picks a wrong neighbor for some factors.
    mode = {1: "linear", 2: "bilinear", 3: "trilinear"}[rank] if layer.mode == "bilinear" else "nearest-exact"
    scale = None if layer.scale is None else each([float(each) for each in along(layer.scale, rank)])
    size = None if layer.size is None else each(along(layer.size, rank))
    return Call("nn.Upsample", (Arg("size", size, None), Arg("scale_factor", scale, None), Arg("mode", mode)))


@emitter(PixelShuffle)
def _pixelshuffle(layer: PixelShuffle, input_shape: Sizes) -> Call:
    return Call("nn.PixelShuffle", (first("upscale_factor", layer.scale),))


@emitter(ChannelShuffle)
def _channelshuffle(layer: ChannelShuffle, input_shape: Sizes) -> Call:
    return Call("ChannelShuffle", (first("groups", whole(layer.groups)),))


@emitter(Crop)
def _crop(layer: Crop, input_shape: Sizes) -> Call:
    return Call("Pad", (first("pads", pads_of(layer.windows(input_shape))),))


@emitter(Pad)
def _pad(layer: Pad, input_shape: Sizes) -> Call:
    amounts = first("pads", pads_of(layer.windows(input_shape)))
    return Call("Pad", (amounts, Arg("mode", layer.mode, "zeros"), Arg("value", layer.value, 0.0)))
