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
    Needs,
    Reading,
    Require,
    Shape,
    Tensors,
    UnderShift,
    Weightless,
    is_map,
    is_point,
)
from cnncli.layers.memory.spaces import Saved, Space, less, room, together
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

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        """What squashes and rounds multiply, divide and take roots of: the first round knows its logits.

        The pass back holds up to three times all predictions before it comes to the weights; their gradient
        is copied once, when all but the squash of the input is done with.
        """
        squashed = Space(_SCALARS * self.inputs(input_shape)) if needs[0] else Space()
        arranged = room(input_shape) if needs[0] and not self._arranged(input_shape) else Space()
        again = self.routings - 1
        coupling = self.inputs(input_shape) * self.count
        rounds = Space(
            self.routings * (coupling + product(output_shape) + _SCALARS * self.count)
            + again * product(output_shape)
        )
        predictions = Space(coupling * self.size if again else 0)
        own = together(arranged, squashed, room(input_shape), rounds, predictions)
        weights = Space(shared=self.macs(input_shape, output_shape))
        agreeing = less(Space((2 + (again > 0)) * coupling * self.size), together(room(input_shape), weights))
        copying = less(together(weights, arranged, squashed), own)
        inputs = (0,) if needs[0] and self._arranged(input_shape) else ()
        return Saved(inputs, own=own, making=(agreeing, copying))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """The squash of the input; in the last round the predictions times their coupling, and a squash."""
        capsules, pairs = self.inputs(input_shape), self.inputs(input_shape) * self.count
        earlier = product(output_shape) if self.routings > 1 else 0
        held = product(input_shape) + pairs * self.size + 2 * pairs + earlier
        moments = (
            *(
                each - product(input_shape) * self._arranged(input_shape)
                for each in _squashing(product(input_shape), capsules)
            ),
            held + pairs * self.size + product(output_shape),
            *(held + each for each in _squashing(product(output_shape), self.count)),
        )
        return tuple(map(Space, moments))

    def _arranged(self, input_shape: Shape) -> bool:
        """Whether the values of each capsule lie side by side already, so that nothing is moved."""
        single = any(same(each, 1) for each in (self.reads, input_shape[0] // self.reads))
        return single or is_point(input_shape[1:])


def _squashing(values: Dim, capsules: Dim) -> tuple[Dim, Dim]:
    """What a squash holds, what it reads included, at its fullest: with its result, or with four scalars."""
    return 2 * values + 2 * capsules, values + 4 * capsules


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

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        """What is squared, and the roots; the pass back spreads its gradient over all squares."""
        return Saved(
            (0,), output=True, making=(together(room(input_shape), room(input_shape), room(output_shape)),)
        )

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """All squares, and their sums; then the sums, a little more than them, and the roots."""
        return (
            together(room(input_shape), room(output_shape)),
            together(room(output_shape), room(output_shape), room(output_shape)),
        )


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

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        """A factor of 0 or 1 for each capsule; the choice itself has no derivative."""
        return Saved(own=Space(input_shape[0]))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Squares and their sums; lengths and the choice as indices; factors and what they make."""
        lengths = Space(input_shape[0])
        chosen = Space(indices=input_shape[0])
        return (
            together(room(input_shape), lengths),
            together(lengths, chosen, Space(indices=1)),
            together(lengths, chosen, lengths),
            together(lengths, lengths, room(output_shape)),
        )
