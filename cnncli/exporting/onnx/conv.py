"""Convolution and transposed convolution."""

from __future__ import annotations

import numpy as np

from cnncli.algebra import whole
from cnncli.exporting.onnx.emission import Emission
from cnncli.exporting.onnx.padding import Amounts, constant, pad, pads
from cnncli.exporting.onnx.registry import emitter
from cnncli.layers.conv import Conv, ConvTranspose
from cnncli.layers.kind import along
from cnncli.layers.table import Table, connected


@emitter(Conv)
def conv(layer: Conv, to: Emission) -> str:
    """Return a convolution; what ``Conv`` cannot pad is padded before."""
    amounts = pads(to, layer.windows(to.shape))
    fixed = constant(amounts)
    zeros = layer.padding_mode == "zeros" or (layer.padding_mode, layer.padding_value) == ("constant", 0)
    x = to.x
    if fixed is None or not zeros:
        x = pad(to, x, amounts, layer.padding_mode, layer.padding_value)
        fixed = [(0, 0)] * to.rank
    kernels = to.tensors["weight"] if layer.table is None else _spread(layer, layer.table, to)
    if layer.flip:
        kernels = to.flipped(kernels, to.axes)
    bias = [to.tensors["bias"]] if layer.bias else []
    return to.op(
        "Conv",
        x,
        kernels,
        *bias,
        kernel_shape=along(layer.kernel, to.rank),
        strides=along(layer.stride, to.rank),
        dilations=along(layer.dilation, to.rank),
        group=whole(layer.groups),
        pads=sides(fixed),
    )


def sides(amounts: list[tuple[int, int]]) -> list[int]:
    """Return pads as an attribute: those before along every axis, then those after."""
    return [before for before, _ in amounts] + [after for _, after in amounts]


def _spread(layer: Conv, table: Table, to: Emission) -> str:
    """Return the kernels [out, in, *kernel] of a table, with zeros where there is no connection."""
    channels, kernel = whole(to.shape[0]), along(layer.kernel, to.rank)
    places = np.full((len(table), channels), connected(table))
    places[
        [row for row, reads in enumerate(table) for _ in reads], [each for row in table for each in row]
    ] = np.arange(connected(table))
    kernels = to.op("Concat", to.tensors["weight"], to.floats(np.zeros((1, *kernel))), axis=0)
    return to.op("Gather", kernels, to.constant(places, np.int64), axis=0)


@emitter(ConvTranspose)
def convtranspose(layer: ConvTranspose, to: Emission) -> str:
    """Return a transposed convolution; what ``ConvTranspose`` cannot cut or add is done after."""
    windows = layer.windows(to.shape)
    inside = all(0 <= each.output_padding < each.stride for each in windows)
    cut = [(each.before, each.after) for each in windows] if inside else [(0, 0)] * to.rank
    extra = [each.output_padding if inside else 0 for each in windows]
    bias = [to.tensors["bias"]] if layer.bias else []
    y = to.op(
        "ConvTranspose",
        to.x,
        to.tensors["weight"],
        *(bias if inside else ()),
        kernel_shape=[each.kernel for each in windows],
        strides=[each.stride for each in windows],
        dilations=[each.dilation for each in windows],
        group=whole(layer.groups),
        pads=sides(cut),
        output_padding=extra,
    )
    if inside:
        return y
    margins: Amounts = [(-each.before, each.output_padding - each.after) for each in windows]
    y = pad(to, y, margins)
    return to.op("Add", y, to.along_channels(bias[0])) if bias else y
