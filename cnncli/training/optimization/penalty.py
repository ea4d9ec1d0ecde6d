"""The penalty on large weights, a part of the objective."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cnncli.recipe.optimizers import is_decayed
from cnncli.recipe.penalty import Penalty


@torch.no_grad()
def add_penalty(network: nn.Module, chosen: Penalty) -> Tensor:
    """Add the gradient of l1 * sum |w| + l2 / 2 * sum w^2 to those of a network, and return the sum.

    It is over the weights that weight decay acts on (:func:`~cnncli.recipe.optimizers.is_decayed`), of those
    that have a gradient. As a term of the objective before the backward pass, it would allocate all gradients
    while everything that is saved is still in memory.
    """
    weights = [each for each in network.parameters() if each.grad is not None and is_decayed(each.ndim)]
    terms = []
    for weight in weights:
        assert weight.grad is not None
        if chosen.l1:
            terms.append(chosen.l1 * torch.linalg.vector_norm(weight, 1))
            weight.grad.add_(weight.sign(), alpha=chosen.l1)
        if chosen.l2:
            terms.append(chosen.l2 / 2 * torch.linalg.vector_norm(weight).square())
            weight.grad.add_(weight, alpha=chosen.l2)
    return torch.stack(terms).sum() if terms else torch.zeros(())
