"""The memory of convolutions."""

from __future__ import annotations

from math import prod

from cnncli.algebra import product
from cnncli.layers.conv import Conv, ConvTranspose
from cnncli.layers.geometry.axis import placements
from cnncli.layers.kind import Shape, along
from cnncli.layers.memory.padding import is_padded, padded_shape, padding_moments, padding_saves
from cnncli.layers.memory.rules import MemoryRule, Needs, rule
from cnncli.layers.memory.spaces import INPUT, NOTHING, Saved, Space, less, room, together


@rule(Conv)
class ConvMemory(MemoryRule[Conv, Shape]):
    """The input, padded, and the kernels if they are not the parameter itself."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        if self.layer.is_native(input_shape):
            return INPUT
        windows, kernels = self.layer.windows(input_shape), self._kernels(input_shape)
        if not is_padded(input_shape, windows):
            return Saved((0,), own=kernels)
        padding = padding_saves(self.layer.padding_mode) if needs[0] else NOTHING
        padded = room(padded_shape(input_shape, windows))
        making = (less(padded, room(input_shape)),) if needs[0] else ()
        return padding._replace(own=together(kernels, padded), making=making)

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return assembled or mirrored kernels; then the padded input; then the output as well."""
        if self.layer.is_native(input_shape):
            return (room(output_shape),)
        windows, kernels = self.layer.windows(input_shape), self._kernels(input_shape)
        pads = padding_moments(input_shape, windows, self.layer.padding_mode)
        padded = room(padded_shape(input_shape, windows)) if pads else Space()
        return (
            *self._assembling(input_shape),
            *(together(kernels, each) for each in pads),
            together(kernels, padded, room(output_shape)),
        )

    def _assembling(self, input_shape: Shape) -> tuple[Space, ...]:
        """Return the moments in which the kernels of a table are joined with zeros, and then mirrored."""
        if self.layer.table is None:
            return ()
        kernels = self._kernels(input_shape)
        zeros = Space(shared=kernels.shared - product(self.layer.parameters(input_shape)["weight"]))
        joined = together(kernels, zeros)
        return (joined, together(kernels, kernels)) if self.layer.flip else (joined,)

    def _kernels(self, input_shape: Shape) -> Space:
        """Return the kernels if they are not the parameter itself, with the zeros between connections."""
        if not self.layer.flip and self.layer.table is None:
            return Space()
        kernel = along(self.layer.kernel, len(input_shape) - 1)
        return Space(shared=self.layer.channels * (input_shape[0] // self.layer.groups) * prod(kernel))


@rule(ConvTranspose)
class ConvTransposeMemory(MemoryRule[ConvTranspose, Shape]):
    """The input; if torch cannot cut as required, also the uncut sum of kernels while it is cut."""

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        """Return the input; the backward pass also allocates the gradient of what was cut off."""
        return INPUT if self.layer.is_native(input_shape) else Saved((0,), making=(self._uncut(input_shape),))

    def working(self, input_shape: Shape, output_shape: Shape) -> tuple[Space, ...]:
        """Return the uncut sum with what remains of it; then that with the sum including the bias."""
        if self.layer.is_native(input_shape):
            return (room(output_shape),)
        biased = (together(room(output_shape), room(output_shape)),) if self.layer.bias else ()
        return (together(self._uncut(input_shape), room(output_shape)), *biased)

    def _uncut(self, input_shape: Shape) -> Space:
        windows = self.layer.windows(input_shape)
        whole = [each._replace(before=0, after=0, output_padding=0) for each in windows]
        return room((self.layer.channels, *placements(whole, input_shape[1:])))
