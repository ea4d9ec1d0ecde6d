"""What an output position reads of the input along an axis, and after how many outputs that repeats."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from cnncli.algebra import ceil_div

Reach: TypeAlias = "tuple[int, int] | None"
"""First and last input position that an output position reads; None if it reads none."""


class Cycle(NamedTuple):
    """The output ``period`` positions further on reads what this one reads, ``advance`` further on."""

    period: int
    advance: int


def reach_of(reads: range, n: int) -> Reach:
    """Return the first and last of the positions read that are among the n inputs."""
    inside = reads[: max(ceil_div(n - reads.start, reads.step), 0)]
    inside = inside[max(ceil_div(-reads.start, reads.step), 0) :]
    return (inside[0], inside[-1]) if inside else None
