"""The memory of normalizations."""

from __future__ import annotations

from typing import Any

from cnncli.algebra import product
from cnncli.layers.kind import Shape
from cnncli.layers.memory.rules import MemoryRule, Needs, rule
from cnncli.layers.memory.spaces import Saved, Space, room, together
from cnncli.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LocalResponseNorm


class NormMemory(MemoryRule[Any, Shape]):
    """The input and its statistics: means and reciprocal deviations."""

    def statistics(self, input_shape: Shape) -> Space:
        raise NotImplementedError

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        return Saved(inputs=(0,), own=self.statistics(input_shape))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        return (together(room(output_shape), self.statistics(input_shape)),)


@rule(BatchNorm)
class BatchNormMemory(NormMemory):
    """Statistics of the batch, one pair for every channel; in inference the running ones are used."""

    def statistics(self, input_shape: Shape) -> Space:
        return Space(shared=2 * input_shape[0])

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        return (room(output_shape),)


@rule(LayerNorm)
class LayerNormMemory(NormMemory):
    """One pair of statistics for every sample, or for each of its positions."""

    def statistics(self, input_shape: Shape) -> Space:
        return Space(2 if self.layer.over == "all" else 2 * product(input_shape[1:]))


@rule(GroupNorm)
class GroupNormMemory(NormMemory):
    """One pair of statistics for every group of a sample."""

    def statistics(self, input_shape: Shape) -> Space:
        return Space(2 * self.layer.groups)


@rule(InstanceNorm)
class InstanceNormMemory(NormMemory):
    """One pair of statistics for every channel of a sample; torch also copies scales and, briefly, shifts."""

    def statistics(self, input_shape: Shape) -> Space:
        return Space((2 + self.layer.affine) * input_shape[0])

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        shifts = Space(self.layer.affine * input_shape[0])
        return (together(room(output_shape), self.statistics(input_shape), shifts),)


@rule(LocalResponseNorm)
class LocalResponseNormMemory(MemoryRule[LocalResponseNorm, Shape]):
    """The input, its zero-padded squares, the base of the power, and the power."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        one = room(input_shape)
        return Saved(
            (0,), own=together(self._padded(input_shape), one, one), making=(together(one, one, one),)
        )

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return the squares while they are padded; then scale, constant and power, one after another."""
        one = room(input_shape)
        return together(one, self._padded(input_shape)), together(one, one, one)

    def _padded(self, input_shape: Shape) -> Space:
        return room((input_shape[0] + self.layer.size - 1, *input_shape[1:]))
