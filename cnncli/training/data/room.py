"""How much memory is available, and an error for what would not fit, before it is allocated."""

from __future__ import annotations

import os
from pathlib import Path

from cnncli.diagnostics import readable_bytes, usage_error

_MEMINFO = Path("/proc/meminfo")


def available_memory() -> int | None:
    """Return the bytes that can be allocated without swapping; None if the system does not report it.

    On Linux this includes caches that can be freed; elsewhere it is the physical memory.
    """
    if _MEMINFO.exists():
        for line in _MEMINFO.read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def ensure_memory(needed: int, what: str) -> None:
    """Check that ``needed`` bytes can be allocated for ``what``.

    Raises:
        UsageError: they exceed the available memory; names both figures.
    """
    available = available_memory()
    if available is not None and needed > available:
        raise usage_error(
            f"{what} would take {readable_bytes(needed)} of memory",
            expected=f"at most the {readable_bytes(available)} available",
            received=readable_bytes(needed),
            hint="give the spec a smaller input, or train on fewer images",
        )
