"""The memory of pooling: frames of the input, indices, and sums."""

from __future__ import annotations

from typing import TypeVar

from cnncli.algebra import product, same
from cnncli.layers.kind import Shape, along
from cnncli.layers.memory.rules import KeepsNothing, MemoryRule, Needs, rule
from cnncli.layers.memory.spaces import INPUT, NOTHING, Saved, Space, less, room, together
from cnncli.layers.pooling import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
    MedianPool,
    MinPool,
    Pool,
    Subsample,
)

P = TypeVar("P", bound=Pool)

_COUNTING = 4  # rows of integers that are live while positions along an axis are counted

rule(GlobalAvgPool)(KeepsNothing)


class PoolMemory(MemoryRule[P, Shape]):
    """Sliding pools: the input is copied to pad it, or to cut off what no window reads."""

    def frame(self, input_shape: Shape) -> Space:
        """Return the input from its first pad to the end of its last window; nothing if that is the input."""
        along_axes = list(zip(self.layer.windows(input_shape), input_shape[1:], strict=True))
        if not any(window.is_framed(n) for window, n in along_axes):
            return Space()
        return room((input_shape[0], *(window.framed(n) for window, n in along_axes)))


def picked(output_shape: Shape) -> Space:
    """Return the picked values and their indices."""
    return Space(product(output_shape), indices=product(output_shape))


@rule(MaxPool)
class MaxPoolMemory(PoolMemory[MaxPool]):
    """The input, or its padded copy, and the indices of the picked values."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        found = Space(indices=product(output_shape))
        frame = self.copy(input_shape)
        if frame == Space():
            return Saved((0,), own=found)
        return Saved(own=together(frame, found), making=(less(frame, room(input_shape)),))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        return (together(self.copy(input_shape), picked(output_shape)),)

    def copy(self, input_shape: Shape) -> Space:
        """Return the frame if torch cannot pad by itself, otherwise nothing."""
        return Space() if self.layer.is_native(input_shape) else self.frame(input_shape)


@rule(MinPool)
class MinPoolMemory(PoolMemory[MinPool]):
    """The padded negatives, and the indices of the picked values."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        frame = self.negatives(input_shape)
        making = less(together(frame, room(output_shape)), room(input_shape))
        return Saved(own=together(frame, Space(indices=product(output_shape))), making=(making,))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return the negatives while they are padded; then the picked values."""
        frame, negatives = self.frame(input_shape), self.negatives(input_shape)
        padding = () if frame == Space() else (together(room(input_shape), frame),)
        return (*padding, together(negatives, picked(output_shape)))

    def negatives(self, input_shape: Shape) -> Space:
        """Return the space of the negatives: that of the frame, or of the input if there is none."""
        frame = self.frame(input_shape)
        return room(input_shape) if frame == Space() else frame


@rule(MedianPool)
class MedianPoolMemory(PoolMemory[MedianPool]):
    """The sorted neighborhoods, the original index of each value, and the place of the middle."""

    tolerance = 0.34

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        ordered = self.layer.area(input_shape) * product(output_shape)
        own = Space(ordered, indices=ordered, shared_indices=2 * product(output_shape[1:]))
        return Saved(own=own, making=(Space(2 * ordered + product(output_shape)),))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return the neighborhoods while they are sorted; then sorted, while the middle is found."""
        ordered = Space(self.layer.area(input_shape) * product(output_shape))
        kernel = along(self.layer.kernel, len(input_shape) - 1)
        # Along a single axis the values of a neighborhood are contiguous; otherwise they are gathered first.
        gathered = ordered if sum(k > 1 for k in kernel) > 1 else Space()
        sorting = together(ordered, gathered, Space(indices=ordered.values))
        finding = together(
            ordered, Space(4 * product(output_shape), shared_indices=product(output_shape[1:]))
        )
        frame = self.frame(input_shape)
        return together(frame, sorting), together(frame, finding)


@rule(AvgPool)
class AvgPoolMemory(PoolMemory[AvgPool]):
    """The input; if torch cannot pad it, its copy and factors along each axis."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        if self.layer.is_native(input_shape):
            return INPUT
        factors = Space(shared=sum(output_shape[1:], start=0))
        frame = self.frame(input_shape)
        if frame == Space():
            return Saved((0,), own=factors)
        making = less(together(frame, room(output_shape)), room(input_shape))
        return Saved(own=together(frame, factors), making=(making,))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return the padded input; then, axis by axis, counts of positions and scaling."""
        one = room(output_shape)
        if self.layer.is_native(input_shape):
            return (one,)
        counts = (_COUNTING * n + (axis and output_shape[axis]) for axis, n in enumerate(output_shape[1:]))
        counting = (together(one, Space(shared_indices=count)) for count in counts)
        scaling = (together(one, one, Space(shared=n, shared_indices=n)) for n in output_shape[1:])
        return (together(self.frame(input_shape), one), *counting, *scaling)


@rule(Subsample)
class SubsampleMemory(MemoryRule[Subsample, Shape]):
    """The sums, and the input if it needs a gradient."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        return Saved((0,) if needs[0] else (), own=room(output_shape))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return the sums, their products with the coefficients, and those plus the biases."""
        return (together(room(output_shape), room(output_shape), room(output_shape)),)


@rule(GlobalMaxPool)
class GlobalMaxPoolMemory(MemoryRule[GlobalMaxPool, Shape]):
    """Input and output: the gradient flows to where they are equal."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        return Saved((0,), output=True)


@rule(AdaptiveAvgPool)
class AdaptiveAvgPoolMemory(MemoryRule[AdaptiveAvgPool, Shape]):
    """The input; nothing for a single window, for which torch computes the mean."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        return NOTHING if all(same(n, 1) for n in self.layer.sizes(input_shape)) else INPUT


@rule(AdaptiveMaxPool)
class AdaptiveMaxPoolMemory(MemoryRule[AdaptiveMaxPool, Shape]):
    """The input, and the indices of the picked values."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        return Saved((0,), own=Space(indices=product(output_shape)))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        return (picked(output_shape),)
