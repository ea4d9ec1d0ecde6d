"""Padding in every mode, along one to three axes, by amounts that follow the input's size at run time.

The amounts come from the layer's own windows, so that ``same`` is written once for the analysis and
for the network, and a network takes inputs of other sizes than its spec's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.layers.geometry.window import Window

Pads = Sequence[tuple[int, int]]
"""Positions before and after, along each spatial axis; negative ones are cut off."""


class Padder:
    """Pads a batch (n, channels, *sizes) as windows ask.

    Not a module: it has no state, and it must take no name among its layer's children.
    """

    def __init__(self, windows: Sequence[Window], mode: str = "zeros", value: float = 0.0) -> None:
        self.windows = tuple(windows)
        self.mode = mode
        self.value = value

    def __call__(self, x: Tensor) -> Tensor:
        pads = [window.pads(n) for window, n in zip(self.windows, x.shape[2:], strict=True)]
        return pad(x, pads, self.mode, self.value)


def pad(x: Tensor, pads: Pads, mode: str = "zeros", value: float = 0.0) -> Tensor:
    """Put ``pads`` on the spatial axes of x; only zeros and constant may cut.

    ``symmetric`` mirrors with the edge position, ``reflect`` without.
    """
    if not any(amount for pair in pads for amount in pair):
        return x
    if mode == "symmetric":
        return _mirror(x, pads)
    flat = [amount for pair in reversed(pads) for amount in pair]  # torch wants the last axis first
    if mode == "constant":
        return functional.pad(x, flat, value=value)
    return functional.pad(x, flat) if mode == "zeros" else functional.pad(x, flat, mode=mode)


def _mirror(x: Tensor, pads: Pads) -> Tensor:
    """PyTorch has no such mode. Joining mirrored strips is deterministic on every device; indexing is not."""
    for axis, (before, after) in enumerate(pads, start=2):
        n = x.shape[axis]
        first, last = x.narrow(axis, 0, before), x.narrow(axis, n - after, after)
        x = torch.cat([first.flip(axis), x, last.flip(axis)], axis)
    return x
