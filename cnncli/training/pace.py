"""Where the time of a training goes, and how much more it will take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Pace:
    """What was measured since the process began to train; times are in seconds.

    ``waited`` and ``elapsed`` are of the batches of the present epoch: the time in which the loop waited for
    the next one, and all of it.
    """

    waited: float = 0.0
    elapsed: float = 0.0
    _batches: int = 0
    _earlier: float = 0.0
    _evaluations: int = 0
    _evaluating: float = 0.0

    @property
    def waiting(self) -> float:
        """The share of the time of this epoch in which the loop waited for a batch.

        On a CPU that is what gathering and changing images takes, since both happen when a batch is asked
        for. On another device it is the time until that work is queued there; for data in main memory, until
        it is gathered.
        """
        return min(self.waited / self.elapsed, 1.0) if self.elapsed else 0.0

    def epoch(self, batches: Iterator[T]) -> Iterator[T]:
        """Yield the batches of an epoch, and measure how long each takes to come."""
        self._earlier += self.elapsed
        self.waited = self.elapsed = 0.0
        nothing = object()
        while True:
            begun = time.perf_counter()
            batch = next(batches, nothing)
            self.waited += time.perf_counter() - begun
            if batch is nothing:
                return
            yield batch  # type: ignore[misc]

    def trained(self, elapsed: float) -> None:
        """Count a batch, after which the epoch has taken ``elapsed`` seconds."""
        self._batches += 1
        self.elapsed = elapsed

    @contextmanager
    def evaluation(self) -> Iterator[None]:
        """Measure an evaluation."""
        begun = time.perf_counter()
        yield
        self._evaluating += time.perf_counter() - begun
        self._evaluations += 1

    def left(self, batches: int, evaluations: float) -> float | None:
        """Return the seconds of this many batches and evaluations; None before the first batch."""
        if not self._batches:
            return None
        each = self._evaluating / self._evaluations if self._evaluations else 0.0
        return batches * (self._earlier + self.elapsed) / self._batches + evaluations * each
