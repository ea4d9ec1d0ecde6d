"""Convolution, transposed convolution and shortcuts."""

from __future__ import annotations

from cnncli.algebra import whole
from cnncli.exporting.python.expressions import Arg, Call
from cnncli.exporting.python.kinds.registry import Sizes, each, emitter, first, pads_of
from cnncli.layers.conv import Conv, ConvTranspose
from cnncli.layers.geometry.window import native_pads
from cnncli.layers.kind import along
from cnncli.layers.shaping import Shortcut


@emitter(Conv)
def _conv(layer: Conv, input_shape: Sizes) -> Call:
    rank, windows = len(input_shape) - 1, layer.windows(input_shape)
    channels = (first("in_channels", input_shape[0]), first("out_channels", whole(layer.channels)))
    kernel = first("kernel_size", each(along(layer.kernel, rank)))
    common = (
        Arg("stride", each(along(layer.stride, rank)), 1),
        Arg("dilation", each(along(layer.dilation, rank)), 1),
    )
    groups, bias = Arg("groups", whole(layer.groups), 1), Arg("bias", layer.bias, True)
    if layer.is_native(input_shape):
        pads = native_pads(windows)
        assert pads is not None
        stride, dilation = common
        padding = Arg("padding", each(pads), 0)
        return Call(f"nn.Conv{rank}d", (*channels, kernel, stride, padding, dilation, groups, bias))
    own = (
        Arg("pads", pads_of(windows)),
        Arg("mode", layer.padding_mode, "zeros"),
        Arg("value", layer.padding_value, 0.0),
        Arg("flip", layer.flip, False),
    )
    if layer.table is None:
        return Call(f"PaddedConv{rank}d", (*channels, kernel, *common, groups, bias, *own))
    table = Arg("table", layer.table)
    return Call(f"TableConv{rank}d", (*channels, kernel, table, *common, bias, *own))


@emitter(ConvTranspose)
def _convtranspose(layer: ConvTranspose, input_shape: Sizes) -> Call:
    windows = layer.windows(input_shape)
    arguments = (
        first("in_channels", input_shape[0]),
        first("out_channels", whole(layer.channels)),
        first("kernel_size", each([window.kernel for window in windows])),
        Arg("stride", each([window.stride for window in windows]), 1),
        Arg("dilation", each([window.dilation for window in windows]), 1),
        Arg("groups", whole(layer.groups), 1),
        Arg("bias", layer.bias, True),
    )
    if layer.is_native(input_shape):
        own: tuple[Arg, ...] = (
            Arg("padding", each([window.before for window in windows]), 0),
            Arg("output_padding", each([window.uneven for window in windows]), 0),
        )
        return Call(f"nn.ConvTranspose{len(windows)}d", (*arguments, *own))
    margins = tuple((-window.before, window.output_padding - window.after) for window in windows)
    return Call(f"CutConvTranspose{len(windows)}d", (*arguments, Arg("margins", margins)))


@emitter(Shortcut)
def _shortcut(layer: Shortcut, input_shape: Sizes) -> Call:
    rank = len(input_shape) - 1
    arguments = (
        first("in_channels", input_shape[0]),
        first("out_channels", whole(layer.channels)),
        Arg("stride", layer.stride, 1),
    )
    if layer.mode == "pad":
        return Call("PaddedShortcut", arguments)
    norm = (
        Arg("eps", layer.eps, 1e-5),
        Arg("momentum", layer.momentum, 0.1),
        Arg("affine", layer.affine, True),
    )
    return Call(f"shortcut{rank}d", (*arguments, *norm))
