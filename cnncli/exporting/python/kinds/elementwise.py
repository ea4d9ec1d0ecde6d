"""Activations, normalization, and layers that only have a name."""

from __future__ import annotations

from typing import Any, Final

from cnncli.algebra import whole
from cnncli.exporting.python.expressions import Arg, Call
from cnncli.exporting.python.kinds.registry import Sizes, emitter, first
from cnncli.layers import Kind
from cnncli.layers import activation as act
from cnncli.layers.capsules import CapsuleLength, CapsuleMask
from cnncli.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm
from cnncli.layers.shaping import Flatten, Identity

_PLAIN: Final[dict[type[Kind[Any]], str]] = {
    act.ReLU: "nn.ReLU",
    act.ReLU6: "nn.ReLU6",
    act.GELU: "nn.GELU",
    act.SiLU: "nn.SiLU",
    act.Mish: "nn.Mish",
    act.Sigmoid: "nn.Sigmoid",
    act.HardSigmoid: "nn.Hardsigmoid",
    act.HardSwish: "nn.Hardswish",
    act.Tanh: "nn.Tanh",
    act.ScaledTanh: "ScaledTanh",
    act.Softplus: "nn.Softplus",
    Identity: "nn.Identity",
    Flatten: "nn.Flatten",
    CapsuleLength: "CapsuleLengths",
    CapsuleMask: "LongestCapsule",
}


@emitter(*_PLAIN)
def _plain(layer: Kind[Any], input_shape: Sizes) -> Call:
    return Call(_PLAIN[type(layer)], ())


@emitter(act.Softmax, act.LogSoftmax)
def _softmax(layer: act.Softmax | act.LogSoftmax, input_shape: Sizes) -> Call:
    return Call(f"nn.{type(layer).__name__}", (Arg("dim", 1),))


@emitter(act.LeakyReLU)
def _leaky_relu(layer: act.LeakyReLU, input_shape: Sizes) -> Call:
    return Call("nn.LeakyReLU", (Arg("negative_slope", layer.slope, 0.01),))


@emitter(act.ELU)
def _elu(layer: act.ELU, input_shape: Sizes) -> Call:
    return Call("nn.ELU", (Arg("alpha", layer.alpha, 1.0),))


@emitter(act.PReLU)
def _prelu(layer: act.PReLU, input_shape: Sizes) -> Call:
    count = first("num_parameters", 1 if layer.shared else input_shape[0])
    return Call("nn.PReLU", (count, Arg("init", layer.start, 0.25)))


@emitter(BatchNorm)
def _batchnorm(layer: BatchNorm, input_shape: Sizes) -> Call:
    arguments = (
        first("num_features", input_shape[0]),
        Arg("eps", layer.eps, 1e-5),
        Arg("momentum", layer.momentum, 0.1),
        Arg("affine", layer.affine, True),
    )
    return Call(f"nn.BatchNorm{max(len(input_shape) - 1, 1)}d", arguments)


@emitter(LayerNorm)
def _layernorm(layer: LayerNorm, input_shape: Sizes) -> Call:
    eps = Arg("eps", layer.eps, 1e-5)
    if layer.over == "channels":
        affine = Arg("elementwise_affine", layer.affine, True)
        return Call("ChannelNorm", (first("channels", input_shape[0]), eps, affine))
    if not layer.affine:
        return Call("SampleNorm", (eps,))
    shape = input_shape[0] if len(input_shape) == 1 else input_shape
    return Call("nn.LayerNorm", (first("normalized_shape", shape), eps))


@emitter(GroupNorm)
def _groupnorm(layer: GroupNorm, input_shape: Sizes) -> Call:
    arguments = (
        first("num_groups", whole(layer.groups)),
        first("num_channels", input_shape[0]),
        Arg("eps", layer.eps, 1e-5),
        Arg("affine", layer.affine, True),
    )
    return Call("nn.GroupNorm", arguments)


@emitter(InstanceNorm)
def _instancenorm(layer: InstanceNorm, input_shape: Sizes) -> Call:
    arguments = (
        first("num_features", input_shape[0]),
        Arg("eps", layer.eps, 1e-5),
        Arg("affine", layer.affine, False),
    )
    return Call(f"nn.InstanceNorm{len(input_shape) - 1}d", arguments)


@emitter(LocalResponseNorm)
def _localresponsenorm(layer: LocalResponseNorm, input_shape: Sizes) -> Call:
    arguments = (
        first("size", layer.size),
        Arg("alpha", layer.alpha, 1e-4),
        Arg("beta", layer.beta, 0.75),
        Arg("k", layer.k, 1.0),
    )
    return Call("nn.LocalResponseNorm", arguments)
