"""The memory of joins."""

from __future__ import annotations

from typing import TypeVar

from cnncli.layers.joins import Add, ChannelwiseJoin, Concat, Join, MatchSize, Multiply, Shapes, is_scale
from cnncli.layers.kind import Shape
from cnncli.layers.memory.rules import KeepsNothing, MemoryRule, Needs, rule
from cnncli.layers.memory.spaces import Saved, Space, less, room, together

J = TypeVar("J", bound=Join)


def copied(join: Join, input_shape: Shapes) -> tuple[Space | None, ...]:
    """Return for each branch the space of its cut or padded copy; None if its size is already right."""
    sizes = join.aligned(input_shape)
    # A difference in size may be known even if its halves are not.
    moved = (any(before + after for before, after in join.margins(shape, sizes)) for shape in input_shape)
    return tuple(
        room((shape[0], *sizes)) if other else None for shape, other in zip(input_shape, moved, strict=True)
    )


def copies(join: Join, input_shape: Shapes) -> Space:
    """Return the space of all copies together."""
    return together(*(copy for copy in copied(join, input_shape) if copy is not None))


class JoinMemory(MemoryRule[J, Shapes]):
    """Nothing is saved. Branches share the output's gradient; those that were cut or padded get their own."""

    def saved(self, input_shape: Shapes, output_shape: Shape, needs: Needs) -> Saved:
        places = enumerate(copied(self.layer, input_shape))
        return Saved(handed=tuple(place for place, copy in places if copy is None))


@rule(Concat)
class ConcatMemory(JoinMemory[Concat]):
    """Return all copies with the result."""

    def working(self, input_shape: Shapes, output_shape: Shape) -> tuple[Space, ...]:
        return (together(copies(self.layer, input_shape), room(output_shape)),)


class ChannelwiseMemory(JoinMemory[ChannelwiseJoin]):
    """Branch after branch: with three or more, two partial results are live at once."""

    def shares(self, input_shape: Shapes, *, training: bool) -> bool:
        """Return whether there is a single branch, which is then the result."""
        return len(input_shape) == 1

    def working(self, input_shape: Shapes, output_shape: Shape) -> tuple[Space, ...]:
        results = (room(output_shape),) * min(len(input_shape) - 1, 2)
        return (together(copies(self.layer, input_shape), *results),)


rule(Add)(ChannelwiseMemory)


@rule(Multiply)
class MultiplyMemory(ChannelwiseMemory):
    """Both factors of each product, if the other one needs a gradient."""

    def saved(self, input_shape: Shapes, output_shape: Shape, needs: Needs) -> Saved:
        own_copies = copied(self.layer, input_shape)
        kept = [place for place in range(1, len(input_shape)) if any(needs[:place])]
        kept += [0] if any(needs[1:2]) else []
        results = sum(needs[2:])
        inputs = tuple(place for place in kept if own_copies[place] is None)
        own = together(*(own_copies[place] or Space() for place in kept), *(room(output_shape),) * results)
        # The gradient of a scale is a whole map before it is added up. Subtracting the scale also covers
        # unknown sizes, for which the two may be equally large.
        scales = [shape for place, shape in enumerate(input_shape) if needs[place] and is_scale(shape)]
        making = (less(room(output_shape), room(scales[0])),) if scales and len(input_shape) > 1 else ()
        return Saved(inputs, own=own, making=making)


@rule(MatchSize)
class MatchSizeMemory(KeepsNothing[MatchSize]):
    """A copy, unless the sizes are equal; the nearest positions are always a copy."""

    def shares(self, input_shape: Shapes, *, training: bool) -> bool:
        return self.layer.is_same(input_shape)
