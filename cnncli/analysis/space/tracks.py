"""What the positions of a node read of the input along one axis without ends, exactly.

Without a transposed convolution, an upsampling or an adaptive pooling, position i reads an interval
whose ends are a + i j and b + i j (Araujo, Norris and Sim, Computing receptive fields of convolutional
neural networks, Distill, 2019, equations 1 to 3). With one, positions take turns: those of a
transposed convolution of stride s have s phases. What they read still repeats, and a period of it
says it all.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Final, NamedTuple, TypeAlias

from cnncli.layers.geometry.window import AnyWindow

Hull: TypeAlias = "tuple[int, int] | None"
"""First and last input position that is read; None where nothing is."""

MAX_PERIOD: Final = 4096


class PeriodError(ValueError):
    """What is read repeats only after more than :data:`MAX_PERIOD` positions."""


class Track(NamedTuple):
    """Position ``len(hulls) * q + r`` reads what ``hulls[r]`` says, ``advance * q`` further on."""

    advance: int
    hulls: tuple[Hull, ...]

    @property
    def period(self) -> int:
        """The number of phases."""
        return len(self.hulls)

    @property
    def jump(self) -> Fraction:
        """Input positions between neighbors, on average over a period."""
        return Fraction(self.advance, self.period)

    def at(self, position: int) -> Hull:
        """What a position reads; it may lie beyond either end."""
        turns, phase = divmod(position, self.period)
        hull = self.hulls[phase]
        return None if hull is None else (hull[0] + turns * self.advance, hull[1] + turns * self.advance)

    def center(self) -> Fraction | None:
        """The middle of what position 0 reads: with several phases, where the line through all middles is.

        None where nothing is read.
        """
        read = [(phase, *hull) for phase, hull in enumerate(self.hulls) if hull is not None]
        if not read:
            return None
        ends = sum(first + last for _, first, last in read)
        return (Fraction(ends, 2) - self.jump * sum(phase for phase, _, _ in read)) / len(read)

    def through(self, window: AnyWindow, n: int) -> Track:
        """What a window over n of these positions reads.

        Raises:
            PeriodError: it repeats too late.
        """
        period, advance = window.cycle(n)
        turns = self.period // gcd(self.period, advance)
        _check(period * turns)
        hulls = tuple(self._under(window.reads(position, n)) for position in range(period * turns))
        return Track(self.advance * (advance * turns // self.period), hulls).reduced()

    def reduced(self) -> Track:
        """The same with the shortest period."""
        for parts in range(self.period, 1, -1):
            if self.period % parts == 0 and self.advance % parts == 0 and self._repeats(parts):
                return Track(self.advance // parts, self.hulls[: self.period // parts])
        return self

    def over(self, period: int) -> tuple[Hull, ...]:
        """As many hulls."""
        return tuple(self.at(position) for position in range(period))

    def _under(self, positions: range) -> Hull:
        """What some positions read together.

        Positions of the same phase read further on the later they come, so one of each phase is enough.
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
    """What is read by one or another: tracks of the same jump become one that holds them all.

    Tracks of different jumps run apart, and stay as they are.

    Raises:
        PeriodError: they repeat together too late.
    """
    by_jump: dict[Fraction, Track] = {}
    for track in tracks:
        known = by_jump.get(track.jump)
        by_jump[track.jump] = track if known is None or known == track else _both(known, track)
    return tuple(track for _, track in sorted(by_jump.items()))


def hull_at(tracks: Sequence[Track], position: int) -> Hull:
    """What a position reads of all tracks together."""
    return _union([track.at(position) for track in tracks])


def largest(tracks: Sequence[Track], count: int) -> int:
    """The most input positions, from first to last, that one of ``count`` positions reads.

    Within a common period of either end: from one period to the next every distance between two tracks
    grows, or shrinks, by the same amount.

    Raises:
        PeriodError: they repeat together too late.
    """
    period = common_period(tracks)
    positions = {*range(min(period, count)), *range(max(count - period, 0), count)}
    hulls = [hull_at(tracks, position) for position in positions]
    return max((hull[1] - hull[0] + 1 for hull in hulls if hull is not None), default=0)


def common_period(tracks: Sequence[Track]) -> int:
    """After how many positions all tracks repeat.

    Raises:
        PeriodError: too late.
    """
    return _check(lcm(*(track.period for track in tracks)))


def _both(one: Track, other: Track) -> Track:
    period = common_period((one, other))
    hulls = map(_union, zip(one.over(period), other.over(period), strict=True))
    return Track(int(one.jump * period), tuple(hulls)).reduced()


def _union(hulls: Sequence[Hull]) -> Hull:
    read = [hull for hull in hulls if hull is not None]
    if len(read) < 2:
        return read[0] if read else None
    return min([first for first, _ in read]), max([last for _, last in read])


def _check(period: int) -> int:
    if period > MAX_PERIOD:
        raise PeriodError
    return period
