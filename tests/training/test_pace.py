"""Where the time goes, with a clock that only moves where it is told to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cnncli.training import pace
from cnncli.training.pace import Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(pace, "time", made)
    return made


def batches(clock: Clock, count: int) -> Iterator[int]:
    """Batches that take a quarter of a second each."""
    for number in range(count):
        clock.now += 0.25
        yield number


def test_waiting_and_what_is_left(clock: Clock) -> None:
    measured = Pace()
    assert measured.left(10, 1.0) is None
    for epoch in range(2):
        begun = clock.now
        for number in measured.epoch(batches(clock, 4)):
            clock.now += 0.75 if epoch == 0 else 2.75
            measured.trained(clock.now - begun)
            assert measured.waiting == (0.25 if epoch == 0 else pytest.approx(1 / 12))
            assert number == pytest.approx((clock.now - begun) / (1 if epoch == 0 else 3) - 1)
        with measured.evaluation():
            clock.now += 3.0
    # 4 batches took 1 second each, 4 took 3 seconds.
    assert measured.left(10, 1.5) == 10 * 2.0 + 1.5 * 3.0
