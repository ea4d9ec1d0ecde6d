"""Activations. None of them works in place, because another node may read the same tensor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from cnncli.layers import Kind
from cnncli.layers import activation as kinds
from cnncli.network.registry import Sizes, builder


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(x * (2 / 3))


_MAKE: Final[dict[type[Kind[Any]], Callable[[Any], nn.Module]]] = {
    kinds.ReLU: lambda _: nn.ReLU(),
    kinds.ReLU6: lambda _: nn.ReLU6(),
    kinds.LeakyReLU: lambda layer: nn.LeakyReLU(layer.slope),
    kinds.ELU: lambda layer: nn.ELU(layer.alpha),
    kinds.GELU: lambda _: nn.GELU(),
    kinds.SiLU: lambda _: nn.SiLU(),
    kinds.Mish: lambda _: nn.Mish(),
    kinds.Sigmoid: lambda _: nn.Sigmoid(),
    kinds.HardSigmoid: lambda _: nn.Hardsigmoid(),
    kinds.HardSwish: lambda _: nn.Hardswish(),
    kinds.Tanh: lambda _: nn.Tanh(),
    kinds.ScaledTanh: lambda _: ScaledTanh(),
    kinds.Softplus: lambda _: nn.Softplus(),
    kinds.Softmax: lambda _: nn.Softmax(dim=1),
    kinds.LogSoftmax: lambda _: nn.LogSoftmax(dim=1),
}


@builder(*_MAKE)
def activation(layer: Kind[Any], input_shape: Sizes) -> nn.Module:
    """Return the module of an activation that does not depend on the input shape."""
    return _MAKE[type(layer)](layer)


@builder(kinds.PReLU)
def prelu(layer: kinds.PReLU, input_shape: Sizes) -> nn.Module:
    """Return torch's own module; its parameter has one slope, or one for each channel."""
    return nn.PReLU(1 if layer.shared else input_shape[0], layer.start)
