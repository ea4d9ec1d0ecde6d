"""Padding in every mode, along one to three axes, by amounts that follow the input's size at run time.

The amounts come from the layer's own windows, so that ``same`` is written once for the analysis and for the
network, and a network accepts inputs of other sizes than its spec's. They repeat with the stride of a window,
so a module needs only one period of them; the functions here are plain enough for TorchScript.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor, fx
from torch.nn import functional

from cnncli.layers.geometry.window import Window

Amounts: TypeAlias = list[list[tuple[int, int]]]
"""For each axis the positions before and after, by the input's size modulo the number of entries."""

# Depends on sizes, which torch.fx does not know: it records calls instead of looking inside. Every file with
# such a call has to say so.
fx.wrap("pad")


def pads_by_size(windows: Sequence[Window]) -> Amounts:
    """Return for each axis the pads of one period; those of size n are entry n modulo the period."""
    return [_period(window.pads, window.stride) for window in windows]


def frames_by_size(windows: Sequence[Window]) -> Amounts:
    """As :func:`pads_by_size`, up to the end of the last window; negative where positions are left over."""
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
    """Put ``pads``, before and after along each spatial axis, around x; only zeros and constant may cut.

    ``symmetric`` mirrors with the edge position, ``reflect`` without.
    """
    flat: list[int] = []
    padded = False
    for before, after in pads[::-1]:  # torch wants the last axis first
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
    """Torch has no such mode. Joining mirrored strips is deterministic on every device; indexing is not."""
    for place, (before, after) in enumerate(pads):
        axis = place + 2
        n = x.shape[axis]
        first, last = x.narrow(axis, 0, before), x.narrow(axis, n - after, after)
        x = torch.cat([first.flip([axis]), x, last.flip([axis])], axis)
    return x
