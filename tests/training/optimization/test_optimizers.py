from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnncli.diagnostics import UsageError
from cnncli.recipe.optimizers import SGD, AdamW, Optimizer
from cnncli.training.optimization.optimizers import (
    all_finite,
    build_optimizer,
    optimizer_tensors,
    restore_optimizer,
    set_learning_rate,
)
from tests.training.support import same_weights, small_network


def a_step(network: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(16, 1, 8, 8, generator=generator)
    optimizer.zero_grad()
    network.eval()(images).square().mean().backward()
    optimizer.step()


def test_sgd_is_the_textbooks() -> None:
    """v = momentum v + (gradient + decay w), w = w - lr v; biases without decay."""
    chosen = SGD(lr=0.1, momentum=0.8, weight_decay=0.01)
    network = nn.Linear(3, 2)
    optimizer = build_optimizer(network, chosen)
    weights = {name: value.detach().double().numpy().copy() for name, value in network.named_parameters()}
    speed = {name: np.zeros_like(value) for name, value in weights.items()}
    generator = torch.Generator().manual_seed(2)
    for _ in range(4):
        x = torch.randn(5, 3, generator=generator)
        optimizer.zero_grad()
        network(x).sum().backward()
        optimizer.step()
        gradients = {"weight": np.tile(x.double().sum(0).numpy(), (2, 1)), "bias": np.full(2, 5.0)}
        for name, decay in (("weight", 0.01), ("bias", 0.0)):
            speed[name] = 0.8 * speed[name] + gradients[name] + decay * weights[name]
            weights[name] -= 0.1 * speed[name]
    for name, value in network.named_parameters():
        np.testing.assert_allclose(value.detach().numpy(), weights[name], rtol=1e-5, atol=1e-6)


def test_adamw_decays_the_weights_and_nothing_else() -> None:
    network = small_network()
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    optimizer = build_optimizer(network, AdamW(lr=0.1, weight_decay=0.5))
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, value in network.named_parameters():
        expected = before[name] * (1 - 0.1 * 0.5) if name in {"0.weight", "5.weight"} else before[name]
        torch.testing.assert_close(value.detach(), expected)


@pytest.mark.parametrize("chosen", [SGD(momentum=0.9), SGD(momentum=0.0), SGD(nesterov=True), AdamW(lr=0.01)])
def test_state_travels_by_name(chosen: Optimizer) -> None:
    torch.manual_seed(0)
    network = small_network()
    optimizer = build_optimizer(network, chosen)
    a_step(network, optimizer, 1)
    tensors = optimizer_tensors(optimizer, network)
    twin = small_network()
    twin.load_state_dict(network.state_dict())
    twin_optimizer = build_optimizer(twin, chosen)
    restore_optimizer(twin_optimizer, twin, tensors, chosen)
    for seed in (2, 3):
        a_step(network, optimizer, seed)
        a_step(twin, twin_optimizer, seed)
    assert same_weights(network, twin)


def test_names_and_independence_of_the_state() -> None:
    network = small_network()
    optimizer = build_optimizer(network, SGD())
    assert optimizer_tensors(optimizer, network) == {}
    a_step(network, optimizer, 1)
    tensors = optimizer_tensors(optimizer, network)
    assert set(tensors) == {f"{name}/momentum_buffer" for name, _ in network.named_parameters()}
    copies: dict[str, Tensor] = {name: value.clone() for name, value in tensors.items()}
    a_step(network, optimizer, 2)
    assert all(torch.equal(copies[name], value) for name, value in tensors.items())


def test_learning_rate_reaches_every_parameter() -> None:
    optimizer = build_optimizer(small_network(), SGD())
    set_learning_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]


def test_frozen_parameters_are_left_out() -> None:
    network = small_network()
    network[0].requires_grad_(False)  # type: ignore[index]
    optimizer = build_optimizer(network, SGD())
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4


def test_nothing_to_train() -> None:
    with pytest.raises(UsageError, match="nothing to train"):
        build_optimizer(nn.Flatten(), SGD())


def test_all_finite_looks_at_parameters_and_buffers() -> None:
    network = small_network()
    assert all_finite(network)
    network[1].running_var[0] = float("inf")  # type: ignore[index]
    assert not all_finite(network)
