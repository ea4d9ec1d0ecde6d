"""Capsules with routing by agreement, and the layers that read them."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from cnncli.algebra import whole
from cnncli.layers.capsules import CapsuleLength, CapsuleMask, Capsules
from cnncli.network.initial import initialize
from cnncli.network.registry import Sizes, builder

# This function depends on the dtype, which torch.fx does not know, so calls are recorded as they are.
fx.wrap("_root")


class Routing(nn.Module):
    """Every input capsule predicts every output capsule, and predictions that agree get more weight.

    Maps (n, channels, *positions) to output capsules (n, count, size).
    """

    def __init__(self, layer: Capsules, input_shape: Sizes) -> None:
        super().__init__()
        self.reads, self.routings = layer.reads, layer.routings
        self.outputs = prod(input_shape) // layer.reads, whole(layer.count), whole(layer.size)
        self.weight = nn.Parameter(torch.empty(*self.outputs, layer.reads))

    def forward(self, x: Tensor) -> Tensor:
        u = _squash(x.unflatten(1, (-1, self.reads)).movedim(2, -1).flatten(1, -2))
        inputs, count, size = self.outputs
        # Input capsules come first, which makes summing over them fast: [inputs, n, count, size].
        predictions = torch.bmm(u.transpose(0, 1), self.weight.flatten(1, 2).transpose(1, 2))
        predictions = predictions.view(inputs, x.shape[0], count, size)
        logits = predictions.new_zeros(predictions.shape[:-1])
        v = _agreed(predictions, logits)
        for _ in range(self.routings - 1):
            logits = logits + (predictions * v).sum(-1)
            v = _agreed(predictions, logits)
        return v


def _agreed(predictions: Tensor, logits: Tensor) -> Tensor:
    """Return the output capsules [n, count, size]: predictions weighted by the softmax of the logits."""
    coupling = functional.softmax(logits, -1).unsqueeze(-1)
    return _squash((coupling * predictions).sum(0))


def _squash(s: Tensor) -> Tensor:
    """Return |s|^2 / (1 + |s|^2) s / |s| along the last axis (Sabour et al., 2017, equation 1)."""
    square = s.square().sum(-1, keepdim=True)
    return s * (square / (1 + square) / _root(square))


def _root(
    square: Tensor,
    half: float = torch.finfo(torch.float16).tiny,
    single: float = torch.finfo(torch.float32).tiny,
    double: float = torch.finfo(torch.float64).tiny,
) -> Tensor:
    """Return the square root plus the smallest normal number, so that its derivative at zero is finite.

    The smallest numbers are arguments because TorchScript does not support ``finfo``.
    """
    if square.dtype == torch.float64:
        return (square + double).sqrt()
    return (square + (half if square.dtype == torch.float16 else single)).sqrt()


@builder(Capsules)
def capsules(layer: Capsules, input_shape: Sizes) -> nn.Module:
    """Return a module whose output capsules initially have a length of about 1/5.

    A sum s of predictions by capsules of length 1, each coupled by 1 / count, has an expected |s|^2 of
    size * inputs * variance / count^2. It is set to 1/4, because squashing a long vector has a vanishing
    derivative.
    """
    module = Routing(layer, input_shape)
    initialize(module, 8 * whole(layer.size) * len(module.weight) / whole(layer.count) ** 2)
    return module


def _lengths(x: Tensor) -> Tensor:
    """Return the Euclidean length of every channel over all of its positions: (n, channels)."""
    return _root(x.flatten(2).square().sum(-1))


class Lengths(nn.Module):
    """The length of each capsule: (n, capsules, *values) to (n, capsules)."""

    def forward(self, x: Tensor) -> Tensor:
        return _lengths(x)


@builder(CapsuleLength)
def capsulelength(layer: CapsuleLength, input_shape: Sizes) -> nn.Module:
    """Return a module that computes lengths over all positions."""
    return Lengths()


class Longest(nn.Module):
    """The longest capsule of each sample, with zeros for the others; only its gradient is passed on."""

    def __init__(self, input_shape: Sizes) -> None:
        super().__init__()
        self.shape = [input_shape[0], *(1,) * (len(input_shape) - 1)]

    def forward(self, x: Tensor) -> Tensor:
        lengths = _lengths(x)
        chosen = functional.one_hot(lengths.argmax(1), x.shape[1]).to(x.dtype)
        return x * chosen.view([x.shape[0]] + self.shape)  # noqa: RUF005 - for TorchScript


@builder(CapsuleMask)
def capsulemask(layer: CapsuleMask, input_shape: Sizes) -> nn.Module:
    """Return a module that masks by length."""
    return Longest(input_shape)
