"""Work, counted in calls of functions: the same figure on every machine, however busy it is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Steps:
    """The calls so far of functions written in Python or C."""

    def __init__(self, most: int) -> None:
        self.taken = 0
        self._most = most

    def count(self, _frame: FrameType, event: str, _argument: Any) -> None:
        """Count an event of :func:`sys.setprofile`."""
        if event in {"call", "c_call"}:
            self.taken += 1
            assert self.taken <= self._most, f"more than {self._most:,} steps"


@contextmanager
def at_most(most: int) -> Iterator[Steps]:
    """Count the steps of a block, and stop it with an AssertionError where they are more than ``most``.

    A step is a call, so loops of plain arithmetic and what a C function does inside are not counted.
    """
    steps = Steps(most)
    before = sys.getprofile()
    sys.setprofile(steps.count)
    try:
        yield steps
    finally:
        sys.setprofile(before)
