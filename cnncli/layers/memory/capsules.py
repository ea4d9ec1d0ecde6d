"""The memory of capsules."""

from __future__ import annotations

from cnncli.algebra import product
from cnncli.layers.capsules import CapsuleLength, CapsuleMask, Capsules
from cnncli.layers.kind import Shape
from cnncli.layers.memory.rules import MemoryRule, Needs, rule
from cnncli.layers.memory.spaces import Saved, Space, less, room, together

_SCALARS = 5  # saved for each squashed capsule: |s|^2, 1 + |s|^2, their quotient, |s|, the factor


@rule(Capsules)
class CapsulesMemory(MemoryRule[Capsules, Shape]):
    """The operands of squashing and routing; above all the predictions."""

    tolerance = 0.25

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        """Return what is saved; the first iteration has constant logits and does not need the predictions."""
        rounds, values, outputs = self.layer.routings, product(input_shape), product(output_shape)
        capsules = self.layer.inputs(input_shape)
        pairs = capsules * self.layer.count
        predictions = pairs * self.layer.size if rounds > 1 else 0
        squashed = values + _SCALARS * capsules if needs[0] else 0
        each_round = pairs + 2 * outputs + _SCALARS * self.layer.count
        own = Space(squashed + values + predictions + rounds * each_round - outputs)
        weights = Space(shared=self.layer.macs(input_shape, output_shape))
        # Before it reaches the weights, the backward pass allocates up to three times the predictions.
        agreeing = Space((2 + (rounds > 1)) * pairs * self.layer.size - values)
        return Saved(own=own, making=(less(agreeing, weights), less(weights, own)))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return the input being squashed; predictions, and products with the coupling; the last squash."""
        capsules, values = self.layer.inputs(input_shape), product(input_shape)
        outputs, pairs = product(output_shape), capsules * self.layer.count
        live = values + pairs * (self.layer.size + 2) + outputs * (self.layer.routings > 1)
        routing, squashing = pairs * self.layer.size + outputs, 2 * (outputs + self.layer.count)
        return Space(2 * (values + capsules)), Space(live + routing), Space(live + squashing)


@rule(CapsuleLength)
class CapsuleLengthMemory(MemoryRule[CapsuleLength, Shape]):
    """The squared values and the roots; the backward pass expands the gradient over all squares."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        making = together(room(input_shape), room(input_shape), room(output_shape))
        return Saved((0,), output=True, making=(making,))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return the squares and their sums; then the sums, the sums plus a small number, and the roots."""
        lengths = room(output_shape)
        return together(room(input_shape), lengths), together(lengths, lengths, lengths)


@rule(CapsuleMask)
class CapsuleMaskMemory(MemoryRule[CapsuleMask, Shape]):
    """A factor of 0 or 1 for each capsule; the choice of the capsule has no derivative."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        return Saved(own=Space(input_shape[0]))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return squares and their sums; lengths and the choice as indices; factors and the output."""
        lengths, chosen = Space(input_shape[0]), Space(indices=input_shape[0])
        return (
            together(room(input_shape), lengths),
            together(lengths, chosen, Space(indices=1)),
            together(lengths, chosen, lengths),
            together(lengths, lengths, room(output_shape)),
        )
