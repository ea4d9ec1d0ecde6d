"""Convolution and transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor, fx, nn

from cnncli.algebra import whole
from cnncli.layers.conv import Conv, ConvTranspose
from cnncli.layers.geometry.window import native_pads
from cnncli.layers.kind import along
from cnncli.layers.table import Table, connected
from cnncli.network.initial import initialize
from cnncli.network.padding import Amounts, pad, pad_by_size, pads_by_size
from cnncli.network.registry import Sizes, builder, by_rank

fx.wrap("pad")
fx.wrap("pad_by_size")


class _OwnConv(nn.Module):
    """A convolution with mirrored kernels, or padding that torch lacks: uneven, by size, in other modes."""

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        weight: Tensor
        bias: Tensor | None
        stride: tuple[int, ...]
        dilation: tuple[int, ...]
        groups: int
        amounts: Amounts
        mode: str
        value: float
        flip: bool
        axes: list[int]

    def pads_as(self, layer: Conv, input_shape: Sizes) -> None:
        """Set how inputs are padded, and along which axes kernels are mirrored."""
        self.amounts = pads_by_size(layer.windows(input_shape))
        self.mode, self.value = layer.padding_mode, layer.padding_value
        self.flip, self.axes = layer.flip, list(range(2, len(input_shape) + 1))

    def forward(self, x: Tensor) -> Tensor:
        kernels = self.kernels()
        if self.flip:
            kernels = kernels.flip(self.axes)
        padded = pad_by_size(x, self.amounts, self.mode, self.value)
        # Autocast does not know torch.convolution on every device.
        if len(self.amounts) == 1:
            return torch.conv1d(padded, kernels, self.bias, self.stride, [0], self.dilation, self.groups)
        if len(self.amounts) == 2:
            return torch.conv2d(padded, kernels, self.bias, self.stride, [0, 0], self.dilation, self.groups)
        return torch.conv3d(padded, kernels, self.bias, self.stride, [0, 0, 0], self.dilation, self.groups)

    def kernels(self) -> Tensor:
        """Return the kernels [out, in, *kernel]."""
        return self.weight


class OwnConv1d(_OwnConv, nn.Conv1d):
    """Convolution along one axis with its own padding and mirroring."""


class OwnConv2d(_OwnConv, nn.Conv2d):
    """Convolution along two axes with its own padding and mirroring."""


class OwnConv3d(_OwnConv, nn.Conv3d):
    """Convolution along three axes with its own padding and mirroring."""


CONV: Final[dict[int, type[Any]]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_OWN: Final[dict[int, type[Any]]] = {1: OwnConv1d, 2: OwnConv2d, 3: OwnConv3d}


class TableConv(_OwnConv):
    """Convolution with a kernel for each connection of a table, and zeros where there is no connection.

    Multiplying by the zeros is faster than omitting them: on a CPU, for LeNet-5, three to five times.
    Kernels and zeros are joined with split and concatenate, because indexing is not deterministic on every
    device.
    """

    def __init__(self, layer: Conv, table: Table, input_shape: Sizes) -> None:
        super().__init__()
        rank = len(input_shape) - 1
        self.pads_as(layer, input_shape)
        channels, self.kernel = whole(layer.channels), list(along(layer.kernel, rank))
        self.weight = nn.Parameter(torch.empty(connected(table), *self.kernel))
        self.bias = nn.Parameter(torch.empty(channels)) if layer.bias else None
        self.stride, self.dilation, self.groups = along(layer.stride, rank), along(layer.dilation, rank), 1
        self.shape = [channels, input_shape[0], *self.kernel]
        places = [out * input_shape[0] + channel for out, row in enumerate(table) for channel in row]
        self.runs, self.gaps = _runs_and_gaps(places, channels * input_shape[0])

    def kernels(self) -> Tensor:
        zeros = self.weight.new_zeros([sum(self.gaps)] + self.kernel)  # noqa: RUF005 - for TorchScript
        runs = torch.split_with_sizes(self.weight, self.runs)
        gaps = torch.split_with_sizes(zeros, self.gaps)
        parts = [gaps[0]]
        for place in range(len(self.runs)):
            parts += [runs[place], gaps[place + 1]]
        return torch.cat(parts).view(self.shape)


def _runs_and_gaps(places: Sequence[int], end: int) -> tuple[list[int], list[int]]:
    """Return the lengths of runs of consecutive places, and of the gaps before, between and after them.

    ``places`` are in ascending order, below ``end``.
    """
    runs: list[int] = []
    gaps: list[int] = []
    expected = 0
    for place in places:
        if place == expected and runs:
            runs[-1] += 1
        else:
            gaps.append(place - expected)
            runs.append(1)
        expected = place + 1
    return runs, [*gaps, end - expected]


@builder(Conv)
def conv(layer: Conv, input_shape: Sizes) -> nn.Module:
    """Return torch's own module if it supports the arguments, otherwise one with the same parameter names."""
    area = prod(along(layer.kernel, len(input_shape) - 1))
    if layer.table is None:
        module, channels = _dense(layer, input_shape), input_shape[0] / whole(layer.groups)
    else:
        module = TableConv(layer, layer.table, input_shape)
        channels = connected(layer.table) / whole(layer.channels)
    initialize(module, channels * area)
    return module


def _dense(layer: Conv, input_shape: Sizes) -> nn.Module:
    """Return a convolution in which every output channel reads every input channel of its group."""
    rank = len(input_shape) - 1
    windows = layer.windows(input_shape)
    kernel, stride, dilation = (along(each, rank) for each in (layer.kernel, layer.stride, layer.dilation))
    settings = {"stride": stride, "dilation": dilation, "groups": layer.groups, "bias": layer.bias}
    channels = input_shape[0], layer.channels
    module: Any
    if layer.is_native(input_shape):
        module = by_rank(CONV, input_shape)(*channels, kernel, padding=native_pads(windows), **settings)
    else:
        module = by_rank(_OWN, input_shape)(*channels, kernel, **settings)
        module.pads_as(layer, input_shape)
    assert isinstance(module, nn.Module)
    return module


class _CutsAfter(nn.Module):
    """Adds up whole kernels, then cuts or pads the result in a way that torch's arguments cannot express."""

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        weight: Tensor
        bias: Tensor | None
        stride: tuple[int, ...]
        dilation: tuple[int, ...]
        groups: int
        margins: list[tuple[int, int]]

    def forward(self, x: Tensor) -> Tensor:
        y = pad(self.summed(x), self.margins)
        bias = self.bias
        return y if bias is None else y + bias.to(y.dtype).view([-1] + [1] * len(self.margins))

    def summed(self, x: Tensor) -> Tensor:
        """Return the sums of all kernels, without the bias."""
        kernels, stride, dilation, groups = self.weight, self.stride, self.dilation, self.groups
        # Autocast does not know torch.convolution on every device.
        if len(self.margins) == 1:
            return torch.conv_transpose1d(x, kernels, None, stride, [0], [0], groups, dilation)
        if len(self.margins) == 2:
            return torch.conv_transpose2d(x, kernels, None, stride, [0, 0], [0, 0], groups, dilation)
        return torch.conv_transpose3d(x, kernels, None, stride, [0, 0, 0], [0, 0, 0], groups, dilation)


class CutConvTranspose1d(_CutsAfter, nn.ConvTranspose1d):  # type: ignore[misc]  # no output_size
    """Transposed convolution along one axis, cut afterwards."""


class CutConvTranspose2d(_CutsAfter, nn.ConvTranspose2d):  # type: ignore[misc]  # no output_size
    """Transposed convolution along two axes, cut afterwards."""


class CutConvTranspose3d(_CutsAfter, nn.ConvTranspose3d):  # type: ignore[misc]  # no output_size
    """Transposed convolution along three axes, cut afterwards."""


_TRANSPOSED: Final[dict[int, type[Any]]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
_CUT: Final[dict[int, type[Any]]] = {1: CutConvTranspose1d, 2: CutConvTranspose2d, 3: CutConvTranspose3d}


@builder(ConvTranspose)
def convtranspose(layer: ConvTranspose, input_shape: Sizes) -> nn.Module:
    """Return torch's own module if it can cut as required, otherwise one that cuts afterwards.

    torch removes ``before`` at both ends and can add a limited ``output_padding`` at the end.
    """
    windows = layer.windows(input_shape)
    native = layer.is_native(input_shape)
    settings = {
        "kernel_size": tuple(window.kernel for window in windows),
        "stride": tuple(window.stride for window in windows),
        "dilation": tuple(window.dilation for window in windows),
        "groups": layer.groups,
        "bias": layer.bias,
    }
    if native:
        extra = tuple(window.uneven for window in windows)
        settings |= {"padding": tuple(window.before for window in windows), "output_padding": extra}
    make = by_rank(_TRANSPOSED if native else _CUT, input_shape)
    module: nn.Module = make(input_shape[0], layer.channels, **settings)
    if not native:
        module.margins = [(-window.before, window.output_padding - window.after) for window in windows]  # type: ignore[assignment]
    # Copies of the kernel overlap: on average, this many contribute to an output along each axis.
    overlap = prod(window.kernel / window.stride for window in windows)
    initialize(module, max(input_shape[0] // whole(layer.groups) * overlap, 1))
    return module
