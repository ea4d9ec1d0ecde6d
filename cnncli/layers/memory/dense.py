"""The memory of fully connected layers."""

from __future__ import annotations

from cnncli.layers.dense import RBF, Linear
from cnncli.layers.kind import Shape
from cnncli.layers.memory.rules import KeepsInput, MemoryRule, Needs, rule
from cnncli.layers.memory.spaces import Saved, Space

rule(Linear)(KeepsInput)


@rule(RBF)
class RBFMemory(MemoryRule[RBF, Shape]):
    """The differences that are squared; the backward pass has three times as many before it adds them up."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        differences = self.layer.classes * input_shape[0]
        return Saved(own=Space(differences), making=(Space(3 * differences - input_shape[0]),))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return the differences and their squares."""
        return (Space(2 * self.layer.classes * input_shape[0]),)
