"""What padding copies: the memory of the modes in cnncli/network/padding.py."""

from __future__ import annotations

from collections.abc import Sequence

from cnncli.algebra import Dim, product
from cnncli.layers.geometry.window import Window
from cnncli.layers.kind import Shape
from cnncli.layers.memory.spaces import Saved, Space, together


def is_padded(input_shape: Shape, windows: Sequence[Window]) -> bool:
    """Return whether padding allocates a tensor; without any pads it does not."""
    return any(window.is_padded(n) for window, n in zip(windows, input_shape[1:], strict=True))


def padded_shape(input_shape: Shape, windows: Sequence[Window]) -> Shape:
    """Return the shape of the input with its pads."""
    return (input_shape[0], *(window.padded(n) for window, n in zip(windows, input_shape[1:], strict=True)))


def padding_saves(mode: str) -> Saved:
    """Return what autograd saves for the padding: the input, in the two modes that are torch's own."""
    return Saved(inputs=(0,) if mode in ("reflect", "replicate") else ())


def padding_moments(input_shape: Shape, windows: Sequence[Window], mode: str) -> tuple[Space, ...]:
    """Return what padding allocates at its peak, including the result."""
    if not is_padded(input_shape, windows):
        return ()
    if mode != "symmetric":
        return (Space(product(padded_shape(input_shape, windows))),)
    return tuple(_mirroring(input_shape, windows))


def _mirroring(input_shape: Shape, windows: Sequence[Window]) -> list[Space]:
    """Return a moment for each axis: two mirrored strips are joined with the tensor so far."""
    moments = []
    current, own = input_shape, Space()
    for axis, window in enumerate(windows, start=1):
        wider = (*current[:axis], window.padded(current[axis]), *current[axis + 1 :])
        strips: Dim = product(wider) - product(current)
        moments.append(together(own, Space(strips), Space(product(wider))))
        current, own = wider, Space(product(wider))
    return moments
