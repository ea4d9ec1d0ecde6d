"""What is measured of a head beside its loss: sums over the samples of a batch, which add up over batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor

from cnncli.recipe.metrics import ACCURACY, MAE, PSNR, TOP5

_TOP: Final = 5
_FINEST: Final = 1e-10
"""The least mean squared difference, so that an exact copy has 100 dB."""


class Meter(NamedTuple):
    """A metric of heads of classes, or of heads of values from 0 to 1.

    ``total(values, target)`` is the sum over the samples of a batch, a scalar: of scores [n, classes] and
    labels int64 [n], or of two tensors [n, ...]. One that is not measured ``in_training`` takes longer than
    it tells there.
    """

    total: Callable[[Tensor, Tensor], Tensor]
    of_classes: bool
    in_training: bool = True
    classes: int = 0


def _correct(scores: Tensor, labels: Tensor) -> Tensor:
    """Return how many labels have the largest score, a scalar; NaN is never the largest."""
    own = scores.gather(1, labels.unsqueeze(1)).squeeze(1)
    return ((scores.argmax(1) == labels) & ~own.isnan()).sum()


def _among_top(scores: Tensor, labels: Tensor) -> Tensor:
    """Return how many labels have one of the five largest scores; the lower number wins a tie.

    Computed from the classes that are *not* ahead, so that a score of NaN never counts as correct.
    """
    own = scores.gather(1, labels.unsqueeze(1))
    number = torch.arange(scores.shape[1], device=scores.device)
    behind = (scores < own) | ((scores == own) & (number >= labels.unsqueeze(1)))
    return (scores.shape[1] - behind.sum(1) < _TOP).sum()


def _mae(values: Tensor, target: Tensor) -> Tensor:
    return (values - target).abs().flatten(1).mean(1).sum()


def _psnr(values: Tensor, target: Tensor) -> Tensor:
    """Return the sum of 10 log10(1 / mse) over the samples: dB for values from 0 to 1."""
    errors = (values - target).square().flatten(1).mean(1)
    return -10 * errors.clamp(min=_FINEST).log10().sum()


METERS: Final[Mapping[str, Meter]] = {
    ACCURACY: Meter(_correct, of_classes=True),
    TOP5: Meter(_among_top, of_classes=True, in_training=False, classes=_TOP),
    MAE: Meter(_mae, of_classes=False),
    PSNR: Meter(_psnr, of_classes=False),
}


def meters(classes: int, *, of_classes: bool, training: bool) -> dict[str, Meter]:
    """Return the meters of a head, where the data has ``classes`` classes."""
    return {
        name: meter
        for name, meter in METERS.items()
        if meter.of_classes == of_classes and (meter.in_training or not training) and classes >= meter.classes
    }


def f1(confusion: Tensor) -> float:
    """Return the mean over classes of 2 correct / (samples + predictions), from a table [true][predicted].

    Classes without samples and predictions have none, and are left out. One that was predicted for no sample
    of its own counts as 0.
    """
    table = confusion.to("cpu", torch.float64)
    both = table.sum(0) + table.sum(1)
    known = both > 0
    return float((2 * table.diagonal()[known] / both[known]).mean())
