"""Muon for kernels of any number of axes, which torch's refuses, beside AdamW for all other tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor
from torch.optim import Optimizer

_COEFFICIENTS: Final = (3.4445, -4.7750, 2.0315)
_ITERATIONS: Final = 5
_SMALLEST: Final = 1e-7
"""Those of K. Jordan, 2024: they bring all singular values near 1, as fast as possible."""

MOMENTUM: Final = "momentum_buffer"


class Muon(Optimizer):
    """Steps of K. Jordan, 2024, for tensors that are a matrix with a row for each output channel.

    B = momentum B + (1 - momentum) gradient is made orthogonal, with nesterov after the gradient was added to
    it once more, and w = w - lr decay w - lr sqrt(max(1, rows / columns)) B. A step of the ``others``, which
    learn all other tensors, belongs to it.
    """

    def __init__(
        self, groups: Any, others: Optimizer | None, *, lr: float, momentum: float, nesterov: bool
    ) -> None:
        super().__init__(groups, {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": 0.0})
        self.own = [*self.param_groups]
        self.others = others
        if others is not None:
            # The same mappings: a learning rate that is set here is theirs, and so is what they keep.
            self.param_groups += others.param_groups
            others.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take a step with the gradients that are there."""
        assert closure is None
        for group in self.own:
            for tensor in group["params"]:
                if tensor.grad is not None:
                    self._step(tensor, tensor.grad, group)
        if self.others is not None:
            self.others.step()

    def _step(self, tensor: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[tensor]
        if MOMENTUM not in state:
            state[MOMENTUM] = torch.zeros_like(tensor)
        mean, momentum = state[MOMENTUM], group["momentum"]
        mean.lerp_(gradient, 1 - momentum)
        update = orthogonal(gradient.lerp(mean, momentum) if group["nesterov"] else mean)
        rows, columns = len(tensor), tensor[0].numel()
        tensor.mul_(1 - group["lr"] * group["weight_decay"])
        tensor.add_(update, alpha=-group["lr"] * math.sqrt(max(1, rows / columns)))


def orthogonal(tensor: Tensor) -> Tensor:
    """Return about U V^T for a matrix U S V^T [rows, ...], in 16 bits and in the same shape.

    Newton and Schulz's iteration, X = a X + b X X^T X + c (X X^T)^2 X.
    """
    a, b, c = _COEFFICIENTS
    matrix = tensor.flatten(1).bfloat16()
    is_tall = matrix.shape[0] > matrix.shape[1]
    if is_tall:
        matrix = matrix.T
    matrix = matrix / matrix.norm().clamp(min=_SMALLEST)
    for _ in range(_ITERATIONS):
        products = matrix @ matrix.T
        products = torch.addmm(products, products, products, beta=b, alpha=c)
        matrix = torch.addmm(matrix, products, matrix, beta=a)
    return (matrix.T if is_tall else matrix).reshape(tensor.shape)
