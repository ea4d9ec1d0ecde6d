"""One step of a training: from a batch to new weights."""

from __future__ import annotations

from cnncli.recipe.metrics import OBJECTIVE
from cnncli.training.data.batches import slice_bounds
from cnncli.training.data.feed import Batch
from cnncli.training.optimization.averaging import add_to_average, share
from cnncli.training.optimization.clipping import clip_gradient
from cnncli.training.optimization.penalty import add_penalty
from cnncli.training.session import Plan, State
from cnncli.training.tasks.figures import Sum
from cnncli.training.tasks.objective import Minimized


def step(plan: Plan, state: State, samples: Batch, batch: int) -> None:
    """Train on one batch; its figures stay on the device, so nothing waits for them."""
    state.optimizer.zero_grad(set_to_none=True)
    objective, figures = _gradient(plan, state, samples)
    settings, size = plan.settings, len(samples.inputs)
    if state.scaler is not None:
        state.scaler.unscale_(state.optimizer)
    if settings.penalty.acts:
        objective = objective + add_penalty(state.network, settings.penalty)
        figures[OBJECTIVE] = Sum(objective * size, size)
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


def _gradient(plan: Plan, state: State, samples: Batch) -> Minimized:
    """Compute the gradient of a batch, slice by slice; return its objective, detached, and its figures."""
    bounds = slice_bounds(len(samples.inputs), plan.settings.accumulate)
    whole = plan.objective.whole(samples) if len(bounds) > 1 else None
    found: Minimized | None = None
    for each in samples.slices(bounds):
        objective, figures = plan.objective(state.forward(each.inputs), each, whole)
        (objective if state.scaler is None else state.scaler.scale(objective)).backward()
        minimized = Minimized(objective.detach(), figures)
        found = minimized if found is None else found.plus(minimized)
    assert found is not None
    return found
