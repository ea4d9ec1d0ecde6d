"""Every schedule at every step: torch's schedulers, stepped as a training steps them, have the same rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import lr_scheduler as torchs

from cnncli.recipe.schedules import (
    SCHEDULES,
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
from cnncli.training.optimization.schedule import Moment, learning_rate, moved_momentum

BASE, MOMENTUM = 0.1, 0.95
EPOCH = 5
"""Steps of an epoch."""


def moments(settled: Schedule, steps: int) -> list[Moment]:
    warmup = round((settled.warmup or 0) * EPOCH)
    return [Moment(step, steps, EPOCH, warmup) for step in range(steps)]


def rates(chosen: Schedule, steps: int) -> list[float]:
    settled = chosen.settled(steps // EPOCH, MOMENTUM)
    return [learning_rate(BASE, settled, moment) for moment in moments(settled, steps)]


def torch_values(scheduler_of: Callable[..., Any], steps: int, key: str, **arguments: Any) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE, momentum=MOMENTUM)
    scheduler = scheduler_of(optimizer, **arguments)
    found = [optimizer.param_groups[0][key]]
    for _ in range(steps - 1):
        optimizer.step()
        scheduler.step()
        found.append(optimizer.param_groups[0][key])
    return found


@pytest.mark.parametrize(
    ("ours", "theirs", "steps", "arguments"),
    [
        (Cosine(), torchs.CosineAnnealingLR, 40, {"T_max": 40}),
        (Cosine(floor=0.2), torchs.CosineAnnealingLR, 40, {"T_max": 40, "eta_min": 0.2 * BASE}),
        (Cosine(cycles=4), torchs.CosineAnnealingWarmRestarts, 40, {"T_0": 10}),
        (
            Cosine(cycles=3, growth=3, floor=0.01),
            torchs.CosineAnnealingWarmRestarts,
            39,
            {"T_0": 3, "T_mult": 3, "eta_min": 0.01 * BASE},
        ),
        (
            Linear(floor=0.25),
            torchs.LinearLR,
            40,
            {"start_factor": 1.0, "end_factor": 0.25, "total_iters": 40},
        ),
        (Polynomial(), torchs.PolynomialLR, 40, {"power": 0.9, "total_iters": 40}),
        (Polynomial(power=2.0), torchs.PolynomialLR, 40, {"power": 2.0, "total_iters": 40}),
        (Step(every=3.0, factor=0.5), torchs.StepLR, 40, {"step_size": 15, "gamma": 0.5}),
        (Step(every=1.2), torchs.StepLR, 40, {"step_size": 6}),
        (Step(), torchs.StepLR, 45, {"step_size": 15}),
        (Multistep(milestones=(2.0, 3.4, 7.0)), torchs.MultiStepLR, 40, {"milestones": [10, 17, 35]}),
        (Multistep(factor=0.3), torchs.MultiStepLR, 40, {"milestones": [20, 30], "gamma": 0.3}),
        (Exponential(factor=0.7), torchs.ExponentialLR, 40, {"gamma": 0.7 ** (1 / EPOCH)}),
        (OneCycle(), torchs.OneCycleLR, 40, {"max_lr": BASE, "total_steps": 40}),
        (
            OneCycle(warmup=2.0, warmup_from=0.1, floor=0.001),
            torchs.OneCycleLR,
            40,
            {"max_lr": BASE, "total_steps": 40, "pct_start": 0.25, "div_factor": 10, "final_div_factor": 100},
        ),
        (Constant(), torchs.ConstantLR, 40, {"factor": 1.0}),
    ],
)
def test_rates_are_torchs(
    ours: Schedule, theirs: Callable[..., Any], steps: int, arguments: dict[str, Any]
) -> None:
    assert rates(ours, steps) == pytest.approx(torch_values(theirs, steps, "lr", **arguments))


def test_every_cycle_may_start_lower() -> None:
    found = rates(Cosine(cycles=3, factor=0.5), 30)
    one = torch_values(torchs.CosineAnnealingLR, 10, "lr", T_max=10)
    assert found == pytest.approx([factor * rate for factor in (1, 0.5, 0.25) for rate in one])


@pytest.mark.parametrize("lowest", [None, 0.7])
def test_the_momentum_of_one_cycle_is_torchs(lowest: float | None) -> None:
    settled = OneCycle(momentum=lowest).settled(8, MOMENTUM)
    found = [moved_momentum(MOMENTUM, settled, moment) for moment in moments(settled, 40)]
    momenta = {"base_momentum": lowest or 0.85, "max_momentum": MOMENTUM}
    theirs = torch_values(torchs.OneCycleLR, 40, "momentum", max_lr=BASE, total_steps=40, **momenta)
    assert found == pytest.approx(theirs)


def test_no_other_momentum_moves() -> None:
    lowest = OneCycle().settled(8, MOMENTUM)
    assert [moved_momentum(own, lowest, moments(lowest, 40)[10]) for own in (0.0, 0.8, 0.85)] == [None] * 3
    low = OneCycle().settled(8, 0.8)  # it is as low already as it would fall
    for settled in (low, *(each().settled(8, MOMENTUM) for each in SCHEDULES.values() if each != OneCycle)):
        assert moved_momentum(MOMENTUM, settled, moments(settled, 40)[10]) is None


@pytest.mark.parametrize(("metric", "mode"), [("loss", "min"), ("accuracy", "max"), ("head.psnr", "max")])
@given(
    values=st.lists(st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]), min_size=1, max_size=30),
    patience=st.integers(1, 4),
    floor=st.sampled_from([0.0, 0.05]),
)
def test_a_plateau_is_torchs(
    metric: str, mode: Any, values: list[float], patience: int, floor: float
) -> None:
    """torch changes the rate after one epoch more than its patience."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)
    scheduler = torchs.ReduceLROnPlateau(
        optimizer, mode, 0.3, patience - 1, threshold=0, threshold_mode="abs", min_lr=floor * BASE, eps=0
    )
    chosen = Plateau(patience=patience, factor=0.3, metric=metric, floor=floor)
    history: list[Epoch] = []
    for epoch, value in enumerate(values):
        for step in range(epoch * EPOCH, (epoch + 1) * EPOCH):
            found = learning_rate(BASE, chosen, Moment(step, 200, EPOCH, 0, history))
            assert found == pytest.approx(optimizer.param_groups[0]["lr"])
        history.append(Epoch(epoch + 1, found, 1.0, 1.0, {f"val.{metric}": value, "val.mae": -value}))
        scheduler.step(value)


def test_a_plateau_does_not_begin_in_the_warmup() -> None:
    history = tuple(Epoch(number, BASE, 1.0, 1.0, {"val.loss": 1.0 * number}) for number in range(1, 6))
    chosen, found = Plateau(patience=2, warmup=1.4), []
    for epochs in range(6):
        moment = Moment(epochs * EPOCH, 40, EPOCH, 7, history[:epochs])
        found.append(learning_rate(BASE, chosen, moment))
    # The first epoch ends in the warmup, so the second one is the best, and two others follow.
    assert found[2:] == pytest.approx([BASE, BASE, BASE / 10, BASE / 10])


def test_warmup_rises_to_the_base_and_the_schedule_follows_from_there() -> None:
    found = rates(Cosine(warmup=0.8), 44)
    assert found[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert found[4:] == pytest.approx(rates(Cosine(), 40))


def test_warmup_is_torchs() -> None:
    """What torch has before the first step is what ours rises from."""
    steps, start = 15, 0.2
    theirs = torch_values(torchs.LinearLR, steps + 1, "lr", start_factor=start, total_iters=steps)
    assert rates(Constant(warmup=3.0, warmup_from=start), 40)[:steps] == pytest.approx(theirs[1:])


WITHOUT_WARMUP = [each for name, each in SCHEDULES.items() if name != "onecycle"]


@pytest.mark.parametrize("schedule", WITHOUT_WARMUP)
def test_all_have_the_same_warmup(schedule: type[Schedule]) -> None:
    found = rates(schedule(warmup=2.0, warmup_from=0.5), 60)
    assert found[:10] == pytest.approx([BASE * (0.5 + 0.05 * step) for step in range(1, 11)])
    assert found[10] == pytest.approx(BASE, rel=0.05)


@given(schedule=st.sampled_from(sorted(SCHEDULES)), epochs=st.integers(1, 12), warmup=st.floats(0.125, 1))
def test_never_negative_and_at_most_the_base(schedule: str, epochs: int, warmup: float) -> None:
    chosen = SCHEDULES[schedule](warmup=epochs * warmup)
    found = rates(chosen, epochs * EPOCH)
    assert all(0 < rate <= BASE for rate in found)
    rising = max(1, round(epochs * warmup * EPOCH))
    assert found[:rising] == sorted(found[:rising])
    assert found[rising - 1 :] == sorted(found[rising - 1 :], reverse=True)
