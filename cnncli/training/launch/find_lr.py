"""The learning-rate range test: steps whose rate rises from tiny to large, of which nothing is kept.

L. Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3; the rate rises
exponentially, as in L. Smith, "A disciplined approach to neural network hyper-parameters", 2018.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Final

from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.recipe.metrics import OBJECTIVE
from cnncli.results.find_lr import RangeTest, Rate, Suggestion
from cnncli.results.training import Reading
from cnncli.training.data.feed import Batch
from cnncli.training.extras import need
from cnncli.training.kept_memory import memory_kept
from cnncli.training.launch.graphs import subject_of
from cnncli.training.launch.launch import introduction
from cnncli.training.launch.starting import Prepared
from cnncli.training.monitor import DIVERGED
from cnncli.training.new_files import check_new, write_new
from cnncli.training.optimization.optimizers import prepare_training, set_learning_rate
from cnncli.training.pictures.drawing import FORMS
from cnncli.training.pictures.range_test import range_test
from cnncli.training.plan import Plan, make_plan
from cnncli.training.state import make_state
from cnncli.training.step import step

_LOWEST: Final = 1e-6
_DECADES: Final = 8
_OF_DECADE: Final = 15
RATES: Final = tuple(_LOWEST * 10 ** (place / _OF_DECADE) for place in range(_DECADES * _OF_DECADE + 1))
"""The rates that are tried, each for one step."""

_FAR: Final = 4
"""How many times its lowest value the running mean of the loss reaches at most."""
_PAST: Final = 0.8
"""The weight of the past in this mean."""
_WIDTH: Final = 3.0
"""The standard deviation, in steps, of the Gaussian that smooths the curve."""
_FALL: Final = 0.05
"""The share of the first loss by which the loss has to fall for a rate to be suggested."""


def find_lr(prepared: Prepared, trying: Reading = None) -> RangeTest:
    """Train for a step with each of :data:`RATES`, until the loss explodes.

    Everything else is as in a training: the batches, their transforms, the optimizer, the step itself.

    Args:
        prepared: the training; its network cannot be used afterwards.
        trying: called with (steps begun, of how many).

    Raises:
        CnncliError: network and data do not match, or the loss explodes at the smallest rates already.
    """
    settings, dataset = prepared.settings, prepared.dataset
    subject = subject_of(prepared.graph, prepared.network, settings)
    plan = make_plan(subject, dataset, settings, dataset.normalized(), prepared.device)
    with memory_kept(prepared.device):
        losses, exploded = _tried(plan, prepared, trying)
    rates = RATES[: len(losses)]
    if exploded and len(losses) <= _OF_DECADE:
        raise _diverged(len(losses))
    means = smoothed(losses)
    return RangeTest(
        about=introduction(prepared.graph, prepared.network, dataset, settings, prepared.device)._replace(
            origins=prepared.origins, start=prepared.started
        ),
        optimizer=settings.optimizer.keyword,
        rates=[Rate(*each) for each in zip(rates, losses, means, strict=True)],
        exploded=exploded,
        suggestion=suggestion(rates, means),
    )


def check_picture(path: Path) -> None:
    """Check that the curve may be drawn into a new file.

    Raises:
        UsageError: it may not, or matplotlib is not installed.
    """
    check_new(path, tuple(f".{form}" for form in FORMS))
    need("matplotlib", purpose="drawing")


def draw(test: RangeTest, path: Path) -> RangeTest:
    """Draw the curve into a new file; return the test with its name.

    Raises:
        CnncliError: the file cannot be written.
    """
    write_new(path, range_test(test, FORMS[path.suffix.lower().removeprefix(".")]))
    return test._replace(picture=path)


def _tried(plan: Plan, prepared: Prepared, trying: Reading) -> tuple[list[float], bool]:
    """Return the loss of each step before it was made, and whether it exploded at the end.

    A last loss that is not finite is left out.
    """
    state = make_state(prepared.network, plan, None)
    prepare_training(state.network, plan.learning.at(0))
    losses: list[float] = []
    mean, lowest = 0.0, math.inf
    for (batch, samples), rate in zip(_batches(plan), RATES, strict=False):
        if trying is not None:
            trying(len(losses) + 1, len(RATES))
        set_learning_rate(state.optimizer, rate)
        step(plan, state, samples, batch)
        total, samples_counted = state.figures.rows[OBJECTIVE][batch].tolist()
        loss = total / samples_counted
        if not math.isfinite(loss):
            return losses, True
        losses.append(loss)
        mean += (1 - _PAST) * (loss - mean)
        unbiased = mean / (1 - _PAST ** len(losses))
        lowest = min(lowest, unbiased)
        if unbiased > max(losses[0], _FAR * lowest):
            return losses, True
    return losses, False


def _batches(plan: Plan) -> Iterator[tuple[int, Batch]]:
    """Yield the batches of one epoch after another, each with its number in its epoch."""
    for epoch in count():
        yield from enumerate(plan.train.shuffled(plan.order(epoch), plan.bounds, plan.alters(epoch)))


def smoothed(losses: Sequence[float]) -> list[float]:
    """Return means over neighboring losses, weighted by a Gaussian: unlike a running one, not late."""
    reach = math.ceil(3 * _WIDTH)
    weights = [math.exp(-((offset / _WIDTH) ** 2) / 2) for offset in range(reach + 1)]
    means = []
    for place in range(len(losses)):
        near = range(max(0, place - reach), min(len(losses), place + reach + 1))
        total = sum(weights[abs(other - place)] for other in near)
        means.append(sum(weights[abs(other - place)] * losses[other] for other in near) / total)
    return means


def suggestion(rates: Sequence[float], means: Sequence[float]) -> Suggestion | None:
    """Return what a smoothed curve of losses suggests; None if it does not fall.

    The suggested rate is a tenth of that where the loss is lowest: there it has stopped falling. So does
    J. Howard and S. Gugger, "fastai: A Layered API for Deep Learning", 2020.
    """
    lowest = min(range(len(means)), key=lambda place: means[place])
    if means[0] - means[lowest] < _FALL * abs(means[0]):
        return None
    steepest = min(range(1, lowest + 1), key=lambda place: means[place] - means[place - 1])
    return Suggestion(rates[lowest] / 10, rates[lowest], rates[steepest])


def _diverged(steps: int) -> CnncliError:
    """Return the error for a loss that explodes after so few steps that nothing was learned."""
    message = f"the loss explodes at a learning rate of {RATES[max(0, steps - 1)]:.2g}, after {steps} steps"
    hint = "normalization layers, and activations that do not grow, keep outputs in range"
    if not steps:
        message, hint = "the loss of the first batch is not finite, with the initial weights", ""
    return CnncliError(
        Diagnostic(DIVERGED, message, None, f"a loss that is finite from {_LOWEST:g} on", hint=hint)
    )
