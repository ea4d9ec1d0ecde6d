"""What padding copies: the memory side of the modes in cnncli/network/padding.py."""

from __future__ import annotations

from collections.abc import Sequence

from cnncli.algebra import Dim, product
from cnncli.layers.kind import Shape
from cnncli.layers.memory import Saved, Space, together
from cnncli.layers.window import Window


def is_padded(x: Shape, windows: Sequence[Window]) -> bool:
    """Whether padding makes a tensor of its own; without any pads there is none."""
    return any(window.is_padded(n) for window, n in zip(windows, x[1:], strict=True))


def padded_shape(x: Shape, windows: Sequence[Window]) -> Shape:
    """The shape of x with its pads."""
    return (x[0], *(window.padded(n) for window, n in zip(windows, x[1:], strict=True)))


def padding_saves(mode: str) -> Saved:
    """What autograd keeps of the padding itself: these two are torch's own, and it keeps what they read."""
    return Saved(inputs=(0,) if mode in ("reflect", "replicate") else ())


def padding_moments(x: Shape, windows: Sequence[Window], mode: str) -> tuple[Space, ...]:
    """What padding holds of its own at its fullest, the result included."""
    if not is_padded(x, windows):
        return ()
    if mode != "symmetric":
        return (Space(product(padded_shape(x, windows))),)
    return tuple(_mirroring(x, windows))


def _mirroring(x: Shape, windows: Sequence[Window]) -> list[Space]:
    """Axis after axis, two mirrored strips are joined with what there is."""
    moments = []
    current, own = x, Space()
    for axis, window in enumerate(windows, start=1):
        wider = (*current[:axis], window.padded(current[axis]), *current[axis + 1 :])
        strips: Dim = product(wider) - product(current)
        moments.append(together(own, Space(strips), Space(product(wider))))
        current, own = wider, Space(product(wider))
    return moments
