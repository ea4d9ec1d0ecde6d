"""How much memory is available, and an error for what would not fit, before it is allocated."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from cnncli.diagnostics import readable_bytes, usage_error

if sys.platform != "win32":
    import resource

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


def available_memory() -> int | None:
    """Return the bytes that can be allocated without swapping; None if the system does not report it.

    On Linux this includes caches that can be freed, and is at most what the control groups of the process
    (those of its container, or of its job) and its limits of address space and of data leave; elsewhere it is
    the physical memory.
    """
    known = [each for each in (_machine(), *_control_groups(), *_limits()) if each is not None]
    return max(0, min(known)) if known else None


def ensure_memory(needed: int, what: str) -> None:
    """Check that ``needed`` bytes can be allocated for ``what``.

    Raises:
        UsageError: they exceed the available memory; names both figures.
    """
    _ensure(needed, available_memory(), what)


class Room:
    """Memory that threads share: each reserves what it is about to allocate, and waits until that is free."""

    def __init__(self, size: int | None) -> None:
        """``size`` is the number of bytes; None for no limit."""
        self._size = size
        self._used = 0
        self._freed = threading.Condition()

    @contextmanager
    def reserved(self, needed: int, what: str) -> Iterator[None]:
        """Wait until ``needed`` bytes are free, and keep them for the ``with`` block.

        Raises:
            UsageError: they would not fit if all others were done; names both figures.
        """
        _ensure(needed, self._size, what)
        with self._freed:
            self._freed.wait_for(lambda: self._size is None or self._used + needed <= self._size)
            self._used += needed
        try:
            yield
        finally:
            with self._freed:
                self._used -= needed
                self._freed.notify_all()


def _ensure(needed: int, available: int | None, what: str) -> None:
    if available is not None and needed > available:
        raise usage_error(
            f"{what} would take {readable_bytes(needed)} of memory",
            expected=f"at most the {readable_bytes(available)} available",
            received=readable_bytes(needed),
            hint="give the spec a smaller input, or train on fewer or smaller images",
        )


def _machine() -> int | None:
    for line in _lines(_PROC / "meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _control_groups() -> Iterator[int]:
    """Yield what each control group of the process leaves, of both versions.

    A limit holds for all groups below it. Inside a container the path in ``/proc/self/cgroup`` may be the
    host's, where only the root is visible; it is among the parents.
    """
    for line in _lines(_PROC / "self" / "cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not path:
            continue
        if not controllers:
            root, names = _CGROUPS, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            root = _CGROUPS / "memory"
        else:
            continue
        below = PurePosixPath(path.lstrip("/"))
        for group in (below, *below.parents):
            left = _left(root / group, *names)
            if left is not None:
                yield left


def _left(group: Path, limit: str, used: str, reclaimable: str) -> int | None:
    """Return what a group may still allocate: its limit less what is used and cannot be freed."""
    most = next(iter(_lines(group / limit)), "max")
    now = next(iter(_lines(group / used)), "")
    if not most.isdecimal() or not now.isdecimal():
        return None
    cached = [line.split()[1] for line in _lines(group / "memory.stat") if line.startswith(f"{reclaimable} ")]
    return int(most) - int(now) + sum(map(int, cached))


def _limits() -> Iterator[int]:
    """Yield what the limits of the shell leave: of address space (``ulimit -v``), of data (``ulimit -d``)."""
    if sys.platform == "win32":
        return
    pages = next(iter(_lines(_PROC / "self" / "statm")), "").split()
    for limit, field in ((resource.RLIMIT_AS, 0), (resource.RLIMIT_DATA, 5)):
        most, _ = resource.getrlimit(limit)
        if most != resource.RLIM_INFINITY and pages:
            yield most - int(pages[field]) * os.sysconf("SC_PAGE_SIZE")


def _lines(path: Path) -> list[str]:
    """Return the lines of a file of the system; none if it cannot be read."""
    try:
        return path.read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return []
