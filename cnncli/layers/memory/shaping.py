"""The memory of layers that move, resize, pad or pass on values."""

from __future__ import annotations

from cnncli.algebra import same
from cnncli.layers.kind import Shape
from cnncli.layers.memory.padding import is_padded, padding_moments, padding_saves
from cnncli.layers.memory.rules import KeepsNothing, MemoryRule, Needs, SharesInput, rule
from cnncli.layers.memory.spaces import NOTHING, Saved, Space, room, together
from cnncli.layers.shaping import ChannelShuffle, Crop, Identity, Pad, Shortcut, Upsample

rule(Identity)(SharesInput)
rule(Upsample)(KeepsNothing)


@rule(ChannelShuffle)
class ChannelShuffleMemory(KeepsNothing[ChannelShuffle]):
    """Nothing moves, and the output is a view, if there is one group or one channel per group."""

    def shares(self, input_shape: Shape, *, training: bool) -> bool:
        groups = self.layer.groups
        return any(same(each, 1) for each in (groups, input_shape[0] // groups))


@rule(Crop)
class CropMemory(KeepsNothing[Crop]):
    """A copy, unless nothing is cut off."""

    def shares(self, input_shape: Shape, *, training: bool) -> bool:
        return not is_padded(input_shape, self.layer.windows(input_shape))


@rule(Pad)
class PadMemory(MemoryRule[Pad, Shape]):
    """A copy, unless nothing is added."""

    def shares(self, input_shape: Shape, *, training: bool) -> bool:
        return not is_padded(input_shape, self.layer.windows(input_shape))

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        return NOTHING if self.shares(input_shape, training=True) else padding_saves(self.layer.mode)

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        return padding_moments(input_shape, self.layer.windows(input_shape), self.layer.mode)


@rule(Shortcut)
class ShortcutMemory(MemoryRule[Shortcut, Shape]):
    """For a projection, input and output of its convolution, and the statistics of the batch."""

    def shares(self, input_shape: Shape, *, training: bool) -> bool:
        return self.layer.is_identity(input_shape)

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        if not self.layer.projects(input_shape):
            return Saved(making=(room(output_shape),))
        return Saved((0,), own=together(room(output_shape), Space(shared=2 * self.layer.channels)))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return the output, for a projection together with that of its convolution."""
        if self.layer.is_identity(input_shape):
            return ()
        convolved = (room(output_shape),) if self.layer.projects(input_shape) else ()
        return (together(*convolved, room(output_shape)),)
