"""The memory of layers that act in training only: in inference they pass their input on."""

from __future__ import annotations

from cnncli.layers.kind import Shape
from cnncli.layers.memory.rules import KeepsNothing, MemoryRule, Needs, rule
from cnncli.layers.memory.spaces import NOTHING, Saved, Space, room
from cnncli.layers.regularization import Dropout, Dropout2d, DropPath, Noise


@rule(Noise)
class NoiseMemory(KeepsNothing[Noise]):
    """The derivative of a sum needs no values."""

    def shares(self, input_shape: Shape, *, training: bool) -> bool:
        return not training


@rule(DropPath)
class DropPathMemory(MemoryRule[DropPath, Shape]):
    """A factor for each sample."""

    def shares(self, input_shape: Shape, *, training: bool) -> bool:
        return not training

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        return Saved(own=Space(1))


@rule(Dropout, Dropout2d)
class DropoutMemory(MemoryRule[Dropout | Dropout2d, Shape]):
    """The factors: one for each value, or for each channel."""

    def shares(self, input_shape: Shape, *, training: bool) -> bool:
        """Return whether nothing is dropped: then torch passes the input on."""
        return not training or self.layer.probability == 0

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        """Return the factors; a single 0 if everything is dropped."""
        if self.layer.probability == 0:
            return NOTHING
        factors = room(input_shape) if isinstance(self.layer, Dropout) else Space(input_shape[0])
        return Saved(own=factors if self.layer.probability < 1 else Space(shared=1))
