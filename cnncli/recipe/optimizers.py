"""Optimizers, and what they keep in memory; ``training/optimization/optimizers.py`` builds them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self

from cnncli.diagnostics import Diagnostic, Location, SpecError
from cnncli.language.fields import Record, arg, same_arg
from cnncli.language.readers import Flag, Number
from cnncli.language.scope import Argument
from cnncli.limits import MAX_RATE


class Optimizer(Record):
    """An optimizer, with what is known of it without torch.

    Every optimizer has its own defaults: a good learning rate of one is far too large for another.
    """

    member = "setting"

    lr: float = arg(Number(0, MAX_RATE, above=True), "peak learning rate")
    weight_decay: float = arg(
        Number(0, MAX_RATE), "weight decay of tensors with more than one axis: not of biases and scales"
    )

    @property
    def inertia(self) -> float:
        """Its momentum, or the beta1 of its mean of gradients: what ``onecycle`` changes; 0 without."""
        raise NotImplementedError

    @property
    def state(self) -> int:
        """How many numbers it keeps for each parameter between steps."""
        raise NotImplementedError

    def scratch(self, decayed: bool) -> int:
        """Return how many numbers it allocates for each parameter during a step.

        They are those of torch's implementation for all tensors at once. ``decayed`` says whether weight
        decay acts on the parameter's tensor.
        """
        raise NotImplementedError


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum."""

    keyword = "sgd"

    lr: float = same_arg(Optimizer, "lr", default=0.05)
    weight_decay: float = same_arg(Optimizer, "weight_decay", default=5e-4)
    momentum: float = arg(Number(0, 1), "share of the last step that is added to the next", default=0.9)
    nesterov: bool = arg(Flag(), "whether the gradient is taken after the momentum", default=False)

    @classmethod
    def read(cls, written: Mapping[str, Argument], where: Location) -> Self:
        """Read the settings, and check that they do not contradict each other.

        Raises:
            SpecError: with all errors: unknown settings, wrong values, or nesterov without momentum.
        """
        found = super().read(written, where)
        if found.nesterov and found.momentum == 0:
            place = written["nesterov"].location
            expected = "momentum above 0, or nesterov: false"
            fault = Diagnostic("value", "'nesterov' needs momentum", place, expected, "momentum: 0")
            raise SpecError(fault)
        return found

    @property
    def inertia(self) -> float:
        """The momentum."""
        return self.momentum

    @property
    def state(self) -> int:
        """One for the momentum."""
        return int(self.momentum != 0)

    def scratch(self, decayed: bool) -> int:
        """Return 1 if weight decay is added to a copy of the gradient."""
        return int(decayed and self.weight_decay != 0)


class AdamW(Optimizer):
    """Adam with decoupled weight decay."""

    keyword = "adamw"

    lr: float = same_arg(Optimizer, "lr", default=1e-3)
    weight_decay: float = same_arg(Optimizer, "weight_decay", default=0.01)

    @property
    def inertia(self) -> float:
        """The beta1, torch's default."""
        return 0.9

    @property
    def state(self) -> int:
        """Two for the means of the gradient and of its square."""
        return 2

    def scratch(self, decayed: bool) -> int:  # noqa: ARG002
        """Return 1 for the square root of one of the means."""
        return 1


OPTIMIZERS: Final[Mapping[str, type[Optimizer]]] = {each.keyword: each for each in (SGD, AdamW)}


def is_decayed(axes: int) -> bool:
    """Return whether weight decay acts on a tensor with this number of axes.

    It acts on weights of convolutions and linear layers. Biases and the scales of normalization are excluded,
    since shrinking them does not simplify a network (T. He et al., "Bag of Tricks for Image Classification",
    2019, section 3.1).
    """
    return axes > 1
