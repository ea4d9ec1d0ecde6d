"""Fully connected layers, and LeNet-5's output layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from cnncli.algebra import whole
from cnncli.layers.dense import RBF, Linear
from cnncli.layers.prototypes import DIGITS
from cnncli.network.initial import initialize
from cnncli.network.registry import Sizes, builder


@builder(Linear)
def linear(layer: Linear, input_shape: Sizes) -> nn.Module:
    """Return torch's own module."""
    module = nn.Linear(input_shape[0], whole(layer.features), bias=layer.bias)
    initialize(module, input_shape[0])
    return module


class Distances(nn.Module):
    """Squared Euclidean distances (n, classes) of vectors (n, features) from constant prototypes."""

    if TYPE_CHECKING:  # TorchScript cannot read annotations of a class that are strings
        prototypes: Tensor

    def __init__(self, prototypes: Tensor) -> None:
        super().__init__()
        self.register_buffer("prototypes", prototypes)

    def forward(self, x: Tensor) -> Tensor:
        # Cancellation in |x|^2 - 2 x w + |w|^2 would hide small differences between classes.
        return (x.unsqueeze(1) - self.prototypes).square().sum(2)


@builder(RBF)
def rbf(layer: RBF, input_shape: Sizes) -> nn.Module:
    """Return a module with the pictures as prototypes, row by row, +1 for ink."""
    ink = [[1.0 if dot == "#" else -1.0 for dot in "".join(rows.split())] for rows in DIGITS]
    return Distances(torch.tensor(ink[: layer.classes]))
