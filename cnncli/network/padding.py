"""Padding in every mode, along one to three axes, by amounts that depend on the input size at run time.

The amounts come from the layer's windows, so ``same`` is defined once for the analysis and the network, and a
network accepts other input sizes than its spec's. They are periodic with the stride of a window, so a module
needs only one period of them. The functions here are simple enough for TorchScript.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, fx
from torch.nn import functional

from cnncli.layers.geometry.window import Window

Amounts: TypeAlias = list[list[tuple[int, int]]]
"""For each axis the numbers of positions before and after, by the input size modulo the number of entries."""

# These functions depend on sizes, which torch.fx does not know, so calls are recorded as they are. Every
# file that calls one must wrap it.
fx.wrap("pad")


def pads_by_size(windows: Sequence[Window]) -> Amounts:
    """Return for each axis the pads of one period; those for size n are entry n modulo the period."""
    return [_period(window.pads, window.stride) for window in windows]


def frames_by_size(windows: Sequence[Window]) -> Amounts:
    """As :func:`pads_by_size`, but up to the end of the last window; negative if positions are left over."""
    return [_period(window.frame, window.stride) for window in windows]


def _period(amounts: Callable[[int], tuple[int, int]], stride: int) -> list[tuple[int, int]]:
    """Return the amounts for all sizes modulo the stride; one entry if they are all the same."""
    period = [amounts(n) for n in range(stride, 2 * stride)]
    return period if len(set(period)) > 1 else period[:1]


def pad_by_size(x: Tensor, amounts: Amounts, mode: str = "zeros", value: float = 0.0) -> Tensor:
    """Pad a batch (n, channels, *sizes) by the amounts for its sizes, as from :func:`pads_by_size`."""
    pads: list[tuple[int, int]] = []
    for axis, period in enumerate(amounts):
        pads.append(period[x.shape[axis + 2] % len(period)])
    return pad(x, pads, mode, value)


def pad(x: Tensor, pads: list[tuple[int, int]], mode: str = "zeros", value: float = 0.0) -> Tensor:
    """Pad x before and after along each spatial axis; negative pads cut, in modes zeros and constant only.

    ``symmetric`` mirrors including the edge position, ``reflect`` without it.
    """
    flat: list[int] = []
    padded = False
    for before, after in pads[::-1]:  # torch expects the last axis first
        flat += [before, after]
        padded = padded or before != 0 or after != 0
    if not padded:
        return x
    if mode == "symmetric":
        return _mirror(x, pads)
    if mode == "zeros":
        return functional.pad(x, flat)
    if mode == "constant":
        return functional.pad(x, flat, value=value)
    return functional.pad(x, flat, mode=mode)


def _mirror(x: Tensor, pads: list[tuple[int, int]]) -> Tensor:
    """Pad symmetrically, which torch does not support.

    Joining mirrored strips is deterministic on every device; indexing is not.
    """
    for place, (before, after) in enumerate(pads):
        axis = place + 2
        n = x.shape[axis]
        first, last = x.narrow(axis, 0, before), x.narrow(axis, n - after, after)
        x = torch.cat([first.flip([axis]), x, last.flip([axis])], axis)
    return x
