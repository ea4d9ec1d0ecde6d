"""Penalties on large weights; ``training/optimization/penalty.py`` computes them."""

from __future__ import annotations

from cnncli.language.fields import Record, arg
from cnncli.language.readers import Number
from cnncli.limits import MAX_RATE


class Penalty(Record):
    """What is added to the objective for the weights that weight decay acts on.

    The L2 penalty has the usual half (A. Krogh, J. Hertz, "A Simple Weight Decay Can Improve Generalization",
    1991), so that its gradient is l2 * weight.
    """

    keyword = "penalty"
    member = "setting"

    l1: float = arg(Number(0, MAX_RATE), "factor of the sum of the absolute weights", default=0.0)
    l2: float = arg(Number(0, MAX_RATE), "factor of half the sum of the squared weights", default=0.0)

    def __str__(self) -> str:
        """Return the factors, such as ``l2 0.0001``."""
        return ", ".join(f"{name} {value:g}" for name, value in self.plain().items() if value)

    @property
    def acts(self) -> bool:
        """Whether anything is added."""
        return self.l1 != 0 or self.l2 != 0
