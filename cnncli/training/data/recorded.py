"""What a run records of how images became its inputs; torch is not needed to read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple


class Levels(NamedTuple):
    """The values of 16-bit gray images that become the bytes 0 and 255: the range of the training images.

    Cameras of 10 or 12 bits use a small part of the 65,536 values.
    """

    black: int
    white: int


WHOLE_RANGE: Final = Levels(0, 65535)
"""The levels for 16-bit images of a network that was trained on images of 8 bits."""


@dataclass(frozen=True, slots=True)
class Normalization:
    """Mean and standard deviation of each channel, of values from 0 to 1 (a byte divided by 255).

    A spec whose input is a vector has one of each for all features: a vector of pixels has many that hardly
    ever change, and dividing by such a small deviation would let them dominate.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
