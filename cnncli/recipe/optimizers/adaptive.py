"""Optimizers whose steps are divided by the size of gradients so far."""

from __future__ import annotations

from cnncli.language.fields import arg, same_arg
from cnncli.language.readers import Flag, Number
from cnncli.limits import MAX_BETA
from cnncli.recipe.optimizers.base import Optimizer, beta, epsilon, fused

_MEAN = "share of the old mean of gradients in the new one"
_SQUARES = "share of the old mean of squared gradients in the new one"


class _Means(Optimizer):
    """An optimizer that keeps a mean of gradients, and one of their squares."""

    lr: float = same_arg(Optimizer, "lr", default=1e-3)
    beta1: float = beta(_MEAN, 0.9)
    beta2: float = beta(_SQUARES, 0.999)

    @property
    def inertia(self) -> float:
        """The beta1."""
        return self.beta1

    @property
    def state(self) -> int:
        """Two, one for each mean."""
        return 2

    def unfused(self, decay: float) -> int:  # noqa: ARG002
        """Return 1 for a square root: weight decay's copy of the gradient is gone by then."""
        return 1


class Adam(_Means):
    """Adam; weight decay is added to the gradient, as an L2 penalty is.

    D. Kingma, J. Ba, "Adam: A Method for Stochastic Optimization", 2015, algorithm 1.
    """

    keyword = "adam"

    weight_decay: float = same_arg(Optimizer, "weight_decay", default=0.0)
    eps: float = epsilon(1e-8)
    fused: str = fused()


class AdamW(Adam):
    """Adam with decoupled weight decay, which is subtracted from the weight.

    I. Loshchilov, F. Hutter, "Decoupled Weight Decay Regularization", 2019, algorithm 2.
    """

    keyword = "adamw"

    weight_decay: float = same_arg(Optimizer, "weight_decay", default=0.01)


class RMSprop(Optimizer):
    """Steps divided by the root of the mean of squared gradients (G. Hinton, lecture 6e, 2012)."""

    keyword = "rmsprop"

    lr: float = same_arg(Optimizer, "lr", default=1e-3)
    weight_decay: float = same_arg(Optimizer, "weight_decay", default=0.0)
    alpha: float = beta(_SQUARES, 0.9)
    eps: float = epsilon(1e-8)
    momentum: float = arg(
        Number(0, MAX_BETA), "share of the last step that is added to the next", default=0.0
    )
    centered: bool = arg(
        Flag(), "whether the variance of gradients takes the place of their mean square", default=False
    )

    @property
    def inertia(self) -> float:
        """The momentum."""
        return self.momentum

    @property
    def state(self) -> int:
        """One for the mean square, one for the momentum, one for the mean of a centered one."""
        return 1 + (self.momentum != 0) + self.centered

    def unfused(self, decay: float) -> int:
        """Return 1 for a square root, and 1 if weight decay is added to a copy of the gradient."""
        return 1 + (decay != 0)


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients.

    J. Duchi, E. Hazan, Y. Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization", 2011.
    """

    keyword = "adagrad"

    lr: float = same_arg(Optimizer, "lr", default=0.01)
    weight_decay: float = same_arg(Optimizer, "weight_decay", default=0.0)
    eps: float = epsilon(1e-10)
    fused: str = fused()

    @property
    def inertia(self) -> float:
        """None."""
        return 0.0

    @property
    def state(self) -> int:
        """One for the sum of squares."""
        return 1

    def unfused(self, decay: float) -> int:  # noqa: ARG002
        """Return 2, for a square root and a multiple of the gradient."""
        return 2


class LAMB(_Means):
    """Adam whose step in a tensor is as long as the tensor, times the learning rate: for large batches.

    Y. You et al., "Large Batch Optimization for Deep Learning: Training BERT in 76 Minutes", 2020, algorithm
    2. As in the authors' program, biases and scales have neither weight decay nor steps of that length.
    """

    keyword = "lamb"

    weight_decay: float = same_arg(Optimizer, "weight_decay", default=0.01)
    eps: float = epsilon(1e-6)
