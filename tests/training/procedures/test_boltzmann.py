"""Contrastive divergence against scikit-learn, and against machines that are small enough to enumerate."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.neural_network import BernoulliRBM
from torch import Tensor

from cnncli.recipe.pretraining import BINARY, GAUSSIAN, Pretraining
from cnncli.training.data.batches import batch_bounds, epoch_order
from cnncli.training.procedures.boltzmann import NAMES, Boltzmann, contrastive_divergence

VISIBLE, HIDDEN = 4, 3


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def machine(visible: int = VISIBLE, hidden: int = HIDDEN, kind: str = BINARY) -> Boltzmann:
    """A machine with larger random weights than at the start of a pretraining, in double precision."""
    draws = generator(3)

    def some(*shape: int) -> Tensor:
        return 0.8 * torch.randn(shape, generator=draws, dtype=torch.float64)

    return Boltzmann(some(hidden, visible), some(hidden), some(visible), kind == BINARY)


def every(count: int) -> Tensor:
    """All vectors of zeros and ones, [2^count, count]."""
    return torch.tensor([*itertools.product((0.0, 1.0), repeat=count)], dtype=torch.float64)


def energy(of: Boltzmann, v: Tensor, h: Tensor) -> Tensor:
    """E(v, h) of each pair of rows, [len(v), len(h)], term by term from its definition."""
    own = -(v @ of.visible) if of.binary else (v - of.visible).square().sum(1) / 2
    return own[:, None] - v @ of.weight.T @ h.T - (h @ of.hidden)[None]


@pytest.mark.parametrize("kind", [BINARY, GAUSSIAN])
def test_hidden_units_have_the_probabilities_of_the_energy(kind: str) -> None:
    of, h = machine(kind=kind), every(HIDDEN)
    v = torch.rand(5, VISIBLE, dtype=torch.float64, generator=generator())
    assert torch.allclose(of.raised(v), torch.softmax(-energy(of, v, h), 1) @ h, rtol=1e-12)


def test_binary_visible_units_have_the_probabilities_of_the_energy() -> None:
    of, v = machine(), every(VISIBLE)
    given_h = torch.softmax(-energy(of, v, every(HIDDEN)), 0).T @ v
    assert torch.allclose(of.lowered(every(HIDDEN)), given_h, rtol=1e-12)


def test_the_mean_of_a_gaussian_visible_unit_is_where_the_energy_is_least() -> None:
    of, h = machine(kind=GAUSSIAN), every(HIDDEN)
    for number, mean in enumerate(of.lowered(h)):
        place = mean.clone().requires_grad_()
        (slope,) = torch.autograd.grad(energy(of, place[None], h[number : number + 1]).sum(), place)
        assert torch.allclose(slope, torch.zeros(VISIBLE, dtype=torch.float64), atol=1e-12)


def test_samples_have_their_mean() -> None:
    for kind, deviation in ((BINARY, 0.4), (GAUSSIAN, 1.0)):
        drawn = machine(kind=kind).sampled(torch.full((100_000, 1), 0.2, dtype=torch.float64), generator())
        assert float(drawn.mean()) == pytest.approx(0.2, abs=0.02)
        assert float(drawn.std()) == pytest.approx(deviation, abs=0.02)  # 0.4 is sqrt(0.2 * 0.8)


def still(of: Boltzmann) -> dict[str, Tensor]:
    """The last steps before the first one."""
    return {name: torch.zeros_like(each) for name, each in of.tensors.items()}


def gradient(of: Boltzmann, data: Tensor, k: int, draws: torch.Generator) -> dict[str, Tensor]:
    """What a step of rate 1 without momentum and decay changes."""
    speed, copied = (
        still(of),
        Boltzmann(**{name: each.clone() for name, each in of.tensors.items()}, binary=True),
    )
    contrastive_divergence(
        copied, speed, data, Pretraining(k=k, lr=1.0, momentum=0.0, weight_decay=0.0), draws
    )
    return speed


def exact_gradient(of: Boltzmann, data: Tensor) -> dict[str, Tensor]:
    """The gradient of the mean log p(v) of binary data, by automatic differentiation of its definition."""
    tensors = {name: each.clone().requires_grad_() for name, each in of.tensors.items()}
    inner = Boltzmann(**tensors, binary=True)
    logs = torch.logsumexp(-energy(inner, data, every(HIDDEN)), 1)
    partition = torch.logsumexp(-energy(inner, every(VISIBLE), every(HIDDEN)), (0, 1))
    found = torch.autograd.grad((logs - partition).mean(), [*tensors.values()])
    return dict(zip(tensors, found, strict=True))


def test_many_steps_approach_the_exact_gradient() -> None:
    of = machine()
    data = every(VISIBLE)[[3, 3, 9, 12, 14]]
    exact = exact_gradient(of, data)
    many = data.repeat(8000, 1)

    def off(k: int) -> float:
        found = gradient(of, many, k, generator())
        return max(float((found[name] - exact[name]).abs().max()) for name in NAMES)

    assert off(40) < 0.01
    assert off(1) > 4 * off(40)  # one step does not: CD-1 is biased


class Fed:
    """What scikit-learn takes random numbers from: those that are given, one after another."""

    def __init__(self, *draws: Tensor) -> None:
        self._draws = [each.double().numpy() for each in draws]

    def uniform(self, size: tuple[int, ...]) -> Any:
        draws = self._draws.pop(0)
        assert draws.shape == size
        return draws


def scikit_learn_of(of: Boltzmann, lr: float) -> BernoulliRBM:
    made = BernoulliRBM(len(of.hidden), learning_rate=lr)
    made.components_ = of.weight.numpy().copy()
    made.intercept_hidden_ = of.hidden.numpy().copy()
    made.intercept_visible_ = of.visible.numpy().copy()
    return made


def test_a_step_is_that_of_scikit_learn() -> None:
    """It keeps the samples of its last step; with those of this one it computes CD-1."""
    of, count = machine(12, 7), 6
    theirs = scikit_learn_of(of, lr=0.3)
    data = (torch.rand(count, 12, generator=generator(1)) < 0.4).double()
    draws = generator(5)
    for_hidden, for_visible = (torch.rand(count, units, generator=draws) for units in (7, 12))
    theirs.h_samples_ = (for_hidden < of.raised(data)).double().numpy()
    theirs._fit(data.numpy(), Fed(for_visible, torch.zeros(count, 7)))
    speed = still(of)
    contrastive_divergence(of, speed, data, Pretraining(lr=0.3, momentum=0.0, weight_decay=0.0), generator(5))
    assert np.allclose(of.weight.numpy(), theirs.components_, rtol=1e-12)
    assert np.allclose(of.hidden.numpy(), theirs.intercept_hidden_, rtol=1e-12)
    assert np.allclose(of.visible.numpy(), theirs.intercept_visible_, rtol=1e-12)


def test_momentum_and_decay() -> None:
    """Two steps by the rule as G. Hinton's guide writes it (2010, sections 9 and 10)."""
    of = machine()
    expected = {name: each.clone() for name, each in of.tensors.items()}
    settings = Pretraining(lr=0.1, momentum=0.7, weight_decay=0.01)
    speed, last = still(of), still(of)
    data, ours, own = every(VISIBLE), generator(1), generator(1)
    for _ in range(2):
        for name, each in gradient(Boltzmann(**expected, binary=True), data, 1, own).items():
            decay = 0.01 * expected[name] if name == "weight" else 0.0
            last[name] = 0.7 * last[name] + 0.1 * (each - decay)
        expected = {name: expected[name] + last[name] for name in expected}
        contrastive_divergence(of, speed, data, settings, ours)
    for name, each in of.tensors.items():
        assert torch.allclose(each, expected[name], rtol=1e-12), name


def test_it_learns_as_well_as_scikit_learn() -> None:
    """Binary digits, by scikit-learn's own estimate of the likelihood; its chains last from step to step."""
    from sklearn.datasets import load_digits

    data = (torch.from_numpy(load_digits().data[:600]) > 7).double()
    epochs, lr = 8, 0.05
    draws = generator()
    initial = 0.01 * torch.randn(32, 64, generator=draws).double()
    of = Boltzmann(initial, torch.zeros(32).double(), torch.zeros(64).double(), binary=True)
    speed = still(of)
    settings = Pretraining(lr=lr, momentum=0.0, weight_decay=0.0)
    start = scikit_learn_of(of, lr).score_samples(data.numpy()).mean()
    for epoch in range(epochs):
        order = epoch_order(len(data), 0, epoch)
        for first, end in batch_bounds(len(data), 10):
            contrastive_divergence(of, speed, data[order[first:end]], settings, draws)
    theirs = BernoulliRBM(32, learning_rate=lr, batch_size=10, n_iter=epochs, random_state=0).fit(
        data.numpy()
    )
    ours, other = (
        float(each.score_samples(data.numpy()).mean()) for each in (scikit_learn_of(of, lr), theirs)
    )
    assert ours == pytest.approx(other, rel=0.1)
    assert ours - start > 10
