"""Normalization."""

from __future__ import annotations

from typing import Any, Final

from torch import Tensor, nn
from torch.nn import functional

from cnncli.algebra import whole
from cnncli.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm
from cnncli.network.registry import Sizes, builder, by_rank

BATCH_NORM: Final[dict[int, type[Any]]] = {
    0: nn.BatchNorm1d,
    1: nn.BatchNorm1d,
    2: nn.BatchNorm2d,
    3: nn.BatchNorm3d,
}
_INSTANCE_NORM: Final[dict[int, type[Any]]] = {
    1: nn.InstanceNorm1d,
    2: nn.InstanceNorm2d,
    3: nn.InstanceNorm3d,
}


@builder(BatchNorm)
def batchnorm(layer: BatchNorm, input_shape: Sizes) -> nn.Module:
    """Return torch's own module, which has the counter ``num_batches_tracked`` as an additional buffer."""
    make = by_rank(BATCH_NORM, input_shape)
    module: nn.Module = make(input_shape[0], layer.eps, layer.momentum, affine=layer.affine)
    return module


class SampleNorm(nn.Module):
    """Layer normalization without scale and shift, for inputs of any size."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return functional.layer_norm(x, x.shape[1:], eps=self.eps)


class ChannelNorm(nn.LayerNorm):
    """Layer normalization over the channels of each position."""

    def forward(self, x: Tensor) -> Tensor:
        last = x.movedim(1, -1)
        y = functional.layer_norm(last, self.normalized_shape, self.weight, self.bias, self.eps)
        return y.movedim(-1, 1)


@builder(LayerNorm)
def layernorm(layer: LayerNorm, input_shape: Sizes) -> nn.Module:
    """Return the module; with ``over: all`` and ``affine`` it accepts the spec's input size only."""
    if layer.over == "channels":
        return ChannelNorm(input_shape[0], layer.eps, elementwise_affine=layer.affine)
    return nn.LayerNorm(input_shape, layer.eps) if layer.affine else SampleNorm(layer.eps)


@builder(GroupNorm)
def groupnorm(layer: GroupNorm, input_shape: Sizes) -> nn.Module:
    """Return torch's own module."""
    return nn.GroupNorm(whole(layer.groups), input_shape[0], layer.eps, layer.affine)


@builder(InstanceNorm)
def instancenorm(layer: InstanceNorm, input_shape: Sizes) -> nn.Module:
    """Return torch's own module, without running statistics."""
    module: nn.Module = by_rank(_INSTANCE_NORM, input_shape)(input_shape[0], layer.eps, affine=layer.affine)
    return module


@builder(LocalResponseNorm)
def localresponsenorm(layer: LocalResponseNorm, input_shape: Sizes) -> nn.Module:
    """Return torch's own module, which divides alpha by the size."""
    return nn.LocalResponseNorm(layer.size, layer.alpha, layer.beta, layer.k)
