"""Activations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cnncli.exporting.onnx.emission import Emission
from cnncli.exporting.onnx.registry import emitter
from cnncli.layers import Kind
from cnncli.layers import activation as kinds

_EMIT: Final[dict[type[Kind[Any]], Callable[[Any, Emission], str]]] = {
    kinds.ReLU: lambda _, to: to.op("Relu", to.x),
    kinds.ReLU6: lambda _, to: to.op("Clip", to.x, to.floats(0), to.floats(6)),
    kinds.LeakyReLU: lambda layer, to: to.op("LeakyRelu", to.x, alpha=float(layer.slope)),
    kinds.ELU: lambda layer, to: to.op("Elu", to.x, alpha=float(layer.alpha)),
    kinds.GELU: lambda _, to: to.op("Gelu", to.x),
    kinds.SiLU: lambda _, to: to.op("Mul", to.x, to.op("Sigmoid", to.x)),
    kinds.Mish: lambda _, to: to.op("Mish", to.x),
    kinds.Sigmoid: lambda _, to: to.op("Sigmoid", to.x),
    kinds.HardSigmoid: lambda _, to: to.op("HardSigmoid", to.x, alpha=1 / 6, beta=0.5),
    kinds.HardSwish: lambda _, to: to.op("HardSwish", to.x),
    kinds.Tanh: lambda _, to: to.op("Tanh", to.x),
    kinds.Softplus: lambda _, to: to.op("Softplus", to.x),
    kinds.Softmax: lambda _, to: to.op("Softmax", to.x, axis=1),
    kinds.LogSoftmax: lambda _, to: to.op("LogSoftmax", to.x, axis=1),
}


@emitter(*_EMIT)
def activation(layer: Kind[Any], to: Emission) -> str:
    """Return the value of an activation without weights."""
    return _EMIT[type(layer)](layer, to)


@emitter(kinds.ScaledTanh)
def scaled_tanh(layer: kinds.ScaledTanh, to: Emission) -> str:
    """Return 1.7159 tanh(2x/3)."""
    return to.op("Mul", to.op("Tanh", to.op("Mul", to.x, to.floats(2 / 3))), to.floats(1.7159))


@emitter(kinds.PReLU)
def prelu(layer: kinds.PReLU, to: Emission) -> str:
    """Return the value with a slope for each channel, or one for all."""
    slope = to.tensors["weight"]
    return to.op("PRelu", to.x, slope if layer.shared else to.along_channels(slope))
