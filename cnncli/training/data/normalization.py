"""Mean 0 and deviation 1 for every channel: measured exactly, stored in the run, applied batch by batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from cnncli.training.data.recorded import Normalization
from cnncli.training.data.rows import Rows


def affine(how: Normalization, axes: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ``scale`` and ``shift`` such that byte * scale + shift is (byte / 255 - mean) / std.

    Args:
        how: the mean and the deviation of each channel.
        axes: the number of axes of one image.
        device: the device of the batches.

    Returns:
        Two float32 tensors of shape [channels, 1, ...], which broadcast over a batch.
    """
    shape = (len(how.mean), *(1 for _ in range(axes - 1)))
    pairs = list(zip(how.mean, how.std, strict=True))
    scale = torch.tensor([1 / (255 * std) for _, std in pairs], dtype=torch.float32).reshape(shape)
    shift = torch.tensor([-mean / std for mean, std in pairs], dtype=torch.float32).reshape(shape)
    return scale.to(device), shift.to(device)


def unnormalized(how: Normalization, inputs: Tensor) -> Tensor:
    """Return images with values from 0 to 1, from normalized ones: float32 [n, *shape]."""
    scale, shift = affine(how, inputs.ndim - 1, inputs.device)
    return (inputs - shift) / (255 * scale)


def measure(images: Rows) -> Normalization:
    """Return the normalization that gives images mean 0 and deviation 1 in every channel.

    Sums are exact integers, so the result depends on the images alone. The deviation is that of the
    population, sqrt(E[x^2] - E[x]^2); for a constant channel it is 1, so that the channel becomes 0.

    Args:
        images: uint8 [N, channels, *spatial] or [N, features], N >= 1.
    """
    histograms = _histograms(images)
    means, deviations = [], []
    for histogram in histograms:
        count = sum(histogram)
        total = sum(value * times for value, times in enumerate(histogram))
        squares = sum(value * value * times for value, times in enumerate(histogram))
        means.append(total / count / 255)
        deviations.append(math.sqrt(count * squares - total * total) / count / 255 or 1.0)
    return Normalization(tuple(means), tuple(deviations))


def _histograms(images: Rows) -> list[list[int]]:
    """Return how often each of the 256 bytes occurs, by channel (one channel if images are vectors)."""
    counts = torch.zeros(1, 256, dtype=torch.int64)
    for chunk in images.chunks():
        channels = chunk.unsqueeze(1) if chunk.ndim == 2 else chunk.flatten(2)
        found = [torch.bincount(each.flatten(), minlength=256) for each in channels.unbind(1)]
        counts = counts + torch.stack(found)
    result: list[list[int]] = counts.tolist()
    return result
