from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler

from cnncli.recipe.schedules import SCHEDULES
from cnncli.training.optimization.schedule import learning_rate


def rates(schedule: str, steps: int, warmup: int = 0, base: float = 0.1) -> list[float]:
    chosen = SCHEDULES[schedule]()
    return [
        learning_rate(step, base=base, schedule=chosen, steps=steps, warmup=warmup) for step in range(steps)
    ]


def torch_rates(scheduler_of: type[LRScheduler], steps: int, **arguments: Any) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    scheduler = scheduler_of(optimizer, **arguments)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_cosine_is_torchs() -> None:
    assert rates("cosine", 37) == pytest.approx(torch_rates(CosineAnnealingLR, 37, T_max=37))


def test_linear_is_torchs() -> None:
    expected = torch_rates(LinearLR, 37, start_factor=1.0, end_factor=1e-12, total_iters=37)
    assert rates("linear", 37) == pytest.approx(expected)


def test_constant() -> None:
    assert rates("constant", 5) == [0.1] * 5


def test_warmup_rises_to_the_base_and_the_schedule_follows_from_there() -> None:
    found = rates("cosine", 14, warmup=4)
    assert found[:4] == pytest.approx([0.025, 0.05, 0.075, 0.1])
    assert found[4:] == pytest.approx(rates("cosine", 10))


@given(
    schedule=st.sampled_from(["constant", "cosine", "linear"]),
    steps=st.integers(1, 60),
    warmup=st.integers(0, 80),
)
def test_always_positive_and_at_most_the_base(schedule: str, steps: int, warmup: int) -> None:
    found = rates(schedule, steps, warmup)
    assert all(0 < rate <= 0.1 for rate in found)
    assert found[warmup:] == sorted(found[warmup:], reverse=True)
