"""LAMB, which torch does not have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from cnncli.recipe.optimizers import is_decayed

STEP, MEAN, SQUARES = "step", "exp_avg", "exp_avg_sq"


class Lamb(Optimizer):
    """Algorithm 2 of Y. You et al., 2020, for all tensors of a group at once.

    m and v are Adam's means, without their bias; the step is r = m / (sqrt(v) + eps) + decay * w, and
    w = w - lr * |w| / |r| * r, where |w| / |r| is 1 if a norm is 0, and for tensors of one axis.
    """

    def __init__(self, groups: Any, *, lr: float, betas: tuple[float, float], eps: float) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take a step with the gradients that are there."""
        assert closure is None
        for group in self.param_groups:
            for adapted in (True, False):
                tensors = [
                    each
                    for each in group["params"]
                    if each.grad is not None and is_decayed(each.ndim) == adapted
                ]
                if tensors:
                    self._step(tensors, group, adapted=adapted)

    def _step(self, tensors: list[Tensor], group: dict[str, Any], *, adapted: bool) -> None:
        beta1, beta2 = group["betas"]
        gradients = [each.grad for each in tensors if each.grad is not None]
        states = [self._state(each) for each in tensors]
        means, squares = [each[MEAN] for each in states], [each[SQUARES] for each in states]
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        counts = []
        for each in states:
            each[STEP] += 1
            counts.append(int(each[STEP]))
        updates = torch._foreach_sqrt(squares)
        torch._foreach_div_(updates, [(1 - beta2**count) ** 0.5 for count in counts])
        torch._foreach_add_(updates, group["eps"])
        torch._foreach_mul_(updates, [1 - beta1**count for count in counts])
        torch._foreach_reciprocal_(updates)
        torch._foreach_mul_(updates, means)
        if group["weight_decay"]:
            torch._foreach_add_(updates, tensors, alpha=group["weight_decay"])
        if adapted:
            torch._foreach_mul_(updates, _ratios(tensors, updates))
        torch._foreach_add_(tensors, updates, alpha=-group["lr"])

    def _state(self, tensor: Tensor) -> dict[str, Tensor]:
        """Return what is kept of a tensor; the counter of steps is on the CPU, where it is read."""
        state: dict[str, Tensor] = self.state[tensor]
        if not state:
            state[STEP] = torch.zeros(())
            state[MEAN], state[SQUARES] = torch.zeros_like(tensor), torch.zeros_like(tensor)
        return state


def _ratios(tensors: list[Tensor], updates: tuple[Tensor, ...] | list[Tensor]) -> list[Tensor]:
    """Return how many times longer each tensor is than its step; 1 where one of them is 0."""
    lengths, steps = (torch.stack([*torch._foreach_norm(each)]) for each in (tensors, updates))
    return [*torch.where((lengths > 0) & (steps > 0), lengths / steps, 1.0).unbind()]
