"""What a case reached: arcs between lines of the package, and the forms of its messages."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, TypeAlias
from zlib import crc32

import cnncli

_PACKAGE: Final = cnncli.__path__[0]
_MESSAGE = re.compile(r"error: (.*)")
_VARIABLE_PART = re.compile(r"'[^']*'|\"[^\"]*\"|\S*[\d/]\S*|\[[^\]]*\]|\([^)]*\)")

Trace: TypeAlias = Callable[[FrameType, str, Any], "Trace | None"]


def message_forms(err: str) -> set[int]:
    """Return numbers that identify messages apart from the names and figures in them."""
    return {crc32(_VARIABLE_PART.sub("", found)[:80].encode()) for found in _MESSAGE.findall(err[:4000])}


@contextmanager
def arcs() -> Iterator[set[int]]:
    """Record the arcs of a block, as numbers that are the same in every process."""
    reached: set[tuple[str, int, int]] = set()
    numbers: set[int] = set()
    before = sys.gettrace()
    sys.settrace(_tracer(reached))
    try:
        yield numbers
    finally:
        sys.settrace(before)
        numbers.update(crc32(f"{name}:{start}:{end}".encode()) for name, start, end in reached)


def _tracer(reached: set[tuple[str, int, int]]) -> Trace:
    def called(frame: FrameType, _event: str, _argument: Any) -> Trace | None:
        name = frame.f_code.co_filename
        if not name.startswith(_PACKAGE):
            return None
        last = 0

        def stepped(inner: FrameType, event: str, _: Any) -> Trace:
            nonlocal last
            if event == "line":
                reached.add((name, last, inner.f_lineno))
                last = inner.f_lineno
            return stepped

        return stepped

    return called
