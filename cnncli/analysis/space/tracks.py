"""What the positions of a node read of the input along one axis, exactly, as if the axis had no ends.

In a chain of convolutions and poolings, position i reads an interval from a + i j to b + i j (Araujo, Norris
and Sim, Computing receptive fields of convolutional neural networks, Distill, 2019, equations 1 to 3). After
a transposed convolution, an upsampling or an adaptive pooling this is not so: the outputs of a transposed
convolution of stride s have s phases. What they read is still periodic, so one period describes all of it.

A transposed convolution of kernel 3 and stride 2 puts copies of its kernel 2 positions apart, so they overlap
in every second output. Output 0 is covered by the copies of inputs -1 and 0, output 1 by that of input 0
alone, and two outputs further on everything is one input further on:

>>> from cnncli.layers.geometry.window import TransposedWindow, Window
>>> pixels = Track(advance=1, hulls=((0, 0),))
>>> up = pixels.through(TransposedWindow(kernel=3, stride=2), n=9)
>>> up
Track(advance=1, hulls=((-1, 0), (0, 0)))
>>> [up.at(position) for position in range(4)]
[(-1, 0), (0, 0), (0, 1), (1, 1)]

Neighbors are half an input position apart. The middles of both phases, -1/2 and 0, lie on the line
-1/2 + position/2, so the first output is centered at -1/2:

>>> print(up.jump, up.center())
1/2 -1/2

A convolution of kernel 3 on top reads three neighbors. These see three inputs for even outputs, but only two
for odd ones, so no single size describes it:

>>> up.through(Window(kernel=3), n=19)
Track(advance=1, hulls=((-1, 1), (0, 1)))
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import NamedTuple, TypeAlias

from cnncli.layers.geometry.axis import AnyWindow
from cnncli.limits import HULLS, MAX_TRACK_PERIOD
from cnncli.work import spend

Hull: TypeAlias = "tuple[int, int] | None"
"""First and last input position that is read; None if none is."""


class PeriodError(ValueError):
    """The period of what is read is longer than :data:`MAX_TRACK_PERIOD` positions."""


class Track(NamedTuple):
    """Position ``len(hulls) * q + r`` reads ``hulls[r]``, translated by ``advance * q``."""

    advance: int
    hulls: tuple[Hull, ...]

    @property
    def period(self) -> int:
        """The number of phases."""
        return len(self.hulls)

    @property
    def jump(self) -> Fraction:
        """The mean distance between neighbors over a period, in input positions."""
        return Fraction(self.advance, self.period)

    def at(self, position: int) -> Hull:
        """Return what a position reads; it may lie beyond either end."""
        turns, phase = divmod(position, self.period)
        hull = self.hulls[phase]
        return None if hull is None else (hull[0] + turns * self.advance, hull[1] + turns * self.advance)

    def center(self) -> Fraction | None:
        """Return the middle of what position 0 reads, or None if nothing is read.

        With several phases it is the mean over them, each moved back to position 0 by the jump.
        """
        read = [(phase, *hull) for phase, hull in enumerate(self.hulls) if hull is not None]
        if not read:
            return None
        ends = sum(first + last for _, first, last in read)
        return (Fraction(ends, 2) - self.jump * sum(phase for phase, _, _ in read)) / len(read)

    def through(self, window: AnyWindow, n: int) -> Track:
        """Return what the outputs of a window over n of these positions read.

        Raises:
            PeriodError: the period is too long.
        """
        period, advance = window.cycle(n)
        turns = self.period // gcd(self.period, advance)
        spend(HULLS, _check(period * turns))
        hulls = tuple(self._under(window.reads(position, n)) for position in range(period * turns))
        return Track(self.advance * (advance * turns // self.period), hulls).reduced()

    def reduced(self) -> Track:
        """Return the same track with the shortest period."""
        for parts in range(self.period, 1, -1):
            if self.period % parts == 0 and self.advance % parts == 0 and self._repeats(parts):
                return Track(self.advance // parts, self.hulls[: self.period // parts])
        return self

    def over(self, period: int) -> tuple[Hull, ...]:
        """Return the hulls of the first ``period`` positions."""
        return tuple(self.at(position) for position in range(period))

    def _under(self, positions: range) -> Hull:
        """Return what some positions read together.

        Within a phase, hulls only move forward, so the first and last positions of each phase are enough.
        """
        if len(positions) == 0:
            return None
        phases = self.period // gcd(self.period, positions.step)
        early = _union([self.at(each) for each in positions[:phases]])
        late = early if phases >= len(positions) else _union([self.at(each) for each in positions[-phases:]])
        return (early[0], late[1]) if early is not None and late is not None else None

    def _repeats(self, parts: int) -> bool:
        shorter = Track(self.advance // parts, self.hulls[: self.period // parts])
        return shorter.over(self.period) == self.hulls


def joined(tracks: Sequence[Track]) -> tuple[Track, ...]:
    """Return the union of tracks: those with the same jump are merged into one.

    Tracks with different jumps drift apart and remain separate.

    Raises:
        PeriodError: the common period is too long.
    """
    by_jump: dict[Fraction, Track] = {}
    for track in tracks:
        known = by_jump.get(track.jump)
        by_jump[track.jump] = track if known is None or known == track else _both(known, track)
    return tuple(track for _, track in sorted(by_jump.items()))


def hull_at(tracks: Sequence[Track], position: int) -> Hull:
    """Return what a position reads in all tracks together."""
    return _union([track.at(position) for track in tracks])


def largest(tracks: Sequence[Track], count: int) -> int:
    """Return the size of the largest hull among ``count`` positions.

    It is enough to look at one common period at each end: from one period to the next, the distance between
    two tracks changes by a constant amount.

    Raises:
        PeriodError: the common period is too long.
    """
    period = common_period(tracks)
    positions = {*range(min(period, count)), *range(max(count - period, 0), count)}
    spend(HULLS, len(positions) * len(tracks))
    hulls = [hull_at(tracks, position) for position in positions]
    return max((hull[1] - hull[0] + 1 for hull in hulls if hull is not None), default=0)


def common_period(tracks: Sequence[Track]) -> int:
    """Return the period after which all tracks repeat.

    Raises:
        PeriodError: it is too long.
    """
    return _check(lcm(*(track.period for track in tracks)))


def _both(one: Track, other: Track) -> Track:
    period = common_period((one, other))
    spend(HULLS, 2 * period)
    hulls = map(_union, zip(one.over(period), other.over(period), strict=True))
    return Track(int(one.jump * period), tuple(hulls)).reduced()


def _union(hulls: Sequence[Hull]) -> Hull:
    read = [hull for hull in hulls if hull is not None]
    if len(read) < 2:
        return read[0] if read else None
    return min([first for first, _ in read]), max([last for _, last in read])


def _check(period: int) -> int:
    if period > MAX_TRACK_PERIOD:
        raise PeriodError
    return period
