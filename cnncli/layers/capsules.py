"""Capsules: vectors whose length is the probability of an entity, and whose direction is its pose."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnncli.algebra import Dim, product, same
from cnncli.language.fields import arg
from cnncli.language.readers import Count, Whole
from cnncli.layers.activation import Softmax
from cnncli.layers.kind import (
    ALL,
    EVERYWHERE,
    Example,
    Extent,
    Require,
    Shape,
    Summing,
    Tensors,
    UnderShift,
    Weightless,
    is_map,
)
from cnncli.layers.registry import layer

_SQUASH = 3  # operations for each value of a capsule: the square, the addition to the sum, the scaling


@layer("capsules")
class Capsules(Summing):
    """Capsules with routing by agreement (Sabour, Frosst and Hinton, 2017, equations 1 to 3, procedure 1).

    At every position, each group of ``reads`` input channels is a capsule u. Squashed to
    |u|^2 / (1 + |u|^2) u / |u|, it predicts every output capsule with a matrix of its own, W u. An output
    capsule is the squashed sum of its predictions, weighted by a softmax that increases where a prediction
    agrees with the sum. The output is a map of ``count`` channels with ``size`` positions.
    """

    count: Dim = arg(Count(), "number of output capsules", main=True)
    size: Dim = arg(Count(), "number of values of an output capsule", default=16)
    reads: int = arg(Whole(1), "number of input channels that form a capsule", default=8)
    routings: int = arg(Whole(1, 100), "number of routing iterations", default=3)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("10", ((16, 3, 2),)),
        Example("{count: 3, size: 4, reads: 2, routings: 1}", ((6, 5),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "capsules")
        expected = f"a number of channels that {self.reads} divides"
        message = "'capsules' cannot split its input into capsules"
        yield Require(
            same(input_shape[0] % self.reads, 0), message, expected, f"{input_shape[0]}", argument="reads"
        )

    def inputs(self, input_shape: Shape) -> Dim:
        """Return the number of input capsules."""
        return product(input_shape) // self.reads

    def output(self, input_shape: Shape) -> Shape:
        return (self.count, self.size)

    def parameters(self, input_shape: Shape) -> Tensors:
        return {"weight": (self.inputs(input_shape), self.count, self.size, self.reads)}

    def macs(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """Count the predictions: one matrix for each pair of an input and an output capsule."""
        return product(self.parameters(input_shape)["weight"])

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """Per iteration a softmax, and 2 per predicted value for sum and agreement; 3 per squashed value.

        The last iteration needs no agreement.
        """
        pairs = self.inputs(input_shape) * self.count
        sums = (2 * self.routings - 1) * 2 * self.size * pairs
        return (
            _SQUASH * (product(input_shape) + self.routings * product(output_shape))
            + self.routings * Softmax.work * pairs
            + sums
        )

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return self.macs(input_shape, output_shape)

    def windows(self, input_shape: Shape) -> Extent:
        return ALL


class CapsuleReader(Weightless):
    """Layers that measure capsules: the channels of a map, each with all of its positions."""

    examples: ClassVar[tuple[Example, ...]] = (Example("", ((10, 16),)), Example("", ((4, 3, 2),)))

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, self.keyword)

    def windows(self, input_shape: Shape) -> Extent:
        return EVERYWHERE


@layer("capsulelength")
class CapsuleLength(CapsuleReader):
    """The Euclidean length of each capsule: the probability that what it represents is present.

    An output of this kind is trained with the margin loss (Sabour, Frosst and Hinton, 2017, equation 4).
    """

    criterion = "margin"

    def output(self, input_shape: Shape) -> Shape:
        return (input_shape[0],)

    def under_shift(self, input_shape: Shape) -> UnderShift:
        """Return STAYS: a length does not depend on the order of the values."""
        return UnderShift.STAYS

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """Per capsule a square for each value, one addition fewer, and a square root."""
        return 2 * product(input_shape)


@layer("capsulemask")
class CapsuleMask(CapsuleReader):
    """Keeps the longest capsule and sets all others to zero: the input of a decoder that draws a picture.

    (Sabour, Frosst and Hinton, 2017, section 4.1; in training, the paper keeps the label's capsule.)
    """

    def output(self, input_shape: Shape) -> Shape:
        return input_shape

    def windows(self, input_shape: Shape) -> Extent:
        """Return ALL: any value may decide which capsule is the longest."""
        return ALL

    def under_shift(self, input_shape: Shape) -> UnderShift:
        """Return MOVES: lengths do not depend on where the values are."""
        return UnderShift.MOVES

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """The lengths, and one comparison fewer than there are capsules."""
        return 2 * product(input_shape) + input_shape[0] - 1
