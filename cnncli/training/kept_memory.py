"""Memory that a process keeps from one batch to the next, on a CPU, instead of returning it to the system."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import torch

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""Parameters of ``mallopt``, from malloc.h."""

_NEVER: Final = -1
_LARGEST_KEPT: Final = 1 << 30
"""Bytes of a block from which on it is returned when it is freed; ``mallopt`` takes numbers below 2 GiB.

glibc before 2.35 refuses those above 32 MiB, and would then keep the 128 KiB that a process begins with.
"""

_USUAL_BLOCK: Final = 32 << 20
_USUAL_REST: Final = 2 * _USUAL_BLOCK
"""What glibc's thresholds rise to on their own in a process that frees large blocks."""

_SETTINGS: Final = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_")


@contextmanager
def memory_kept(device: torch.device) -> Iterator[None]:
    """Let glibc keep what is freed while the context lasts, and return it to the system at the end.

    Each batch allocates what the one before has freed. If that was returned in between, the system clears
    every page of it anew, which takes up to a quarter of the time of a small network (docs/benchmarks.md).
    The most memory that is needed stays the same. Nothing happens for other devices and other C libraries,
    or if the environment has settings for glibc's allocator.
    """
    library = _glibc() if device.type == "cpu" else None
    if library is None:
        yield
        return
    library.mallopt(_TRIM_THRESHOLD, _NEVER)
    if not library.mallopt(_MMAP_THRESHOLD, _LARGEST_KEPT):
        library.mallopt(_MMAP_THRESHOLD, _USUAL_BLOCK)
    try:
        yield
    finally:
        library.mallopt(_TRIM_THRESHOLD, _USUAL_REST)
        library.mallopt(_MMAP_THRESHOLD, _USUAL_BLOCK)
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc with the settings that it has by default."""
    is_set = any(name in os.environ for name in _SETTINGS)
    if sys.platform != "linux" or is_set or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "gnu_get_libc_version") else None
