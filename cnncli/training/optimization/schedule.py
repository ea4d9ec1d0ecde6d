"""The learning rate, and a momentum that moves with it, as pure functions of the step.

With ``plateau`` they also depend on the figures of the epochs before. So there is no state to save: a
training that was interrupted has the same rates as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, Final, NamedTuple

from cnncli.recipe.metrics import VAL
from cnncli.recipe.schedules import (
    Constant,
    Cosine,
    Exponential,
    Linear,
    Multistep,
    OneCycle,
    Plateau,
    Polynomial,
    Schedule,
    Step,
)
from cnncli.results.training import Epoch
from cnncli.training.stopping import improvements


class Moment(NamedTuple):
    """A step of a training, counted from 0.

    ``steps`` are those of the whole training, ``epoch`` is how many an epoch has, and ``warmup`` how many
    belong to the warmup. ``history`` has the epochs before.
    """

    step: int
    steps: int
    epoch: int
    warmup: int
    history: Sequence[Epoch] = ()

    @property
    def passed(self) -> float:
        """The share of the steps after the warmup that are done."""
        return (self.step - self.warmup) / max(1, self.steps - self.warmup)


def learning_rate(base: float, schedule: Schedule, moment: Moment) -> float:
    """Return the learning rate of a step.

    During the warmup it rises in a straight line, base (f + (1 - f) (step + 1) / warmup) with f =
    ``warmup_from``, and reaches ``base`` at the warmup's last step. Then it is ``base`` times the share in
    :data:`DECAYS`. With :class:`~cnncli.recipe.schedules.OneCycle` it rises along half a cosine, as torch's
    does, from f at the first step.

    Args:
        base: the highest rate.
        schedule: how it changes; settled, in a training of ``moment.steps`` steps.
        moment: the step.
    """
    if moment.step >= moment.warmup:
        return base * DECAYS[type(schedule)](schedule, moment)
    risen = _height(moment) if isinstance(schedule, OneCycle) else (moment.step + 1) / moment.warmup
    return base * (schedule.warmup_from + (1 - schedule.warmup_from) * risen)


def moved_momentum(base: float, schedule: Schedule, moment: Moment) -> float | None:
    """Return the momentum, or beta1, of a step; None if the schedule leaves it at ``base``.

    With :class:`~cnncli.recipe.schedules.OneCycle` it is ``base`` in the beginning and at the end, and lowest
    where the learning rate is highest.
    """
    if not isinstance(schedule, OneCycle) or schedule.momentum is None or schedule.momentum >= base:
        return None
    return base + (schedule.momentum - base) * _height(moment)


def _height(moment: Moment) -> float:
    """Return how far a step of one cycle is up, along half a cosine in each direction, as torch computes it.

    It is 0 at the first step, 1 at the last one of the warmup, and 0 at the last one of the training.
    """
    top = max(moment.warmup, 1) - 1
    if moment.step <= top:
        return 1 - _half_cosine(moment.step / max(1, top)) if top else 1.0
    return _half_cosine((moment.step - top) / (moment.steps - 1 - top))


def _half_cosine(passed: float) -> float:
    """Return the height of half a cosine that falls from 1 to 0 while ``passed`` rises from 0 to 1."""
    return (1 + math.cos(math.pi * passed)) / 2


def _cosine(schedule: Cosine, moment: Moment) -> float:
    """Return the share of the peak in one of several cycles; each has a whole number of steps."""
    lengths = [schedule.growth**cycle for cycle in range(schedule.cycles)]
    steps, done = max(1, moment.steps - moment.warmup), moment.step - moment.warmup
    ends = [round(steps * each / sum(lengths)) for each in accumulate(lengths)]
    for cycle, (start, end) in enumerate(pairwise((0, *ends))):
        if done < end:
            peak, height = schedule.factor**cycle, _half_cosine((done - start) / (end - start))
            return schedule.floor + (peak - schedule.floor) * height
    return schedule.floor


def _linear(schedule: Linear, moment: Moment) -> float:
    return schedule.floor + (1 - schedule.floor) * (1 - moment.passed)


def _polynomial(schedule: Polynomial, moment: Moment) -> float:
    return schedule.floor + (1 - schedule.floor) * float((1 - moment.passed) ** schedule.power)


def _step(schedule: Step, moment: Moment) -> float:
    assert schedule.every is not None
    # Half a step more: changes are at the step that is nearest to their time.
    return float(schedule.factor ** math.floor((moment.step + 0.5) / (schedule.every * moment.epoch)))


def _multistep(schedule: Multistep, moment: Moment) -> float:
    assert schedule.milestones is not None
    return float(
        schedule.factor ** sum(moment.step >= round(each * moment.epoch) for each in schedule.milestones)
    )


def _exponential(schedule: Exponential, moment: Moment) -> float:
    return float(schedule.factor ** ((moment.step - moment.warmup) / moment.epoch))


def _plateau(schedule: Plateau, moment: Moment) -> float:
    """Return the share after the epochs so far; those that end in the warmup do not count."""
    counted = moment.history[moment.warmup // moment.epoch :]
    changes, waited = 0, 0
    for improved in improvements(counted, f"{VAL}.{schedule.metric}"):
        waited = 0 if improved else waited + 1
        if waited == schedule.patience:
            changes, waited = changes + 1, 0
    return max(schedule.floor, float(schedule.factor**changes))


DECAYS: Final[Mapping[type[Schedule], Callable[[Any, Moment], float]]] = {
    Constant: lambda _, __: 1.0,
    Cosine: _cosine,
    Exponential: _exponential,
    Linear: _linear,
    Multistep: _multistep,
    OneCycle: lambda schedule, moment: schedule.floor + (1 - schedule.floor) * _height(moment),
    Plateau: _plateau,
    Polynomial: _polynomial,
    Step: _step,
}
"""The share of the highest rate that is left at a step after the warmup."""
