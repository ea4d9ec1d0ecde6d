"""The windows that a layer may have along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from cnncli.algebra import Dim
from cnncli.layers.geometry.resampling import AdaptiveWindow, Resampled, Spread
from cnncli.layers.geometry.window import TransposedWindow, Window

AnyWindow: TypeAlias = Window | TransposedWindow | AdaptiveWindow | Spread | Resampled


def placements(windows: Sequence[AnyWindow], sizes: Sequence[Dim]) -> tuple[Dim, ...]:
    """Return the output size along every axis."""
    return tuple(window.placements(n) for window, n in zip(windows, sizes, strict=True))
