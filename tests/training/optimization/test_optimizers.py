from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cnncli.diagnostics import UsageError
from cnncli.graph.learning import Learning
from cnncli.recipe.optimizers import (
    AUTO,
    LAMB,
    NEVER,
    OPTIMIZERS,
    SGD,
    Adagrad,
    Adam,
    AdamW,
    Muon,
    Optimizer,
    RMSprop,
)
from cnncli.training.optimization.optimizers import build_optimizer, set_learning_rate
from cnncli.training.optimization.state import optimizer_tensors, restore_optimizer
from cnncli.training.optimization.uncompiled import uncompiled
from tests.training.support import same_weights, small_network


def a_step(network: nn.Module, optimizer: torch.optim.Optimizer, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(16, 1, 8, 8, generator=generator)
    optimizer.zero_grad()
    network.eval()(images).square().mean().backward()
    optimizer.step()


class Reference(NamedTuple):
    """Where a tensor starts, the weight decay that acts on it, and whether it is a matrix."""

    weight: Any
    decay: float
    matrix: bool


Formula = Callable[[Reference, Iterator[Any], Any], Any]


def sgd(start: Reference, gradients: Iterator[Any], chosen: SGD) -> Any:
    """v = momentum v + (gradient + decay w), w = w - lr v; with nesterov w - lr (gradient + momentum v)."""
    w, v = start.weight, np.zeros_like(start.weight)
    for gradient in gradients:
        decayed = gradient + start.decay * w
        v = chosen.momentum * v + decayed
        w = w - chosen.lr * (decayed + chosen.momentum * v if chosen.nesterov else v)
    return w


def adam(start: Reference, gradients: Iterator[Any], chosen: Adam) -> Any:
    """Kingma and Ba, 2015, algorithm 1."""
    w = start.weight
    m = v = np.zeros_like(w)
    for t, gradient in enumerate(gradients, 1):
        g = gradient + start.decay * w
        m = chosen.beta1 * m + (1 - chosen.beta1) * g
        v = chosen.beta2 * v + (1 - chosen.beta2) * g**2
        first, second = m / (1 - chosen.beta1**t), v / (1 - chosen.beta2**t)
        w = w - chosen.lr * first / (np.sqrt(second) + chosen.eps)
    return w


def adamw(start: Reference, gradients: Iterator[Any], chosen: AdamW) -> Any:
    """Loshchilov and Hutter, 2019, algorithm 2; as in torch, the decay is multiplied by the learning rate."""
    w = start.weight
    m = v = np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m = chosen.beta1 * m + (1 - chosen.beta1) * g
        v = chosen.beta2 * v + (1 - chosen.beta2) * g**2
        first, second = m / (1 - chosen.beta1**t), v / (1 - chosen.beta2**t)
        w = w - chosen.lr * (first / (np.sqrt(second) + chosen.eps) + start.decay * w)
    return w


def rmsprop(start: Reference, gradients: Iterator[Any], chosen: RMSprop) -> Any:
    """Hinton, 2012, with momentum; centered as in Graves, 2013, equations 38 to 41."""
    w = start.weight
    squares = mean = speed = np.zeros_like(w)
    for gradient in gradients:
        g = gradient + start.decay * w
        squares = chosen.alpha * squares + (1 - chosen.alpha) * g**2
        mean = chosen.alpha * mean + (1 - chosen.alpha) * g
        variance = squares - mean**2 if chosen.centered else squares
        speed = chosen.momentum * speed + g / (np.sqrt(variance) + chosen.eps)
        w = w - chosen.lr * speed
    return w


def adagrad(start: Reference, gradients: Iterator[Any], chosen: Adagrad) -> Any:
    """Duchi, Hazan and Singer, 2011, with a diagonal matrix."""
    w = start.weight
    total = np.zeros_like(w)
    for gradient in gradients:
        g = gradient + start.decay * w
        total = total + g**2
        w = w - chosen.lr * g / (np.sqrt(total) + chosen.eps)
    return w


def lamb(start: Reference, gradients: Iterator[Any], chosen: LAMB) -> Any:
    """You et al., 2020, algorithm 2, with the identity as phi."""
    w = start.weight
    m = v = np.zeros_like(w)
    for t, g in enumerate(gradients, 1):
        m = chosen.beta1 * m + (1 - chosen.beta1) * g
        v = chosen.beta2 * v + (1 - chosen.beta2) * g**2
        r = m / (1 - chosen.beta1**t) / (np.sqrt(v / (1 - chosen.beta2**t)) + chosen.eps)
        step = r + start.decay * w
        ratio = np.linalg.norm(w) / np.linalg.norm(step) if start.matrix else 1.0
        w = w - chosen.lr * ratio * step
    return w


def muon(start: Reference, gradients: Iterator[Any], chosen: Muon) -> Any:
    """Jordan, 2024, in 64 bits."""
    if not start.matrix:
        return adamw(start, gradients, chosen.adamw)
    w = start.weight
    b = np.zeros_like(w)
    for g in gradients:
        b = chosen.momentum * b + (1 - chosen.momentum) * g
        x = (1 - chosen.momentum) * g + chosen.momentum * b
        x = x / np.linalg.norm(x)
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        rows, columns = w.shape
        w = w - chosen.lr * (start.decay * w + np.sqrt(max(1, rows / columns)) * x)
    return w


FORMULAS: list[tuple[Optimizer, Formula]] = [
    (SGD(lr=0.1, momentum=0.8, weight_decay=0.01), sgd),
    (SGD(lr=0.1, momentum=0.8, weight_decay=0.01, nesterov=True), sgd),
    (Adam(lr=0.1, weight_decay=0.01, beta1=0.8, beta2=0.95, eps=1e-3), adam),
    (AdamW(lr=0.1, weight_decay=0.1, beta1=0.8, beta2=0.95, eps=1e-3), adamw),
    (RMSprop(lr=0.1, weight_decay=0.01, alpha=0.7, eps=1e-3), rmsprop),
    (RMSprop(lr=0.1, weight_decay=0.01, momentum=0.6, centered=True, eps=0.1), rmsprop),
    (Adagrad(lr=0.1, weight_decay=0.01, eps=1e-3), adagrad),
    (LAMB(lr=0.1, weight_decay=0.1, beta1=0.8, beta2=0.95, eps=1e-3), lamb),
    (Muon(lr=0.1, weight_decay=0.1, momentum=0.8, adamw=AdamW(lr=0.2)), muon),
]


def test_every_optimizer_has_its_formula() -> None:
    assert {type(chosen) for chosen, _ in FORMULAS} == set(OPTIMIZERS.values())


@pytest.mark.parametrize("fused", [AUTO, NEVER])
@pytest.mark.parametrize(("chosen", "formula"), FORMULAS)
def test_steps_are_those_of_the_paper(chosen: Optimizer, formula: Formula, fused: str) -> None:
    """Of a matrix, which decays, and a bias, which does not."""
    if "fused" in chosen.arguments:
        chosen = chosen.replaced({"fused": fused})
    network = nn.Linear(3, 2)
    optimizer = build_optimizer(network, Learning(chosen))
    start = {
        name: Reference(value.detach().double().numpy().copy(), chosen.weight_decay * matrix, matrix)
        for name, value in network.named_parameters()
        for matrix in [value.ndim > 1]
    }
    inputs = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(2))
    for x in inputs:
        optimizer.zero_grad()
        network(x).sum().backward()
        optimizer.step()
    sums = inputs.double().sum(1).numpy()
    expected = {
        "weight": formula(start["weight"], (np.tile(each, (2, 1)) for each in sums), chosen),
        "bias": formula(start["bias"], (np.full(2, 5.0) for _ in sums), chosen),
    }
    for name, value in network.named_parameters():
        # Muon computes matrices in 16 bits.
        within = 1e-2 if isinstance(chosen, Muon) and value.ndim > 1 else 1e-6
        np.testing.assert_allclose(value.detach().numpy(), expected[name], rtol=1e-5, atol=within)


def rotated(gradients: list[Tensor], chosen: Muon) -> Tensor:
    """The weight that starts at 0 after steps with these gradients."""
    weight = nn.Parameter(torch.zeros_like(gradients[0]))
    optimizer = build_optimizer(nn.ParameterList([weight]), Learning(chosen))
    for each in gradients:
        weight.grad = each
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("shape", [(4, 7), (7, 4), (5, 5)])
def test_muon_is_torchs_on_matrices(shape: tuple[int, int], nesterov: bool) -> None:
    gradients = [*torch.randn(3, *shape, generator=torch.Generator().manual_seed(1))]
    weight = nn.Parameter(torch.zeros(shape))
    theirs = uncompiled(torch.optim.Muon)([weight], lr=0.1, weight_decay=0.2, momentum=0.9, nesterov=nesterov)
    for each in gradients:
        weight.grad = each
        theirs.step()
    chosen = Muon(lr=0.1, weight_decay=0.2, momentum=0.9, nesterov=nesterov)
    torch.testing.assert_close(rotated(gradients, chosen), weight.detach(), rtol=1e-2, atol=1e-3)


def test_the_singular_values_of_a_step_of_muon_are_near_one() -> None:
    """Its coefficients bring them to between 0.7 and 1.2, however different those of the gradient are."""
    sizes = torch.logspace(-1, 1, 6)[:, None]
    gradient = sizes * torch.randn(6, 20, generator=torch.Generator().manual_seed(1))
    before, after = torch.linalg.svdvals(gradient), torch.linalg.svdvals(rotated([gradient], Muon(lr=1.0)))
    assert float(before.max() / before.min()) > 50
    assert bool(((after > 0.6) & (after < 1.3)).all())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_muon_takes_a_kernel_as_the_matrix_of_its_output_channels(layout: torch.memory_format) -> None:
    gradients = torch.randn(3, 4, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    flat = rotated([*gradients.flatten(2)], Muon(lr=0.1))
    found = rotated([each.contiguous(memory_format=layout) for each in gradients], Muon(lr=0.1))
    torch.testing.assert_close(found.flatten(1), flat)


def test_a_tensor_of_zeros_or_without_a_gradient_has_lambs_plain_step() -> None:
    """Its length, or that of the step, cannot be a factor."""
    tensors = [
        nn.Parameter(torch.zeros(2, 2)),
        nn.Parameter(torch.ones(2, 2)),
        nn.Parameter(torch.ones(2, 2)),
    ]
    for tensor, gradient in zip(tensors, (1.0, 0.0, None), strict=True):
        tensor.grad = None if gradient is None else torch.full((2, 2), gradient)
    network = nn.ParameterList(tensors)
    build_optimizer(network, Learning(LAMB(lr=0.5, weight_decay=0.0))).step()
    torch.testing.assert_close(tensors[0].detach(), torch.full((2, 2), -0.5), rtol=1e-4, atol=0)
    assert all(bool((tensor == 1).all()) for tensor in tensors[1:])


def test_adamw_decays_the_weights_and_nothing_else() -> None:
    network = small_network()
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    optimizer = build_optimizer(network, Learning(AdamW(lr=0.1, weight_decay=0.5)))
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, value in network.named_parameters():
        expected = before[name] * (1 - 0.1 * 0.5) if name in {"0.weight", "5.weight"} else before[name]
        torch.testing.assert_close(value.detach(), expected)


DEFAULTS: list[Optimizer] = [make() for make in OPTIMIZERS.values()]  # type: ignore[call-arg]
CHOSEN = [
    SGD(momentum=0.0),
    SGD(nesterov=True),
    RMSprop(momentum=0.9, centered=True),
    *DEFAULTS,
    *(each.replaced({"fused": NEVER}) for each in DEFAULTS if each.may_fuse),
]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("chosen", CHOSEN)
def test_state_travels_by_name(chosen: Optimizer, layout: torch.memory_format) -> None:
    """Kernels of fused optimizers read tensors in the order of their memory, so its layout matters too."""
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 2)
    network: nn.Module = nn.Sequential(*layers).to(memory_format=layout)  # type: ignore[call-overload]
    twin = copy.deepcopy(network)
    optimizer = build_optimizer(network, Learning(chosen))
    a_step(network, optimizer, 1)
    tensors = optimizer_tensors(optimizer, network)
    assert all(each.is_contiguous() for each in tensors.values())
    twin.load_state_dict(network.state_dict())
    twin_optimizer = build_optimizer(twin, Learning(chosen))
    restore_optimizer(twin_optimizer, twin, tensors)
    for seed in (2, 3):
        a_step(network, optimizer, seed)
        a_step(twin, twin_optimizer, seed)
    assert same_weights(network, twin)


def spoilt(tensors: dict[str, Tensor], key: str, value: float) -> dict[str, Tensor]:
    name = next(each for each in tensors if each.endswith(f"/{key}"))
    return tensors | {name: torch.full_like(tensors[name], value)}


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("exp_avg", math.nan, "finite"),
        ("exp_avg_sq", -1.0, "below 0"),
        ("step", -1.0, "below 0"),
        ("step", 1.5, "not a number of steps"),
    ],
)
def test_what_no_optimizer_can_have_kept_is_refused(key: str, value: float, message: str) -> None:
    network = small_network()
    optimizer = build_optimizer(network, Learning(AdamW()))
    a_step(network, optimizer, 1)
    damaged = spoilt(optimizer_tensors(optimizer, network), key, value)
    with pytest.raises(UsageError, match=message):
        restore_optimizer(build_optimizer(network, Learning(AdamW())), network, damaged)


@pytest.mark.parametrize("chosen", DEFAULTS)
def test_the_state_of_another_optimizer_is_refused(chosen: Optimizer) -> None:
    network = small_network()
    optimizer = build_optimizer(network, Learning(chosen))
    a_step(network, optimizer, 1)
    tensors = optimizer_tensors(optimizer, network)
    lacking = {name: value for name, value in tensors.items() if not name.startswith("0.weight/")}
    unknown = tensors | {"0.weight/other": torch.zeros(())}
    with pytest.raises(UsageError, match="belongs to none"):
        restore_optimizer(build_optimizer(network, Learning(chosen)), network, unknown)
    if len(tensors) > len(lacking) + 1:
        del tensors[next(iter(tensors))]
        with pytest.raises(UsageError, match="not complete"):
            restore_optimizer(build_optimizer(network, Learning(chosen)), network, tensors)


def test_names_and_independence_of_the_state() -> None:
    network = small_network()
    optimizer = build_optimizer(network, Learning(SGD()))
    assert optimizer_tensors(optimizer, network) == {}
    a_step(network, optimizer, 1)
    tensors = optimizer_tensors(optimizer, network)
    assert set(tensors) == {f"{name}/momentum_buffer" for name, _ in network.named_parameters()}
    copies: dict[str, Tensor] = {name: value.clone() for name, value in tensors.items()}
    a_step(network, optimizer, 2)
    assert all(torch.equal(copies[name], value) for name, value in tensors.items())


def test_learning_rate_reaches_every_parameter() -> None:
    optimizer = build_optimizer(small_network(), Learning(SGD()))
    set_learning_rate(optimizer, 0.125)
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]


def test_frozen_parameters_are_left_out() -> None:
    network = small_network()
    network[0].requires_grad_(False)  # type: ignore[index]
    optimizer = build_optimizer(network, Learning(SGD()))
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4


def test_nothing_to_train() -> None:
    with pytest.raises(UsageError, match="nothing to train"):
        build_optimizer(nn.Flatten(), Learning(SGD()))
