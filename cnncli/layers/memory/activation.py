"""The memory of activations whose derivative needs more than the input or the output."""

from __future__ import annotations

from cnncli.layers.activation import PReLU, ScaledTanh
from cnncli.layers.kind import Shape
from cnncli.layers.memory.rules import MemoryRule, Needs, rule
from cnncli.layers.memory.spaces import Saved, Space, room, together


@rule(PReLU)
class PReLUMemory(MemoryRule[PReLU, Shape]):
    """The input; the backward pass computes a gradient per slope and value before it adds them up."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        return Saved((0,), making=(room(input_shape),))


@rule(ScaledTanh)
class ScaledTanhMemory(MemoryRule[ScaledTanh, Shape]):
    """The unscaled hyperbolic tangent; each of the three steps reads the result of the one before."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        return Saved(own=room(input_shape), making=(room(input_shape),))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        return (together(room(output_shape), room(output_shape)),)
