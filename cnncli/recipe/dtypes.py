"""The types that the numbers of a network can have, by torch's names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cnncli.diagnostics import did_you_mean, listing, usage_error

ITEMSIZES: Final[Mapping[str, int]] = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}
"""Bytes of a number of each type."""
DEFAULT_DTYPE: Final = "float32"
SMALLEST_DTYPE: Final = min(ITEMSIZES, key=lambda name: ITEMSIZES[name])
DTYPE_NAMES: Final = listing([*ITEMSIZES], last=" or ")


def itemsize(dtype: str) -> int:
    """Return the bytes of a number.

    Raises:
        UsageError: there is no such type.
    """
    if dtype not in ITEMSIZES:
        hint = did_you_mean(dtype, ITEMSIZES)
        raise usage_error(f"unknown dtype '{dtype}'", expected=DTYPE_NAMES, received=dtype, hint=hint)
    return ITEMSIZES[dtype]
