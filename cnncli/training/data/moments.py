"""Range, mean and deviation of values that come in parts, such as the channels of one image after another."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

_CHUNK_VALUES: Final = 1 << 20
"""Values that are 64-bit floats at a time: 8 MiB."""


@dataclass(frozen=True, slots=True)
class Moments:
    """What is known of some values; ``squares`` is the sum of the squared differences from their mean."""

    count: int
    mean: float
    squares: float
    smallest: float
    largest: float

    @classmethod
    def of(cls, values: NDArray[Any]) -> Self:
        """Return the moments of an array with at least one value; they are not finite if a value is not."""
        flat = np.ascontiguousarray(values).reshape(-1)
        found: Self | None = None
        for start in range(0, flat.size, _CHUNK_VALUES):
            chunk = flat[start : start + _CHUNK_VALUES].astype(np.float64)
            with np.errstate(invalid="ignore", over="ignore"):  # of values that are not finite
                mean = float(chunk.mean())
                squares = float(np.square(chunk - mean).sum())
            each = cls(chunk.size, mean, squares, float(chunk.min()), float(chunk.max()))
            found = each if found is None else found.with_others(each)
        assert found is not None
        return found

    def with_others(self, other: Self) -> Self:
        """Return the moments of these and other values.

        T. Chan, G. Golub, R. LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
        Variances", 1979: no sum of squares of large values is subtracted from another.
        """
        count = self.count + other.count
        apart = other.mean - self.mean
        return type(self)(
            count=count,
            mean=self.mean + apart * other.count / count,
            squares=self.squares + other.squares + apart * apart * self.count * other.count / count,
            smallest=min(self.smallest, other.smallest),
            largest=max(self.largest, other.largest),
        )

    @property
    def deviation(self) -> float:
        """The deviation of the population."""
        return math.sqrt(self.squares / self.count)

    @property
    def is_finite(self) -> bool:
        """Whether all values are finite numbers."""
        return math.isfinite(self.smallest) and math.isfinite(self.largest)
