"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final

from cnncli.recipe.schedules import Constant, Cosine, Linear, Schedule

DECAYS: Final[Mapping[type[Schedule], Callable[[float], float]]] = {
    Constant: lambda _: 1.0,
    Linear: lambda passed: 1 - passed,
    # I. Loshchilov, F. Hutter, "SGDR", 2017, without restarts.
    Cosine: lambda passed: (1 + math.cos(math.pi * passed)) / 2,
}
"""The share of the peak rate that is left when a share ``passed`` of the steps after the warmup is done."""


def learning_rate(step: int, *, base: float, schedule: Schedule, steps: int, warmup: int) -> float:
    """Return the learning rate of one step.

    During the warmup it rises linearly, base (step + 1) / warmup, and reaches ``base`` at the warmup's last
    step. Then it is ``base`` times the share in :data:`DECAYS` at (step - warmup) / (steps - warmup).

    Args:
        step: which step, from 0 to steps - 1.
        base: the peak rate.
        schedule: how it changes after the warmup; its own warmup is in epochs.
        steps: the number of steps of the whole training.
        warmup: the number of them that belong to the warmup.
    """
    if step < warmup:
        return base * ((step + 1) / warmup)
    return base * DECAYS[type(schedule)]((step - warmup) / max(1, steps - warmup))
