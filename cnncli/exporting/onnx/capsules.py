"""Capsules with routing by agreement, and the layers that read them."""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np

from cnncli.algebra import whole, whole_shape
from cnncli.exporting.onnx.emission import Emission
from cnncli.exporting.onnx.registry import emitter
from cnncli.layers.capsules import CapsuleLength, CapsuleMask, Capsules

_TINY: Final = float(np.finfo(np.float32).tiny)
"""Added to squares before the root, as in training, where the derivative needs it."""


@emitter(Capsules)
def capsules(layer: Capsules, to: Emission) -> str:
    """Return the output capsules [n, count, size], with the iterations one after another."""
    count, size, shape = whole(layer.count), whole(layer.size), whole_shape(to.shape)
    inputs = prod(shape) // layer.reads
    grouped = to.op("Reshape", to.x, to.ints([0, shape[0] // layer.reads, layer.reads, -1]))
    positions = to.op("Transpose", grouped, perm=[0, 1, 3, 2])
    u = _squash(to, to.op("Reshape", positions, to.ints([0, inputs, layer.reads])), [2])
    matrices = to.op("Reshape", to.tensors["weight"], to.ints([inputs, count * size, layer.reads]))
    across = to.op("Transpose", matrices, perm=[0, 2, 1])
    products = to.op("MatMul", to.op("Transpose", u, perm=[1, 0, 2]), across)
    predictions = to.op("Reshape", products, to.ints([0, 0, count, size]))
    # Equal logits weigh every output capsule by 1 / count.
    total = to.reduced("ReduceSum", predictions, [0], keepdims=False)
    v = _squash(to, to.op("Mul", total, to.floats(1 / count)), [2])
    logits = ""
    for _ in range(layer.routings - 1):
        agreement = to.reduced("ReduceSum", to.op("Mul", predictions, v), [3])
        logits = to.op("Add", logits, agreement) if logits else agreement
        weighted = to.op("Mul", to.op("Softmax", logits, axis=2), predictions)
        v = _squash(to, to.reduced("ReduceSum", weighted, [0], keepdims=False), [2])
    return v


def _squash(to: Emission, s: str, axes: list[int]) -> str:
    """Return |s|^2 / (1 + |s|^2) s / |s| (Sabour et al., 2017, equation 1)."""
    square = to.reduced("ReduceSumSquare", s, axes)
    share = to.op("Div", square, to.op("Add", square, to.floats(1)))
    return to.op("Mul", s, to.op("Div", share, _root(to, square)))


def _root(to: Emission, square: str) -> str:
    return to.op("Sqrt", to.op("Add", square, to.floats(_TINY)))


@emitter(CapsuleLength)
def capsulelength(layer: CapsuleLength, to: Emission) -> str:
    """Return the length of every channel over all of its positions."""
    return _root(to, to.reduced("ReduceSumSquare", to.x, to.axes, keepdims=False))


@emitter(CapsuleMask)
def capsulemask(layer: CapsuleMask, to: Emission) -> str:
    """Return the longest capsule, the first of equal ones, and zeros for the others."""
    lengths = _root(to, to.reduced("ReduceSumSquare", to.x, to.axes))
    longest = to.op("ArgMax", lengths, axis=1, keepdims=1)
    channels = np.arange(whole(to.shape[0])).reshape(-1, *(1,) * to.rank)
    chosen = to.op("Equal", to.constant(channels, np.int64), longest)
    return to.op("Mul", to.x, to.op("Cast", chosen, to=1))
