"""Batch normalization with the mean and the variance of a whole batch, of which each process has a share."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnncli.training.world import World


def synchronize(network: nn.Module, world: World) -> None:
    """Let the batch normalizations of a network, in training, normalize by the batch of all processes.

    torch's own ``SyncBatchNorm`` does the same on GPUs only.
    """
    if world.size == 1:
        return
    for each in network.modules():
        if isinstance(each, _BatchNorm):
            each.forward = partial(_forward, each, world)  # type: ignore[method-assign] # of this one alone


def _forward(layer: _BatchNorm, world: World, x: Tensor) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, the two over the samples of all processes.

    Means are subtracted before squares are added up, since a difference of large sums would lose digits.
    """
    if not layer.training:
        plain: Tensor = type(layer).forward(layer, x)
        return plain
    axes, along = [0, *range(2, x.ndim)], (1, -1, *(1 for _ in x.shape[2:]))
    values = x.float()
    own = values.new_tensor([x.numel() // x.shape[1]])
    total, count = _total(world, torch.cat([values.sum(axes), own])).split([x.shape[1], 1])
    mean = total / count
    centered = values - mean.view(along)
    variance = _total(world, centered.square().sum(axes)) / count
    if layer.track_running_stats:
        _track(layer, mean.detach(), (variance * count / (count - 1)).detach())
    found: Tensor = centered * (variance + layer.eps).rsqrt().view(along)
    if layer.affine:
        found = found * layer.weight.view(along) + layer.bias.view(along)
    return found.to(x.dtype)


@torch.no_grad()
def _track(layer: _BatchNorm, mean: Tensor, variance: Tensor) -> None:
    """Let the running statistics follow those of a batch, as torch does."""
    assert layer.num_batches_tracked is not None
    assert layer.running_mean is not None
    assert layer.running_var is not None
    layer.num_batches_tracked.add_(1)
    part = 1 / layer.num_batches_tracked if layer.momentum is None else layer.momentum
    layer.running_mean.lerp_(mean, part)
    layer.running_var.lerp_(variance, part)


def _total(world: World, values: Tensor) -> Tensor:
    found: Tensor = _Sum.apply(world, values)  # type: ignore[no-untyped-call]
    return found


class _Sum(torch.autograd.Function):
    """The sum of a tensor over all processes; its gradient is that of every process, added up."""

    @staticmethod
    def forward(ctx: Any, world: World, values: Tensor) -> Tensor:
        ctx.world = world
        found = values.clone()
        world.add([found])
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        found = gradients[0].clone()
        ctx.world.add([found])
        return None, found
