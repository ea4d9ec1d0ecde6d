"""Fully connected layers."""

from __future__ import annotations

from torch import nn

from cnncli.layers.dense import Linear
from cnncli.network.initial import initialise
from cnncli.network.registry import Sizes, builder


@builder(Linear)
def linear(kind: Linear, x: Sizes) -> nn.Module:
    """PyTorch's own."""
    module = nn.Linear(x[0], kind.features, bias=kind.bias)
    initialise(module, x[0])
    return module
