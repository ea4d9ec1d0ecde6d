"""Weights and images by a formula: the same for every version of every library, without random numbers."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import Final

import numpy as np
import torch
from torch import Tensor

_PERIOD: Final = 10_007
"""Values until the first one comes again; a prime number, so that no two rows of a matrix are the same."""

_GOLDEN: Final = (5**0.5 - 1) / 2
_SIDE: Final = 64
MEAN: Final = (0.485, 0.456, 0.406)
"""What torchvision's weights expect of a picture with values from 0 to 1: the mean of each channel."""
STD: Final = (0.229, 0.224, 0.225)
"""The deviation of each channel."""


def values(name: str, shape: Sequence[int]) -> Tensor:
    """Return numbers of mean 0 and deviation 1: value k is the fraction of k^2 times the golden ratio.

    The name chooses where among them a tensor begins.
    """
    places = np.arange(_PERIOD, dtype=np.float64)
    table = ((places * places * _GOLDEN) % 1 - 0.5) * 12**0.5
    begun = np.roll(table.astype(np.float32), -(zlib.crc32(name.encode()) % _PERIOD))
    return torch.from_numpy(np.resize(begun, prod(shape)).reshape(shape))


def weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Return a state dict; kernels and matrices have the deviation of He et al. (2015, section 2.2)."""
    return {name: _weight(name, shape) for name, shape in shapes.items()}


def images() -> Tensor:
    """Return two pictures [2, 3, 64, 64] as torchvision's networks expect them."""
    pictures = (values("images", (2, 3, _SIDE, _SIDE)) / 12**0.5 + 0.5).clamp(0, 1)
    return (pictures - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


def _weight(name: str, shape: Sequence[int]) -> Tensor:
    if not shape:
        return torch.tensor(1)  # the number of batches that were seen
    found, last = values(name, shape), name.rpartition(".")[2]
    if len(shape) > 1:
        return found.mul_((2 / prod(shape[1:])) ** 0.5)
    if last == "running_var":
        return found.abs_().add_(0.5)
    return found.mul_(0.2).add_(1) if last == "weight" else found.mul_(0.1)
