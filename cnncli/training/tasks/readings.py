"""How outputs are read: what they say, with what probability, and what two of them say together."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.recipe.columns import CLASS, MASK, PICTURE, TAGS
from cnncli.recipe.losses import BinaryCrossEntropy, Dice, Loss
from cnncli.training.tasks.losses import FARTHEST, Given
from cnncli.training.tasks.targets import Target


class Reading(NamedTuple):
    """How the values of a head are read, [n, ...].

    ``said`` returns what they say: scores of classes, [n, classes, ...], larger for likelier ones,
    probabilities of tags, numbers, or a picture of values from 0 to 1. ``probabilities`` returns those of
    what was said. ``together`` returns values between two: for classes and tags those whose probabilities are
    the means of both, otherwise the means themselves.
    """

    said: Callable[[Tensor], Tensor]
    probabilities: Callable[[Tensor], Tensor]
    together: Callable[[Tensor, Tensor], Tensor]


def reading(loss: Loss, target: Target, given: Given) -> Reading:
    """Return how a head is read that is compared with a target by a loss."""
    squashed = isinstance(loss, BinaryCrossEntropy | Dice) and not given.is_sigmoid
    if target.binary:
        if squashed:
            return Reading(_two_logits, _softmax, _between_sigmoids)
        return Reading(_two_shares, _unchanged, _mean)
    if target.form in (TAGS, PICTURE) and squashed:
        return Reading(torch.sigmoid, _unchanged, _between_sigmoids)
    if target.form in (CLASS, MASK):
        return READINGS[given.criterion]
    return Reading(_unchanged, _unchanged, _mean)


def _unchanged(values: Tensor) -> Tensor:
    return values


def _two_logits(values: Tensor) -> Tensor:
    """Return logits of two classes, [n, 2, ...], from the logit of the second one, [n, 1, ...]."""
    return torch.cat([-values, values], 1) / 2


def _two_shares(values: Tensor) -> Tensor:
    """Return probabilities of two classes, [n, 2, ...], from that of the second one, [n, 1, ...]."""
    return torch.cat([1 - values, values], 1)


def _softmax(scores: Tensor) -> Tensor:
    return scores.softmax(1)


def _of_distances(scores: Tensor) -> Tensor:
    """Return exp(-y) / (exp(-j) + sum of exp(-y)) of the classes, whose scores are -y.

    LeCun et al. (1998), equation 9; the rest is the probability of no class.
    """
    return functional.pad(scores, (0, 1), value=-FARTHEST).softmax(1)[:, :-1]


def _mean(values: Tensor, others: Tensor) -> Tensor:
    return (values + others) / 2


def _between_logits(values: Tensor, others: Tensor) -> Tensor:
    """Return the logarithms of the mean probabilities, which are logits too."""
    return torch.logaddexp(values.log_softmax(1), others.log_softmax(1)) - math.log(2)


def _between_sigmoids(values: Tensor, others: Tensor) -> Tensor:
    """Return the logits of the mean of the sigmoids."""
    present = torch.logaddexp(functional.logsigmoid(values), functional.logsigmoid(others))
    absent = torch.logaddexp(functional.logsigmoid(-values), functional.logsigmoid(-others))
    return present - absent


def _between_distances(values: Tensor, others: Tensor) -> Tensor:
    """Return the distances whose probabilities are the means of both."""
    scores = (functional.pad(-each, (0, 1), value=-FARTHEST) for each in (values, others))
    logarithms = _between_logits(*scores)
    return FARTHEST + logarithms[:, -1:] - logarithms[:, :-1]


READINGS: Final[Mapping[str, Reading]] = {
    "cross_entropy": Reading(_unchanged, _softmax, _between_logits),
    "probabilities": Reading(_unchanged, _unchanged, _mean),
    "distance": Reading(torch.neg, _of_distances, _between_distances),
    "margin": Reading(_unchanged, _unchanged, _mean),
}
"""Those of classes, by the criterion of a head.

The length of a capsule is the probability that its entity is present, so those of several classes need not
add up to 1 (Sabour, Frosst and Hinton, 2017)."""
