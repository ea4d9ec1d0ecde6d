"""Fully connected layers, and LeNet-5's output layer."""

from __future__ import annotations

from cnncli.exporting.onnx.emission import Emission
from cnncli.exporting.onnx.registry import emitter
from cnncli.layers.dense import RBF, Linear


@emitter(Linear)
def linear(layer: Linear, to: Emission) -> str:
    """Return x W^T + b."""
    bias = [to.tensors["bias"]] if layer.bias else []
    return to.op("Gemm", to.x, to.tensors["weight"], *bias, transB=1)


@emitter(RBF)
def rbf(layer: RBF, to: Emission) -> str:
    """Return the squared distances from the prototypes, without the cancellation of |x|^2 - 2xw + |w|^2."""
    apart = to.op("Sub", to.op("Unsqueeze", to.x, to.ints([1])), to.tensors["prototypes"])
    return to.reduced("ReduceSumSquare", apart, [2], keepdims=False)
