"""What is measured of a head beside its loss: a number for each sample, whose mean is the figure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.recipe.columns import CLASS, MASK, NUMBER, PICTURE
from cnncli.recipe.metrics import ACCURACY, MAE, PSNR, SSIM, TOP5

_TOP: Final = 5
_FINEST: Final = 1e-10
"""The least mean squared difference, so that an exact copy has 100 dB."""

_WINDOW: Final = 11
_SIGMA: Final = 1.5
_C1, _C2 = 0.01**2, 0.03**2
"""The window and the constants of SSIM as its authors chose them, for values from 0 to 1."""


class Meter(NamedTuple):
    """A metric of heads whose targets have one of these ``forms``.

    ``per_sample(said, target)`` is float [n]: of scores [n, classes, *spatial] and labels int64
    [n, *spatial], or of two tensors [n, ...] of one shape. One that is not measured ``in_training`` takes
    longer than it tells there. Heads with fewer than ``classes`` classes do not have it, nor do outputs whose
    sides are smaller than ``side``.
    """

    per_sample: Callable[[Tensor, Tensor], Tensor]
    forms: tuple[str, ...]
    in_training: bool = True
    classes: int = 0
    side: int = 0


def _correct(scores: Tensor, labels: Tensor) -> Tensor:
    """Return 1 where the label has the largest score, else 0; NaN is never the largest.

    Of a mask it is the share of the pixels that have a label.
    """
    if labels.ndim == 1:
        return _hits(scores, labels).to(torch.float32)
    known = labels >= 0
    right = _hits(scores, labels.clamp(min=0)) & known
    return right.flatten(1).sum(1) / known.flatten(1).sum(1).clamp(min=1)


def _hits(scores: Tensor, labels: Tensor) -> Tensor:
    """Return where a class has the largest score, bool [n, *spatial]."""
    largest, place = scores.max(1)  # NaN counts as the largest
    return (place == labels) & ~largest.isnan()


def _among_top(scores: Tensor, labels: Tensor) -> Tensor:
    """Return 1 where the label has one of the five largest scores, else 0; the lower number wins a tie.

    Computed from the classes that are *not* ahead, so that a score of NaN never counts as correct.
    """
    own = scores.gather(1, labels.unsqueeze(1))
    number = torch.arange(scores.shape[1], device=scores.device)
    behind = (scores < own) | ((scores == own) & (number >= labels.unsqueeze(1)))
    return (scores.shape[1] - behind.sum(1) < _TOP).to(torch.float32)


def _mae(values: Tensor, target: Tensor) -> Tensor:
    return (values - target).abs().flatten(1).mean(1)


def _psnr(values: Tensor, target: Tensor) -> Tensor:
    """Return 10 log10(1 / mse): dB for values from 0 to 1."""
    errors = (values - target).square().flatten(1).mean(1)
    return -10 * errors.clamp(min=_FINEST).log10()


def ssim(images: Tensor, others: Tensor) -> Tensor:
    """Return the structural similarity of images [n, channels, height, width], values from 0 to 1: [n].

    Means and variances are weighted by a Gaussian of 11x11 pixels and a deviation of 1.5; the mean is over
    all places where it fits, and over channels. Z. Wang et al., "Image quality assessment: from error
    visibility to structural similarity", 2004, equation 13.
    """
    channels = images.shape[1]
    places = torch.arange(_WINDOW, device=images.device, dtype=images.dtype) - _WINDOW // 2
    line = torch.exp(-(places**2) / (2 * _SIGMA**2))
    line = line / line.sum()

    def blurred(values: Tensor) -> Tensor:
        columns = line.reshape(1, 1, -1, 1).expand(channels, 1, -1, 1)
        down = functional.conv2d(values, columns, groups=channels)
        return functional.conv2d(down, columns.transpose(2, 3), groups=channels)

    mean, other = blurred(images), blurred(others)
    variance = blurred(images * images) - mean * mean
    of_other = blurred(others * others) - other * other
    covariance = blurred(images * others) - mean * other
    above = (2 * mean * other + _C1) * (2 * covariance + _C2)
    below = (mean * mean + other * other + _C1) * (variance + of_other + _C2)
    return (above / below).flatten(1).mean(1)


METERS: Final[Mapping[str, Meter]] = {
    ACCURACY: Meter(_correct, (CLASS, MASK)),
    TOP5: Meter(_among_top, (CLASS,), in_training=False, classes=_TOP),
    MAE: Meter(_mae, (NUMBER, PICTURE)),
    PSNR: Meter(_psnr, (PICTURE,)),
    SSIM: Meter(ssim, (PICTURE,), in_training=False, side=_WINDOW),
}


def meters(form: str, classes: int, shape: tuple[int, ...], *, training: bool) -> dict[str, Meter]:
    """Return the meters of a head.

    Args:
        form: that of its target.
        classes: the number of its classes.
        shape: that of its output.
        training: whether for batches of a training, or for an evaluation.
    """
    return {
        name: meter
        for name, meter in METERS.items()
        if form in meter.forms
        and (meter.in_training or not training)
        and classes >= meter.classes
        and (not meter.side or (len(shape) == 3 and min(shape[1:]) >= meter.side))
    }
