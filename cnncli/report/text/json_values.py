"""Figures as JSON has them."""

from __future__ import annotations

from cnncli.algebra import Dim
from cnncli.layers import Shape


def number(value: Dim) -> int | str:
    """Return a number, or a formula as text."""
    return value if isinstance(value, int) else str(value)


def shape_numbers(shape: Shape) -> list[int | str]:
    """Return numbers, and formulas as text."""
    return [number(dim) for dim in shape]
