"""The learning rate as a pure function of the step."""

from __future__ import annotations

import math


def learning_rate(step: int, *, base: float, schedule: str, steps: int, warmup: int) -> float:
    """The learning rate of one step.

    Within the warm-up it rises linearly, base (step + 1) / warmup, and reaches ``base`` at its last step.
    After it, t = (step - warmup) / (steps - warmup) runs from 0 towards 1, and the rate is

    - constant: base
    - linear: base (1 - t)
    - cosine: base (1 + cos(pi t)) / 2   (I. Loshchilov, F. Hutter, "SGDR", 2017, without restarts)

    Args:
        step: which step, from 0 to steps - 1.
        base: the highest rate.
        schedule: "constant", "linear" or "cosine".
        steps: how many steps the whole training has.
        warmup: how many of them are the warm-up.
    """
    if step < warmup:
        return base * ((step + 1) / warmup)
    passed = (step - warmup) / max(1, steps - warmup)
    if schedule == "linear":
        return base * (1 - passed)
    if schedule == "cosine":
        return base * (1 + math.cos(math.pi * passed)) / 2
    assert schedule == "constant", schedule
    return base
