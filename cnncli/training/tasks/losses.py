"""The formulas of the losses: the loss of each sample, from the values of a head and its target."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.recipe import losses as kinds
from cnncli.recipe.losses import Loss
from cnncli.training.data.targets import NO_CLASS
from cnncli.training.tasks.criteria import log_probabilities

PerSample: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""``per_sample(values, target)`` is the loss of each sample, [n].

Of classes, values are [n, classes, *spatial] and targets int64 [n, *spatial], where
:data:`~cnncli.training.data.targets.NO_CLASS` is left out; otherwise both are [n, ...] of one shape.
"""

FARTHEST: Final = 100.0
_PRESENT: Final = 0.9
_ABSENT: Final = 0.1
_ABSENT_WEIGHT: Final = 0.5


class Given(NamedTuple):
    """What a formula depends on beside its settings: the head's criterion, whether it ends in ``sigmoid``.

    ``weights`` are factors of the classes, float32 [classes] on the device of the head; None if all are 1.
    """

    criterion: str
    is_sigmoid: bool = False
    weights: Tensor | None = None


def _cross_entropy(loss: kinds.CrossEntropy, given: Given) -> PerSample:
    """Return w[label] (1 - s) times -log p[label], plus s times the mean of -w log p over all classes."""

    def per_sample(values: Tensor, labels: Tensor) -> Tensor:
        logarithms = log_probabilities(values, given.criterion)
        own = functional.nll_loss(logarithms, labels, given.weights, reduction="none", ignore_index=NO_CLASS)
        if not loss.smoothing:
            return _over_pixels(own, labels)
        weighted = logarithms
        if given.weights is not None:
            weighted = logarithms * given.weights.reshape(-1, *(1 for _ in values.shape[2:]))
        return _over_pixels((1 - loss.smoothing) * own - loss.smoothing * weighted.mean(1), labels)

    return per_sample


def _focal(loss: kinds.Focal, given: Given) -> PerSample:
    """Return -(1 - p)^gamma log p of the label: equation 4 of Lin et al. (2017)."""

    def per_sample(values: Tensor, labels: Tensor) -> Tensor:
        logarithms = log_probabilities(values, given.criterion)
        own = logarithms.gather(1, labels.clamp(min=0).unsqueeze(1)).squeeze(1)
        # Below 0 by rounding, 1 - p would have no power; at 0, a power below 1 has no finite derivative.
        missing = (-own.expm1()).clamp(min=torch.finfo(own.dtype).tiny)
        return _over_pixels(-missing.pow(loss.gamma) * own, labels)

    return per_sample


def _dice(_: kinds.Dice, given: Given) -> PerSample:
    """Return 1 minus the mean over classes of (2 sum of p t + 1) / (sum of p + sum of t + 1).

    p are the probabilities of a class and t is 1 where it is the right one, over the pixels of a sample that
    have a target. Section 3 of Milletari, Navab and Ahmadi, "V-Net", 2016, whose denominator has squares; the
    1 is there for classes that a sample does not have. One channel is the probability of the second class.
    """

    def per_sample(values: Tensor, labels: Tensor) -> Tensor:
        channels = values.shape[1]
        if channels == 1:
            shares = values if given.is_sigmoid else values.sigmoid()
        else:
            shares = log_probabilities(values, given.criterion).exp()
        first = 1 if channels == 1 else 0
        classes = torch.arange(first, first + channels, device=labels.device)
        # one_hot would make an int64 of each class and pixel.
        truth = labels.unsqueeze(1) == classes.reshape(-1, *(1 for _ in values.shape[2:]))
        shares = shares * (labels >= 0).unsqueeze(1)
        overlap, both = shares * truth, shares + truth
        ratio = (2 * overlap.flatten(2).sum(2) + 1) / (both.flatten(2).sum(2) + 1)
        return 1 - ratio.mean(1)

    return per_sample


def _binary_cross_entropy(_: kinds.BinaryCrossEntropy, given: Given) -> PerSample:
    """Return the mean of -t log p - (1 - t) log(1 - p), where p are the values, or the sigmoid of them.

    Of a mask of two classes, t is 1 for the second one.
    """
    formula: Callable[..., Tensor] = (
        functional.binary_cross_entropy if given.is_sigmoid else functional.binary_cross_entropy_with_logits
    )

    def per_sample(values: Tensor, target: Tensor) -> Tensor:
        if target.dtype != torch.int64:
            return _mean(formula(values, target, reduction="none"))
        return _over_pixels(formula(values[:, 0], (target == 1).to(values), reduction="none"), target)

    return per_sample


def _over_pixels(losses: Tensor, labels: Tensor) -> Tensor:
    """Return the mean over the pixels of each sample that have a target; losses [n] remain as they are."""
    if losses.ndim == 1:
        return losses
    known = labels >= 0
    sums = torch.where(known, losses, 0).flatten(1).sum(1)
    return sums / known.flatten(1).sum(1).clamp(min=1)


def _mse(_: kinds.MSE, __: Given) -> PerSample:
    return lambda values, target: _mean((values - target).square())


def _mae(_: kinds.MAE, __: Given) -> PerSample:
    return lambda values, target: _mean((values - target).abs())


def _smooth_l1(loss: kinds.SmoothL1, _: Given) -> PerSample:
    return lambda values, target: _mean(
        functional.smooth_l1_loss(values, target, reduction="none", beta=loss.beta)
    )


def _mean(values: Tensor) -> Tensor:
    return values.flatten(1).mean(1)


def _distance(_: kinds.Distance, __: Given) -> PerSample:
    return distance


def distance(distances: Tensor, labels: Tensor) -> Tensor:
    """Return y[label] + log(exp(-j) + sum of exp(-y)): equation 9 of LeCun et al. (1998).

    This is cross-entropy of -y with one additional class, for images of no class, whose score is always -j:
    classes farther away than j are not pushed any farther. The paper does not give its j; the prototypes
    are 48 to 200 apart, and 100 is in between.
    """
    others = distances.new_full((len(distances), 1), FARTHEST)
    return functional.cross_entropy(-torch.cat([distances, others], 1), labels, reduction="none")


def _margin(_: kinds.Margin, __: Given) -> PerSample:
    return margin


def margin(lengths: Tensor, labels: Tensor) -> Tensor:
    """Return the sum over classes of T max(0, 0.9 - v)^2 + 0.5 (1 - T) max(0, v - 0.1)^2.

    T is 1 for the label, else 0. Equation 4 of Sabour, Frosst and Hinton, "Dynamic routing between capsules",
    2017.
    """
    present = functional.one_hot(labels, lengths.shape[1]).to(lengths.dtype)
    missed = (_PRESENT - lengths).clamp(min=0).square()
    excess = (lengths - _ABSENT).clamp(min=0).square()
    return (present * missed + _ABSENT_WEIGHT * (1 - present) * excess).sum(1)


FORMULAS: Final[Mapping[type[Loss], Callable[[Any, Given], PerSample]]] = {
    kinds.CrossEntropy: _cross_entropy,
    kinds.Focal: _focal,
    kinds.Dice: _dice,
    kinds.BinaryCrossEntropy: _binary_cross_entropy,
    kinds.MSE: _mse,
    kinds.MAE: _mae,
    kinds.SmoothL1: _smooth_l1,
    kinds.Distance: _distance,
    kinds.Margin: _margin,
}


def formula(loss: Loss, given: Given) -> PerSample:
    """Return the formula of a loss for a head."""
    return FORMULAS[type(loss)](loss, given)


def class_weights(loss: Loss, counts: Tensor) -> Tensor | None:
    """Return the factor of each class; None if all are 1.

    ``balanced`` are N / (k n), for n of N samples and k classes that have samples, so that the mean over all
    samples is 1; a class without samples has N / k. A list is taken as it is.

    Args:
        loss: with weights, or any other.
        counts: the training samples of each class, int64 [classes].
    """
    weights = loss.weights if isinstance(loss, kinds.CrossEntropy) else kinds.EQUAL
    if weights == kinds.EQUAL:
        return None
    if weights == kinds.BALANCED:
        present = int((counts > 0).sum())
        return (counts.sum() / (present * counts.clamp(min=1))).to(torch.float32)
    return torch.tensor(weights, dtype=torch.float32)
