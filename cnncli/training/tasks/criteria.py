"""What one output of a network is held to: its loss on labeled images, and which class it calls.

The last layer of an output that computes anything says by which of these it is trained (``Kind.criterion``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cnncli.layers import Kind
from cnncli.network.network import criteria_of

_INDIFFERENCE: Final = 100.0
_PRESENT: Final = 0.9
_ABSENT: Final = 0.1
_ABSENT_WEIGHT: Final = 0.5


class Criterion(NamedTuple):
    """How an output [n, classes] is judged.

    ``losses(values, labels, smoothing)`` gives the loss of each image, [n]; ``scores(values)`` numbers that
    are larger for likelier classes, [n, classes]; ``smooths`` says whether label smoothing means anything.
    """

    losses: Callable[[Tensor, Tensor, float], Tensor]
    scores: Callable[[Tensor], Tensor]
    smooths: bool = False


def _cross_entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    return functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)


def _as_they_are(values: Tensor) -> Tensor:
    return values


def _distance(distances: Tensor, labels: Tensor, _: float) -> Tensor:
    """y[label] + log(exp(-j) + sum of exp(-y)): equation 9 of LeCun et al. (1998).

    That is cross-entropy on -y beside one more class, of the images that are none of the others, whose
    score is always -j: classes farther away than j are not pushed farther still. The paper does not give
    its j; the prototypes are 48 to 200 apart, and 100 lies between.
    """
    others = distances.new_full((len(distances), 1), _INDIFFERENCE)
    return _cross_entropy(-torch.cat([distances, others], 1), labels, 0.0)


def _margin(lengths: Tensor, labels: Tensor, _: float) -> Tensor:
    """Sum over classes of T max(0, 0.9 - v)^2 + 0.5 (1 - T) max(0, v - 0.1)^2; T is 1 for the label.

    Equation 4 of Sabour, Frosst and Hinton, Dynamic routing between capsules, 2017.
    """
    present = functional.one_hot(labels, lengths.shape[1]).to(lengths.dtype)
    missed = (_PRESENT - lengths).clamp(min=0).square()
    imagined = (lengths - _ABSENT).clamp(min=0).square()
    return (present * missed + _ABSENT_WEIGHT * (1 - present) * imagined).sum(1)


CRITERIA: Final[Mapping[str, Criterion]] = {
    "cross_entropy": Criterion(_cross_entropy, _as_they_are, smooths=True),
    "distance": Criterion(_distance, torch.neg),
    "margin": Criterion(_margin, _as_they_are),
}


def criterion_of(network: nn.Module, head: str) -> Criterion:
    """Return the criterion of one output; cross-entropy for a module that was not made from a spec."""
    return CRITERIA[criteria_of(network).get(head, Kind.criterion)]
