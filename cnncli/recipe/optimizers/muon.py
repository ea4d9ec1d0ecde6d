"""Muon, for the matrices of hidden layers."""

from __future__ import annotations

from typing import ClassVar

from cnncli.language.fields import arg, same_arg
from cnncli.language.nested import Nested
from cnncli.language.readers import Flag, Number
from cnncli.limits import MAX_BETA
from cnncli.recipe.optimizers.adaptive import AdamW
from cnncli.recipe.optimizers.base import Optimizer


class Muon(Optimizer):
    """Steps along the nearest orthogonal matrix to the momentum, for weights of hidden layers.

    K. Jordan, "Muon: An Optimizer for Hidden Layers in Neural Networks", 2024. A kernel is a matrix with a
    row for each output channel. AdamW learns all other tensors: biases, scales, and the weights of the first
    and the last layers.
    """

    keyword = "muon"

    lr: float = same_arg(Optimizer, "lr", default=0.02)
    weight_decay: float = same_arg(Optimizer, "weight_decay", default=0.01)
    momentum: float = arg(
        Number(0, MAX_BETA, above=True), "share of the old mean of gradients in the new one", default=0.95
    )
    nesterov: bool = arg(Flag(), "whether the gradient is added to its mean once more", default=True)
    adamw: AdamW = arg(Nested(AdamW), "the optimizer of all other tensors", default=AdamW())

    one_by_one: ClassVar[bool] = True

    @property
    def others(self) -> Optimizer:
        """AdamW."""
        return self.adamw

    @property
    def inertia(self) -> float:
        """The momentum."""
        return self.momentum

    @property
    def state(self) -> int:
        """One for the momentum."""
        return 1

    def unfused(self, decay: float) -> int:  # noqa: ARG002
        """Return 2: the matrix before and after an iteration, and two products of its rows, all in 16 bits.

        An upper bound, reached by square matrices.
        """
        return 2
