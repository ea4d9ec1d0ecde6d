"""The logarithms of the probabilities of classes, from an output.

The last computing layer of an output determines its criterion (``Kind.criterion``).
"""

from __future__ import annotations

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
