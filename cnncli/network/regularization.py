"""Layers that act in training only; they draw from torch's generator of the tensor's device."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncli.layers.regularization import Dropout, Dropout2d, DropPath, Noise
from cnncli.network.registry import Sizes, builder, by_rank

_CHANNEL_DROPOUT: Final[dict[int, type[Any]]] = {1: nn.Dropout1d, 2: nn.Dropout2d, 3: nn.Dropout3d}


@builder(Dropout)
def dropout(layer: Dropout, input_shape: Sizes) -> nn.Module:
    """Return torch's own module."""
    return nn.Dropout(layer.probability)


@builder(Dropout2d)
def dropout2d(layer: Dropout2d, input_shape: Sizes) -> nn.Module:
    """Return torch's own module for whole channels."""
    module: nn.Module = by_rank(_CHANNEL_DROPOUT, input_shape)(layer.probability)
    return module


class SampleDropout(nn.Module):
    """Sets whole samples to 0 with a given probability and scales the others up."""

    def __init__(self, probability: float, rank: int) -> None:
        super().__init__()
        self.probability = probability
        self.each = [1] * rank

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        kept = x.new_ones([x.shape[0]] + self.each)  # noqa: RUF005 - for TorchScript
        return x * functional.dropout(kept, self.probability)


@builder(DropPath)
def droppath(layer: DropPath, input_shape: Sizes) -> nn.Module:
    """Return a module that draws once for each sample."""
    return SampleDropout(layer.probability, len(input_shape))


class GaussianNoise(nn.Module):
    """Adds noise of standard deviation ``sigma``."""

    def __init__(self, sigma: float) -> None:
        super().__init__()
        self.sigma = sigma

    def forward(self, x: Tensor) -> Tensor:
        return x + self.sigma * torch.randn_like(x) if self.training else x


@builder(Noise)
def noise(layer: Noise, input_shape: Sizes) -> nn.Module:
    """Return a module that draws once for each value."""
    return GaussianNoise(layer.sigma)
