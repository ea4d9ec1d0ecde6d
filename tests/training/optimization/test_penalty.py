"""Penalties on weights: autograd of a sum that is written out here gives the same gradients and figures."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from cnncli.recipe.penalty import Penalty
from cnncli.training.optimization.penalty import add_penalty
from tests.training.support import run_whole, same_weights, settings, small_network


def with_gradients(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    network = small_network()
    network(torch.rand(5, 1, 8, 8)).square().sum().backward()
    return network


def gradients(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: each.grad.clone() for name, each in network.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("chosen", [Penalty(l1=0.3), Penalty(l2=0.7), Penalty(l1=0.3, l2=0.7)])
def test_the_sum_and_its_gradient(chosen: Penalty) -> None:
    network = with_gradients(1)
    before = gradients(network)
    found = add_penalty(network, chosen)
    after = gradients(network)

    other = with_gradients(1)
    convolution, linear = other.get_parameter("0.weight"), other.get_parameter("5.weight")
    total = chosen.l1 * (convolution.abs().sum() + linear.abs().sum())
    total = total + chosen.l2 * ((convolution**2).sum() + (linear**2).sum()) / 2
    total.backward()
    torch.testing.assert_close(found, total.detach())
    for name, expected in gradients(other).items():
        torch.testing.assert_close(after[name], expected)
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {"0.weight", "5.weight"}  # no bias, and no scale of the batch normalization


def test_weights_without_a_gradient_have_no_penalty() -> None:
    """No output depends on them, so optimizers pass them over."""
    network = small_network()
    assert float(add_penalty(network, Penalty(l1=1.0))) == 0.0
    assert gradients(network) == {}


def test_l2_is_the_weight_decay_of_plain_descent(tmp_path: Path) -> None:
    def trained(name: str, **changes: object) -> nn.Module:
        decay = {"sgd": {"lr": 0.05, "weight_decay": 0.01 if name == "decay" else 0}}
        return run_whole(tmp_path / name, settings(optimizer=decay, **changes))[0]

    decayed, penalized, neither = trained("decay"), trained("l2", penalty={"l2": 0.01}), trained("neither")
    for ours, theirs in zip(penalized.state_dict().values(), decayed.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert not same_weights(penalized, neither)


def test_it_is_part_of_the_objective_and_not_of_the_loss(tmp_path: Path) -> None:
    _, plain = run_whole(tmp_path / "plain", settings(epochs=1))
    network, outcome = run_whole(tmp_path / "run", settings(epochs=1, penalty={"l1": 1e-3}))
    figures = outcome.history[0].figures
    assert plain.history[0].figures["train.objective"] == plain.history[0].figures["train.loss"]
    difference = figures["train.objective"] - figures["train.loss"]
    weights = sum(float(each.detach().abs().sum()) for each in network.parameters() if each.ndim > 1)
    assert math.isclose(difference, 1e-3 * weights, rel_tol=0.1)  # the weights change during the epoch


def test_l1_makes_weights_smaller(tmp_path: Path) -> None:
    def size(name: str, **changes: object) -> float:
        network, _ = run_whole(tmp_path / name, settings(**changes))
        return float(network.get_parameter("5.weight").detach().abs().sum())

    assert size("l1", penalty={"l1": 0.01}) < 0.8 * size("plain")


def test_zero_adds_nothing(tmp_path: Path) -> None:
    """It undoes the penalty of a base, as a weight decay of 0 does."""
    plain, outcome = run_whole(tmp_path / "plain", settings())
    network, same = run_whole(tmp_path / "zero", settings(penalty={"l1": 0, "l2": 0}))
    assert same_weights(network, plain)
    assert [each.figures for each in same.history] == [each.figures for each in outcome.history]
