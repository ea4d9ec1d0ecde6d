"""How an output is read: the scores of classes, and the logarithms of their probabilities.

The last computing layer of an output determines its criterion (``Kind.criterion``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import torch
from torch import Tensor


def log_probabilities(values: Tensor, criterion: str) -> Tensor:
    """Return the logarithms of the probabilities of classes, [n, classes], of logits or of probabilities.

    A probability that was rounded to 0 counts as the smallest normal number; where a loss is computed from
    the values before softmax (:func:`cnncli.graph.heads.with_logits`), there is no such bound.
    """
    if criterion == "probabilities":
        return values.clamp(min=torch.finfo(values.dtype).tiny).log()
    return values.log_softmax(1)


def _unchanged(values: Tensor) -> Tensor:
    return values


SCORES: Final[Mapping[str, Callable[[Tensor], Tensor]]] = {
    "cross_entropy": _unchanged,
    "probabilities": _unchanged,
    "distance": torch.neg,
    "margin": _unchanged,
}
"""From an output to numbers that are larger for likelier classes, [n, classes]."""
