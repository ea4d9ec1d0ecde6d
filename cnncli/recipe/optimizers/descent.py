"""Gradient descent, plain and with momentum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

from cnncli.diagnostics import Diagnostic, Location, SpecError
from cnncli.language.fields import arg, same_arg
from cnncli.language.readers import Flag, Number
from cnncli.language.scope import Argument
from cnncli.recipe.optimizers.base import Optimizer, fused


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum.

    With a momentum and a weight decay of 0 it is w = w - lr dE/dw. The momentum is that of Polyak, 1964, with
    ``nesterov`` that of I. Sutskever et al., "On the Importance of Initialization and Momentum in Deep
    Learning", 2013, both with the learning rate outside of the sum.
    """

    keyword = "sgd"

    lr: float = same_arg(Optimizer, "lr", default=0.05)
    weight_decay: float = same_arg(Optimizer, "weight_decay", default=5e-4)
    momentum: float = arg(Number(0, 1), "share of the last step that is added to the next", default=0.9)
    nesterov: bool = arg(Flag(), "whether the gradient is taken after the momentum", default=False)
    fused: str = fused()

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

    def unfused(self, decay: float) -> int:
        """Return 1 if weight decay is added to a copy of the gradient."""
        return int(decay != 0)
