"""What a layer keeps in memory: values that the rules of the kinds are given in.

All amounts are numbers, not bytes, and may be formulas; a dtype and a batch make bytes of them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cnncli.algebra import Dim, product, summed

INDEX_BYTES: Final = 8
"""torch's indices are int64, whatever the type of the values."""


class Space(NamedTuple):
    """Room for so many numbers.

    ``values`` and ``indices`` are there for every sample, ``shared`` and ``shared_indices`` once for a
    batch; values have the network's own type, indices are int64.
    """

    values: Dim = 0
    shared: Dim = 0
    indices: Dim = 0
    shared_indices: Dim = 0

    def in_bytes(self, itemsize: int) -> tuple[Dim, Dim]:
        """Bytes that are there once, and for every sample, with values of ``itemsize`` bytes."""
        once = itemsize * self.shared + INDEX_BYTES * self.shared_indices
        return once, itemsize * self.values + INDEX_BYTES * self.indices


class Saved(NamedTuple):
    """What autograd keeps of a layer until the pass back: some of its inputs, its output, tensors of its own.

    Inputs (their places among the branches) and outputs are other layers' too: whoever adds up counts each
    once. Parameters and buffers are kept anyway and not named here.

    Of the pass back itself, ``handed`` are the inputs whose gradient is memory of the output's; ``making`` is
    how much more than all that was kept and all gradients it holds at certain moments. What is let go of by
    then, or not yet there, counts as less than nothing.
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
    """Room for all of them at once."""
    values, shared, indices, shared_indices = (summed(each) for each in zip(Space(), *spaces, strict=True))
    return Space(values, shared, indices, shared_indices)


def less(space: Space, other: Space) -> Space:
    """What is left without the other; less than nothing where that is more."""
    return Space(*(mine - its for mine, its in zip(space, other, strict=True)))


def room(shape: tuple[Dim, ...]) -> Space:
    """Room for one tensor of this shape for each sample."""
    return Space(product(shape))
