"""One step of a training: from a batch to new weights, the same in all processes."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from cnncli.recipe.metrics import OBJECTIVE
from cnncli.training.data.feed import Batch
from cnncli.training.optimization.averaging import add_to_average, share
from cnncli.training.optimization.clipping import clip_gradient
from cnncli.training.optimization.penalty import add_penalty
from cnncli.training.optimization.statistics import running_statistics
from cnncli.training.plan import Plan
from cnncli.training.state import State
from cnncli.training.tasks.figures import Sum
from cnncli.training.tasks.objective import Minimized, Whole


def step(plan: Plan, state: State, samples: Batch, batch: int) -> None:
    """Train on this process's samples of a batch; figures stay on the device, so nothing waits for them."""
    state.optimizer.zero_grad(set_to_none=True)
    start, end = plan.bounds[batch]
    objective, figures = _gradient(plan, state, samples, batch)
    settings, size, count = plan.settings, end - start, len(samples.inputs)
    _unite(plan, state.network, plan.learning.at(state.position.epochs).still, count / size)
    if state.scaler is not None:
        state.scaler.unscale_(state.optimizer)
    penalty = add_penalty(state.network, settings.penalty) if settings.penalty.acts else None
    if penalty is not None:
        figures[OBJECTIVE] = Sum(objective * size + penalty * count, count)
    if settings.clip is not None:
        clip_gradient(state.network, settings.clip)
    if state.scaler is None:
        state.optimizer.step()
    else:
        state.scaler.step(state.optimizer)
        state.scaler.update()
    if state.average is not None:
        part = share(settings.average, plan.place(state.position.epochs, batch))
        add_to_average(state.average, state.network, part)
    state.figures.write(batch, figures)
    if state.start is None:
        state.start = objective.clone()
        plan.world.add([state.start])
        state.start += 0 if penalty is None else penalty


def _gradient(plan: Plan, state: State, samples: Batch, batch: int) -> Minimized:
    """Compute the gradient of a batch, slice by slice; return its objective, detached, and its figures.

    Of several processes each has its part of the three: they add up to those of the batch.
    """
    bounds = plan.slices(batch)
    alone = len(bounds) == 1 and plan.world.size == 1
    whole = None if alone else _whole(plan, samples, batch)
    found: Minimized | None = None
    for each in samples.slices(bounds):
        objective, figures = plan.objective(state.forward(each.inputs), each, whole)
        (objective if state.scaler is None else state.scaler.scale(objective)).backward()
        minimized = Minimized(objective.detach(), figures)
        found = minimized if found is None else found.plus(minimized)
    assert found is not None
    return found


def _whole(plan: Plan, samples: Batch, batch: int) -> Whole:
    """Return what a slice needs to know of its batch, all processes together."""
    start, end = plan.bounds[batch]
    own = plan.objective.whole(samples).samples
    counted = {name: count for name, count in own.items() if isinstance(count, Tensor)}
    plan.world.add(counted.values())
    return Whole(end - start, {name: counted.get(name, end - start) for name in own})


@torch.no_grad()
def _unite(plan: Plan, network: nn.Module, still: Collection[str], part: float) -> None:
    """Add up the gradients of all processes, and average what layers have measured of their samples.

    ``still`` have statistics that do not change. ``part`` is this process's part of the samples. Without it,
    each process would have running statistics of its own. Counters are not averaged: nothing depends on them.
    """
    if plan.world.size == 1:
        return
    measured = running_statistics(network, still)
    for each in measured:
        each.mul_(part)
    plan.world.add((*(each.grad for each in network.parameters() if each.grad is not None), *measured))
