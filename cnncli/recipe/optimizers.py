"""Optimizers and what they keep in memory; ``training/optimization/optimizers.py`` builds them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from cnncli.recipe.train import Train


class Optimizer(NamedTuple):
    """What is known of an optimizer without torch.

    ``defaults`` are the settings that it has, of all in :data:`OF_OPTIMIZER`, with their defaults: a good
    learning rate of one optimizer is far too large for another.

    ``state(settings)`` is how many numbers it keeps for each parameter between steps. ``scratch(settings,
    decayed)`` is how many it allocates for each parameter during a step, in torch's implementation for all
    tensors at once; ``decayed`` says whether weight decay acts on the parameter's tensor.
    """

    name: str
    help: str
    defaults: Mapping[str, float | bool]
    state: Callable[[Train], int]
    scratch: Callable[[Train, bool], int]


OPTIMIZERS: Final[Mapping[str, Optimizer]] = {
    each.name: each
    for each in (
        Optimizer(
            "sgd",
            "stochastic gradient descent, with momentum",
            {"lr": 0.05, "momentum": 0.9, "nesterov": False, "weight_decay": 5e-4},
            # The momentum.
            state=lambda settings: int(bool(settings.momentum)),
            # Weight decay is added to a copy of the gradient.
            scratch=lambda settings, decayed: int(decayed and settings.weight_decay != 0),
        ),
        Optimizer(
            "adamw",
            "Adam with decoupled weight decay",
            {"lr": 1e-3, "weight_decay": 0.01},
            # The means of the gradient and of its square.
            state=lambda _: 2,
            # The square root of one of the means.
            scratch=lambda *_: 1,
        ),
    )
}
DEFAULT_OPTIMIZER: Final = "sgd"
OF_OPTIMIZER: Final = tuple(dict.fromkeys(name for each in OPTIMIZERS.values() for name in each.defaults))
"""The settings that belong to an optimizer: each has its own defaults, and may lack some of them."""


def is_decayed(axes: int) -> bool:
    """Return whether weight decay acts on a tensor with this number of axes.

    It acts on weights of convolutions and linear layers. Biases and the scales of normalization are excluded,
    since shrinking them does not simplify a network (T. He et al., "Bag of Tricks for Image Classification",
    2019, section 3.1).
    """
    return axes > 1
