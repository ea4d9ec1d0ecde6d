"""Capsules: groups of neurons whose vector says what is there (length) and how it looks (direction)."""

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
    Layer,
    Reading,
    Require,
    Shape,
    Tensors,
    UnderShift,
    Weightless,
    is_map,
)
from cnncli.layers.registry import layer

_SQUASH = 3  # its square, its part of the sum, its scaling: operations for each value of a capsule
_SCALARS = 5  # |s|^2, 1 + |s|^2, their quotient, |s|, the factor: kept of each capsule that is squashed


@layer("capsules")
class Capsules(Layer):
    """Capsules with routing by agreement (Sabour, Frosst and Hinton, 2017, equations 1 to 3, procedure 1).

    The channels of the input, in groups of ``reads``, are at every position one capsule u. Squashed to
    |u|^2 / (1 + |u|^2) u / |u|, it predicts every output capsule by a matrix of its own, W u. An output is
    the squashed sum of its predictions, weighted by a softmax that grows where prediction and sum agree.
    The output is a map of ``count`` channels with ``size`` positions.
    """

    count: Dim = arg(Count(), "output capsules", main=True)
    size: Dim = arg(Count(), "values of an output capsule", default=16)
    reads: int = arg(Whole(1), "channels of the input that form a capsule", default=8)
    routings: int = arg(Whole(1, 100), "rounds of routing", default=3)

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
        """How many capsules the input is."""
        return product(input_shape) // self.reads

    def output(self, input_shape: Shape) -> Shape:
        return (self.count, self.size)

    def parameters(self, input_shape: Shape) -> Tensors:
        return {"weight": (self.inputs(input_shape), self.count, self.size, self.reads)}

    def macs(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """The predictions: a matrix for each pair of an input and an output capsule."""
        return product(self.parameters(input_shape)["weight"])

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """Per round a softmax, and 2 per value of a prediction for sums and agreement; 3 per squashed value.

        The last round has no agreement.
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

    def windows(self, input_shape: Shape) -> Reading:
        return ALL


class CapsuleReader(Weightless):
    """What is common to layers that measure capsules: the channels of a map, with all of their positions."""

    examples: ClassVar[tuple[Example, ...]] = (Example("", ((10, 16),)), Example("", ((4, 3, 2),)))

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, self.keyword)

    def windows(self, input_shape: Shape) -> Reading:
        return EVERYWHERE


@layer("capsulelength")
class CapsuleLength(CapsuleReader):
    """The Euclidean length of each capsule: how likely it is that what it stands for is there.

    Trained as an output it minimizes the margin loss (Sabour, Frosst and Hinton, 2017, equation 4).
    """

    criterion = "margin"

    def output(self, input_shape: Shape) -> Shape:
        return (input_shape[0],)

    def under_shift(self, input_shape: Shape) -> UnderShift:
        """A length is the same in whatever order the values stand."""
        return UnderShift.STAYS

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """Per capsule a square for each value, one addition less, and a root."""
        return 2 * product(input_shape)


@layer("capsulemask")
class CapsuleMask(CapsuleReader):
    """The longest capsule as it is, zeros in place of all others: what a decoder draws a picture from.

    (Sabour, Frosst and Hinton, 2017, section 4.1; there it is the capsule of the label while training.)
    """

    def output(self, input_shape: Shape) -> Shape:
        return input_shape

    def windows(self, input_shape: Shape) -> Reading:
        """Any value may decide which capsule is the longest."""
        return ALL

    def under_shift(self, input_shape: Shape) -> UnderShift:
        """The longest capsule is the longest wherever its values stand."""
        return UnderShift.MOVES

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """The lengths, and one comparison less than there are capsules."""
        return 2 * product(input_shape) + input_shape[0] - 1
