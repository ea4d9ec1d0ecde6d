"""The formulas of the criteria: the loss of an output on labeled images, and its scores of the classes.

The last computing layer of an output determines its criterion (``Kind.criterion``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

_FARTHEST: Final = 100.0
_PRESENT: Final = 0.9
_ABSENT: Final = 0.1
_ABSENT_WEIGHT: Final = 0.5


class Formulas(NamedTuple):
    """What a criterion computes from an output [n, classes].

    ``losses(values, labels, smoothing)`` is the loss of each image, [n]; ``scores(values)`` are numbers that
    are larger for likelier classes, [n, classes].
    """

    losses: Callable[[Tensor, Tensor, float], Tensor]
    scores: Callable[[Tensor], Tensor]


def _cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    return functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)


def _probabilities(values: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Return -(1 - s) log p[label] - s times the mean of log p, for probabilities that are given as such.

    One that was rounded to 0 counts as the smallest normal number; where a loss is computed from the values
    before softmax (:func:`cnncli.graph.heads.with_logits`), there is no such bound.
    """
    logarithms = values.clamp(min=torch.finfo(values.dtype).tiny).log()
    losses = functional.nll_loss(logarithms, labels, reduction="none")
    return (1 - smoothing) * losses - smoothing * logarithms.mean(1)


def _unchanged(values: Tensor) -> Tensor:
    return values


def _distance(distances: Tensor, labels: Tensor, _: float) -> Tensor:
    """Return y[label] + log(exp(-j) + sum of exp(-y)): equation 9 of LeCun et al. (1998).

    This is cross-entropy of -y with one additional class, for images of no class, whose score is always -j:
    classes farther away than j are not pushed any farther. The paper does not give its j; the prototypes
    are 48 to 200 apart, and 100 is in between.
    """
    others = distances.new_full((len(distances), 1), _FARTHEST)
    return _cross_entropy(-torch.cat([distances, others], 1), labels, 0.0)


def _margin(lengths: Tensor, labels: Tensor, _: float) -> Tensor:
    """Return the sum over classes of T max(0, 0.9 - v)^2 + 0.5 (1 - T) max(0, v - 0.1)^2.

    T is 1 for the label, else 0. Equation 4 of Sabour, Frosst and Hinton, "Dynamic routing between capsules",
    2017.
    """
    present = functional.one_hot(labels, lengths.shape[1]).to(lengths.dtype)
    missed = (_PRESENT - lengths).clamp(min=0).square()
    excess = (lengths - _ABSENT).clamp(min=0).square()
    return (present * missed + _ABSENT_WEIGHT * (1 - present) * excess).sum(1)


FORMULAS: Final[Mapping[str, Formulas]] = {
    "cross_entropy": Formulas(_cross_entropy, _unchanged),
    "probabilities": Formulas(_probabilities, _unchanged),
    "distance": Formulas(_distance, torch.neg),
    "margin": Formulas(_margin, _unchanged),
}
