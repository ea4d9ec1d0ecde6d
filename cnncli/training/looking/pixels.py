"""Numbers as pixels: images, maps and kernels as pictures that a page can have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
from torch import Tensor

Pixels: TypeAlias = np.ndarray[Any, Any]

_OUTSIDE: Final = ((214, 208, 232), (236, 233, 245))
"""The colors of a chessboard where there is no image."""


def of_image(image: Tensor) -> Pixels:
    """Return an image, float [1 or 3, height, width] with values from 0 to 1, as uint8 [height, width, 3]."""
    made = image.detach().cpu().clamp(0, 1).mul(255).round().byte()
    return np.ascontiguousarray(made.expand(3, -1, -1).permute(1, 2, 0).numpy())


def of_map(values: Tensor, low: float, high: float) -> Pixels:
    """Return a map [height, width] in gray: black from ``low`` down, white from ``high`` up."""
    span = high - low
    shares = (values.detach().cpu() - low) / span if span else values.detach().cpu() * 0
    return of_image(shares.unsqueeze(0))


def of_kernel(kernel: Tensor, most: float) -> Pixels:
    """Return a kernel [1 or 3, height, width]: 0 is gray, ``most`` white and its negative black."""
    return of_image(kernel / (2 * most) + 0.5 if most else kernel * 0 + 0.5)


def cut(image: Pixels, hull: Sequence[tuple[int, int]]) -> Pixels:
    """Return a part of an image, from rows and columns up to others; outside of it is a chessboard.

    Args:
        image: uint8 [height, width, 3].
        hull: the first row and the one after the last, then columns; they may lie outside.
    """
    (top, bottom), (left, right) = hull
    rows, columns = np.indices((bottom - top, right - left))
    colors = np.array(_OUTSIDE, np.uint8)
    made: Pixels = colors[(rows + columns) % 2]
    height, width = image.shape[:2]
    first, last = max(top, 0), min(bottom, height)
    begin, end = max(left, 0), min(right, width)
    if first < last and begin < end:
        made[first - top : last - top, begin - left : end - left] = image[first:last, begin:end]
    return made
