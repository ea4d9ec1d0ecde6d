"""Normalisation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnncli.algebra import Dim, known, product, same
from cnncli.layers.kind import (
    NONE,
    Example,
    Layer,
    Needs,
    Require,
    Shape,
    Tensors,
    UnderShift,
    Weightless,
    is_map,
)
from cnncli.layers.memory import Saved, Space, room, together
from cnncli.layers.registry import layer
from cnncli.layers.window import POINT, AnyWindow
from cnncli.spec.fields import arg
from cnncli.spec.readers import Choice, Count, Flag, Number, Whole

_STATISTICS = 5  # mean, centring, square, mean of squares, scaling: one operation each per value


class Norm(Layer):
    """What is common to normalisations with a learnt scale and shift."""

    eps: float = arg(Number(0, above=True), "added to the variance", default=1e-5)

    affine: bool

    def check(self, x: Shape) -> Iterator[Require]:
        yield from ()

    def output(self, x: Shape) -> Shape:
        return x

    def parameters(self, x: Shape) -> Tensors:
        return {"weight": (x[0],), "bias": (x[0],)} if self.affine else NONE

    def macs(self, x: Shape, y: Shape) -> Dim:
        return 0

    def connections(self, x: Shape, y: Shape) -> Dim:
        return 2 * product(y) if self.affine else 0

    def operations(self, x: Shape, y: Shape) -> Dim:
        """Five per value for its statistics and their use; two more for scale and shift."""
        return (_STATISTICS + 2 * self.affine) * product(y)

    def windows(self, x: Shape) -> tuple[AnyWindow, ...] | None:
        return None

    def under_shift(self, x: Shape) -> UnderShift:
        """Statistics over all positions are the same wherever the values stand."""
        return UnderShift.MOVES

    def statistics(self, x: Shape) -> Space:
        """Means and reciprocal deviations."""
        raise NotImplementedError

    def saved(self, x: Shape, y: Shape, needs: Needs) -> Saved:
        """The input and its statistics."""
        return Saved(inputs=(0,), own=self.statistics(x))

    def working(self, x: Shape, y: Shape) -> tuple[Space, ...]:
        return (together(room(y), self.statistics(x)),)


@layer("batchnorm", norm="batch")
class BatchNorm(Norm):
    """Batch normalisation: each channel to mean 0 and variance 1 over the batch, then scaled and shifted.

    The running mean and variance that replace the batch's own when the network is used are buffers,
    not parameters (Ioffe and Szegedy, 2015).
    """

    affine: bool = arg(Flag(), "learn a scale and a shift for each channel", default=True)
    momentum: float = arg(Number(0, 1), "share of the batch in the running statistics", default=0.1)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((8, 7, 6),)),
        Example("{affine: false}", ((8, 7, 6),)),
        Example("", ((12,),)),
        Example("", ((4, 9),)),
        Example("", ((4, 3, 2, 5),)),
    )

    def buffers(self, x: Shape) -> Tensors:
        return {"running_mean": (x[0],), "running_var": (x[0],)}

    def operations(self, x: Shape, y: Shape) -> Dim:
        """Two per value with the running statistics; two more for scale and shift."""
        return (2 + 2 * self.affine) * product(y)

    def windows(self, x: Shape) -> tuple[AnyWindow, ...] | None:
        return (POINT,) * (len(x) - 1)

    def statistics(self, x: Shape) -> Space:
        """Of the batch, one of each for every channel."""
        return Space(shared=2 * x[0])

    def working(self, x: Shape, y: Shape) -> tuple[Space, ...]:
        """The running statistics are there already."""
        return (room(y),)


@layer("layernorm", norm="layer")
class LayerNorm(Norm):
    """Layer normalisation: all values of a sample to mean 0 and variance 1 (Ba, Kiros and Hinton, 2016).

    ``over: channels`` normalises the channels of every position by themselves instead, with one
    scale and shift for each channel, as ConvNeXt does.
    """

    over: str = arg(Choice("all", "channels"), "what is normalised together", default="all")
    affine: bool = arg(Flag(), "learn a scale and a shift", default=True)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((12,),)),
        Example("", ((4, 5, 3),)),
        Example("{over: channels}", ((4, 5, 3),)),
        Example("{affine: false}", ((4, 5),)),
    )

    def parameters(self, x: Shape) -> Tensors:
        shape = x if self.over == "all" else (x[0],)
        return {"weight": shape, "bias": shape} if self.affine else NONE

    def windows(self, x: Shape) -> tuple[AnyWindow, ...] | None:
        return None if self.over == "all" else (POINT,) * (len(x) - 1)

    def under_shift(self, x: Shape) -> UnderShift:
        """Over everything, each position has a scale and a shift of its own."""
        return UnderShift.BREAKS if self.affine else UnderShift.MOVES

    def statistics(self, x: Shape) -> Space:
        """One of each for every sample, or for every position of it."""
        return Space(2 if self.over == "all" else 2 * product(x[1:]))


@layer("groupnorm", norm="group")
class GroupNorm(Norm):
    """Group normalisation: groups of channels to mean 0 and variance 1 in each sample (Wu and He, 2018)."""

    groups: Dim = arg(Count(), "number of groups", main=True)
    affine: bool = arg(Flag(), "learn a scale and a shift for each channel", default=True)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("2", ((8, 7, 6),)),
        Example("{groups: 4, affine: false}", ((8, 5),)),
        Example("3", ((12,),)),
    )

    def check(self, x: Shape) -> Iterator[Require]:
        expected = f"a number of channels that {self.groups} divides"
        message = "'groupnorm' cannot split its channels into groups"
        yield Require(same(x[0] % self.groups, 0), message, expected, f"{x[0]}", argument="groups")

    def statistics(self, x: Shape) -> Space:
        """One of each for every group of a sample."""
        return Space(2 * self.groups)


@layer("instancenorm", norm="instance")
class InstanceNorm(Norm):
    """Instance normalisation: each channel of each sample to mean 0 and variance 1 (Ulyanov et al., 2016)."""

    affine: bool = arg(Flag(), "learn a scale and a shift for each channel", default=False)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((8, 7, 6),)),
        Example("{affine: true}", ((8, 7, 6),)),
        Example("", ((8, 7),)),
        Example("", ((4, 3, 2, 5),)),
    )

    def check(self, x: Shape) -> Iterator[Require]:
        yield is_map(x, "instancenorm")
        received = "one position: every value would become 0"
        yield Require(
            any(known(n > 1) for n in x[1:]) or product(x[1:]) > 1,
            "'instancenorm' has nothing to normalise",
            "a map with more than one position",
            received,
        )

    def statistics(self, x: Shape) -> Space:
        """One of each for every channel of a sample; torch also copies the scales so often."""
        return Space((2 + self.affine) * x[0])

    def working(self, x: Shape, y: Shape) -> tuple[Space, ...]:
        """Shifts are copied like scales."""
        return (together(room(y), self.statistics(x), Space(self.affine * x[0])),)


@layer("localresponsenorm")
class LocalResponseNorm(Weightless):
    """Local response normalisation: each value by the squares of its neighbours in other channels.

    b = a / (k + alpha/size * sum of a^2 over ``size`` neighbouring channels)^beta. The paper writes
    alpha without the division by the size (Krizhevsky, Sutskever and Hinton, 2012); libraries divide.
    """

    size: int = arg(Whole(1), "neighbouring channels, the own one included", main=True)
    alpha: float = arg(Number(0), "weight of the squares", default=1e-4)
    beta: float = arg(Number(0), "the exponent", default=0.75)
    k: float = arg(Number(0), "the constant", default=1.0)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("5", ((16, 6, 7),)),
        Example("{size: 3, alpha: 0.1, k: 2}", ((4, 9),)),
    )

    def check(self, x: Shape) -> Iterator[Require]:
        yield is_map(x, "localresponsenorm")

    def output(self, x: Shape) -> Shape:
        return x

    def operations(self, x: Shape, y: Shape) -> Dim:
        """Per value: its square, the sum over the window, scale and constant, the power, the division."""
        return (self.size + 4) * product(y)

    def windows(self, x: Shape) -> tuple[AnyWindow, ...] | None:
        return (POINT,) * (len(x) - 1)

    def saved(self, x: Shape, y: Shape, needs: Needs) -> Saved:
        """The input, its squares between channels of zeros, what is raised to a power, and what comes out."""
        own = together(self._padded(x), room(x), room(x))
        return Saved(inputs=(0,), own=own, making=(together(room(x), room(x), room(x)),))

    def working(self, x: Shape, y: Shape) -> tuple[Space, ...]:
        """The squares while zeros are put around them; then scale, constant and power, one after another."""
        return (together(room(x), self._padded(x)), together(room(x), room(x), room(x)))

    def _padded(self, x: Shape) -> Space:
        return room((x[0] + self.size - 1, *x[1:]))
