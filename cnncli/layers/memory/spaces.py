"""The values in which memory rules express what a layer needs.

Amounts count numbers, not bytes, and may be formulas; a dtype and a batch size turn them into bytes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cnncli.algebra import Dim, product, summed

INDEX_BYTES: Final = 8
"""torch's indices are int64, whatever the type of the values."""


class Space(NamedTuple):
    """How many numbers are stored.

    ``values`` and ``indices`` are stored for every sample, ``shared`` and ``shared_indices`` once for a
    batch; values have the network's dtype, indices are int64.
    """

    values: Dim = 0
    shared: Dim = 0
    indices: Dim = 0
    shared_indices: Dim = 0

    def in_bytes(self, itemsize: int) -> tuple[Dim, Dim]:
        """Return the bytes that are needed once, and for every sample, with values of ``itemsize`` bytes."""
        once = itemsize * self.shared + INDEX_BYTES * self.shared_indices
        return once, itemsize * self.values + INDEX_BYTES * self.indices


class Saved(NamedTuple):
    """What autograd saves for a layer's backward pass: some of its inputs, its output, tensors of its own.

    ``inputs`` are places among the branches. Inputs and outputs also belong to other layers, so a sum must
    count each once. Parameters and buffers are stored anyway and not listed here.

    In the backward pass itself, ``handed`` are the inputs whose gradient is a view of the output's;
    ``making`` is how much more than everything saved and all gradients is live at certain moments. It is
    negative if something has been freed by then, or is not yet allocated.
    """

    inputs: tuple[int, ...] = ()
    output: bool = False
    own: Space = Space()
    handed: tuple[int, ...] = ()
    making: tuple[Space, ...] = ()


NOTHING: Final = Saved()
INPUT: Final = Saved(inputs=(0,))
OUTPUT: Final = Saved(output=True)


def together(*spaces: Space) -> Space:
    """Return the sum of all of them."""
    values, shared, indices, shared_indices = (summed(each) for each in zip(Space(), *spaces, strict=True))
    return Space(values, shared, indices, shared_indices)


def less(space: Space, other: Space) -> Space:
    """Return the difference, which is negative if the other is larger."""
    return Space(*(mine - its for mine, its in zip(space, other, strict=True)))


def room(shape: tuple[Dim, ...]) -> Space:
    """Return the space of one tensor of this shape for each sample."""
    return Space(product(shape))
