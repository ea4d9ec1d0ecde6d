"""Normalization."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnncli.algebra import Dim, known, product, same
from cnncli.language.fields import arg
from cnncli.language.readers import Choice, Count, Flag, Number, Whole
from cnncli.layers.geometry.window import POINT
from cnncli.layers.kind import (
    ALL,
    EACH,
    EVERYWHERE,
    NONE,
    Example,
    Extent,
    Neuronless,
    Require,
    Shape,
    Tensors,
    UnderShift,
    Weightless,
    across_channels,
    is_map,
)
from cnncli.layers.registry import layer

_STATISTICS = 5  # mean, centering, square, mean of squares, scaling: one operation each per value


class Norm(Neuronless):
    """Normalizations with a learned scale and shift."""

    eps: float = arg(Number(0, above=True), "added to the variance", default=1e-5)

    affine: bool

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield from ()

    def output(self, input_shape: Shape) -> Shape:
        return input_shape

    def parameters(self, input_shape: Shape) -> Tensors:
        return {"weight": (input_shape[0],), "bias": (input_shape[0],)} if self.affine else NONE

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return 2 * product(output_shape) if self.affine else 0

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """Five per value for computing and applying the statistics; two more for scale and shift."""
        return (_STATISTICS + 2 * self.affine) * product(output_shape)

    def windows(self, input_shape: Shape) -> Extent:
        return EVERYWHERE

    def under_shift(self, input_shape: Shape) -> UnderShift:
        """Return MOVES: statistics over all positions do not depend on where the values are."""
        return UnderShift.MOVES


@layer("batchnorm", norm="batch")
class BatchNorm(Norm):
    """Batch normalization: each channel to mean 0 and variance 1 over the batch, then scaled and shifted.

    In inference, the running mean and variance replace those of the batch; they are buffers, not parameters
    (Ioffe and Szegedy, 2015).
    """

    affine: bool = arg(Flag(), "learn a scale and a shift for each channel", default=True)
    momentum: float = arg(Number(0, 1), "weight of the new batch in the running statistics", default=0.1)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((8, 7, 6),)),
        Example("{affine: false}", ((8, 7, 6),)),
        Example("", ((12,),)),
        Example("", ((4, 9),)),
        Example("", ((4, 3, 2, 5),)),
    )

    def buffers(self, input_shape: Shape) -> Tensors:
        return {"running_mean": (input_shape[0],), "running_var": (input_shape[0],)}

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """Two per value for applying the running statistics; two more for scale and shift."""
        return (2 + 2 * self.affine) * product(output_shape)

    def windows(self, input_shape: Shape) -> Extent:
        return EACH


@layer("layernorm", norm="layer")
class LayerNorm(Norm):
    """Layer normalization: all values of a sample to mean 0 and variance 1 (Ba, Kiros and Hinton, 2016).

    ``over: channels`` normalizes over the channels of each position instead, with one scale and shift for
    each channel, as ConvNeXt does.
    """

    over: str = arg(Choice("all", "channels"), "what is normalized together", default="all")
    affine: bool = arg(Flag(), "learn a scale and a shift", default=True)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((12,),)),
        Example("", ((4, 5, 3),)),
        Example("{over: channels}", ((4, 5, 3),)),
        Example("{affine: false}", ((4, 5),)),
    )

    def parameters(self, input_shape: Shape) -> Tensors:
        shape = input_shape if self.over == "all" else (input_shape[0],)
        return {"weight": shape, "bias": shape} if self.affine else NONE

    def windows(self, input_shape: Shape) -> Extent:
        return ALL if self.over == "all" else across_channels(input_shape)

    def under_shift(self, input_shape: Shape) -> UnderShift:
        """Return BREAKS if each position has a scale and a shift of its own, otherwise MOVES."""
        return UnderShift.BREAKS if self.affine else UnderShift.MOVES


@layer("groupnorm", norm="group")
class GroupNorm(Norm):
    """Group normalization: groups of channels to mean 0 and variance 1 in each sample (Wu and He, 2018)."""

    groups: Dim = arg(Count(), "number of groups", main=True)
    affine: bool = arg(Flag(), "learn a scale and a shift for each channel", default=True)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("2", ((8, 7, 6),)),
        Example("{groups: 4, affine: false}", ((8, 5),)),
        Example("3", ((12,),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        expected = f"a number of channels that {self.groups} divides"
        message = "'groupnorm' cannot split its channels into groups"
        yield Require(
            same(input_shape[0] % self.groups, 0), message, expected, f"{input_shape[0]}", argument="groups"
        )


@layer("instancenorm", norm="instance")
class InstanceNorm(Norm):
    """Instance normalization: each channel of each sample to mean 0 and variance 1 (Ulyanov et al., 2016)."""

    affine: bool = arg(Flag(), "learn a scale and a shift for each channel", default=False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((8, 7, 6),)),
        Example("{affine: true}", ((8, 7, 6),)),
        Example("", ((8, 7),)),
        Example("", ((4, 3, 2, 5),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "instancenorm")
        received = "one position, whose value would always become 0"
        yield Require(
            any(known(n > 1) for n in input_shape[1:]) or product(input_shape[1:]) > 1,
            "'instancenorm' has nothing to normalize",
            "a map with more than one position",
            received,
        )


@layer("localresponsenorm")
class LocalResponseNorm(Weightless):
    """Local response normalization: divides each value by the activity of neighboring channels.

    b = a / (k + alpha/size * sum of a^2 over ``size`` neighboring channels)^beta. The paper writes
    alpha without the division by the size (Krizhevsky, Sutskever and Hinton, 2012); libraries divide.
    """

    size: int = arg(Whole(1), "number of neighboring channels, including its own", main=True)
    alpha: float = arg(Number(0), "weight of the squares", default=1e-4)
    beta: float = arg(Number(0), "the exponent", default=0.75)
    k: float = arg(Number(0), "the constant", default=1.0)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("5", ((16, 6, 7),)),
        Example("{size: 3, alpha: 0.1, k: 2}", ((4, 9),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "localresponsenorm")

    def output(self, input_shape: Shape) -> Shape:
        return input_shape

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """Per value: the square, the sum over the channels, scale and constant, the power, the division."""
        return (self.size + 4) * product(output_shape)

    def windows(self, input_shape: Shape) -> Extent:
        return (POINT,) * (len(input_shape) - 1)
