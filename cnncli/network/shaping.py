"""Layers that rearrange, resize, cut or pass on values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from torch import Tensor, fx, nn
from torch.nn import functional

from cnncli.algebra import whole, whole_shape
from cnncli.layers.geometry.window import Window
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
from cnncli.network.conv import CONV
from cnncli.network.initial import initialize
from cnncli.network.norm import BATCH_NORM
from cnncli.network.padding import pad_by_size, pads_by_size
from cnncli.network.registry import Sizes, builder, by_rank

fx.wrap("pad_by_size")

_LINEAR: Final = {1: "linear", 2: "bilinear", 3: "trilinear"}


@builder(Identity)
def identity(layer: Identity, input_shape: Sizes) -> nn.Module:
    """Return torch's own module."""
    return nn.Identity()


@builder(Flatten)
def flatten(layer: Flatten, input_shape: Sizes) -> nn.Module:
    """Return torch's own module."""
    return nn.Flatten()


class Reshaped(nn.Module):
    """Reshapes each sample."""

    def __init__(self, shape: Sizes) -> None:
        super().__init__()
        self.shape = list(shape)

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape([x.shape[0]] + self.shape)  # noqa: RUF005 - for TorchScript


@builder(Reshape)
def reshape(layer: Reshape, input_shape: Sizes) -> nn.Module:
    """Return a module that keeps the batch."""
    return Reshaped(whole_shape(layer.shape))


class Resized(nn.Module):
    """Interpolation by a factor along each axis, or to a size."""

    def __init__(self, scale: Sequence[float] | None, size: Sizes | None, mode: str) -> None:
        super().__init__()
        self.scale: list[float] | None = None if scale is None else [*scale]
        self.size: list[int] | None = None if size is None else [*size]
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        return functional.interpolate(x, size=self.size, scale_factor=self.scale, mode=self.mode)


@builder(Upsample)
def upsample(layer: Upsample, input_shape: Sizes) -> nn.Module:
    """Return a module that interpolates.

    Repetition uses ``nearest-exact``, because ``nearest`` picks a wrong neighbor for factors such as 49.
    """
    mode = "nearest-exact" if layer.mode == "nearest" else by_rank(_LINEAR, input_shape)
    rank = len(input_shape) - 1
    scale = None if layer.scale is None else [float(each) for each in along(layer.scale, rank)]
    return Resized(scale, None if layer.size is None else along(layer.size, rank), mode)


@builder(PixelShuffle)
def pixelshuffle(layer: PixelShuffle, input_shape: Sizes) -> nn.Module:
    """Return torch's own module."""
    return nn.PixelShuffle(layer.scale)


class Interleaved(nn.Module):
    """Reorders channels: the first of every group, then the second of every group, and so on."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, x: Tensor) -> Tensor:
        grouped: Tensor = x.unflatten(1, (self.groups, -1))
        return grouped.transpose(1, 2).flatten(1, 2)


@builder(ChannelShuffle)
def channelshuffle(layer: ChannelShuffle, input_shape: Sizes) -> nn.Module:
    """Return a shuffle of our own, because torch's has no derivative on some devices."""
    return Interleaved(whole(layer.groups))


class Framed(nn.Module):
    """Adds or cuts positions at the borders."""

    def __init__(self, windows: Sequence[Window], mode: str = "zeros", value: float = 0.0) -> None:
        super().__init__()
        self.amounts = pads_by_size(windows)
        self.mode, self.value = mode, value

    def forward(self, x: Tensor) -> Tensor:
        return pad_by_size(x, self.amounts, self.mode, self.value)


@builder(Crop)
def crop(layer: Crop, input_shape: Sizes) -> nn.Module:
    """Return a module that pads by negative amounts."""
    return Framed(layer.windows(input_shape))


@builder(Pad)
def pad(layer: Pad, input_shape: Sizes) -> nn.Module:
    """Return a module that pads, in any mode."""
    return Framed(layer.windows(input_shape), layer.mode, layer.value)


class StridedIdentity(nn.Module):
    """Takes every stride-th position and appends channels of zeros."""

    def __init__(self, stride: int, extra: int, rank: int) -> None:
        super().__init__()
        self.stride, self.rank = stride, rank
        self.margins = [0, 0] * rank + [0, extra]

    def forward(self, x: Tensor) -> Tensor:
        if self.rank == 1:
            x = x[:, :, :: self.stride]
        elif self.rank == 2:
            x = x[:, :, :: self.stride, :: self.stride]
        else:
            x = x[:, :, :: self.stride, :: self.stride, :: self.stride]
        return functional.pad(x, self.margins)


@builder(Shortcut)
def shortcut(layer: Shortcut, input_shape: Sizes) -> nn.Module:
    """Return the identity, a projection (option B) or a module that appends zeros (option A)."""
    if layer.is_identity(input_shape):
        return nn.Identity()
    if not layer.projects(input_shape):
        return StridedIdentity(layer.stride, whole(layer.channels) - input_shape[0], len(input_shape) - 1)
    conv = by_rank(CONV, input_shape)(input_shape[0], layer.channels, 1, stride=layer.stride, bias=False)
    initialize(conv, input_shape[0])
    norm = by_rank(BATCH_NORM, input_shape)
    return nn.Sequential(conv, norm(layer.channels, layer.eps, layer.momentum, affine=layer.affine))
