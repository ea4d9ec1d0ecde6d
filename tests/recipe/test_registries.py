"""Every name of a recipe has exactly one implementation in torch, and the facts about it are torch's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnncli.layers import KINDS
from cnncli.recipe.criteria import CRITERIA, DEFAULT_CRITERION
from cnncli.recipe.data import RESIZE_RULES, SOURCES
from cnncli.recipe.devices import DEVICES
from cnncli.recipe.dtypes import DEFAULT_DTYPE, ITEMSIZES
from cnncli.recipe.optimizers import OF_OPTIMIZER, OPTIMIZERS, is_decayed
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.schedules import SCHEDULES
from cnncli.training.data.load import LOADERS
from cnncli.training.data.resize import RULES
from cnncli.training.device import BACKENDS
from cnncli.training.optimization.optimizers import BUILDERS, build_optimizer
from cnncli.training.optimization.schedule import DECAYS
from cnncli.training.tasks.criteria import FORMULAS
from tests.live_memory import Living
from tests.training.support import settings


@pytest.mark.parametrize(
    ("declared", "implemented"),
    [
        pytest.param(SOURCES, LOADERS, id="data sources"),
        pytest.param(RESIZE_RULES, RULES, id="resize rules"),
        pytest.param(OPTIMIZERS, BUILDERS, id="optimizers"),
        pytest.param(SCHEDULES, DECAYS, id="schedules"),
        pytest.param(CRITERIA, FORMULAS, id="criteria"),
        pytest.param(DEVICES, BACKENDS, id="devices"),
    ],
)
def test_each_name_has_an_implementation(declared: Collection[str], implemented: Collection[str]) -> None:
    assert set(declared) == set(implemented)


def test_every_criterion_is_that_of_a_layer() -> None:
    assert {kind.criterion for kind in KINDS.values()} == CRITERIA.keys()
    assert DEFAULT_CRITERION in CRITERIA


@pytest.mark.parametrize(("name", "itemsize"), ITEMSIZES.items())
def test_bytes_of_a_number(name: str, itemsize: int) -> None:
    assert torch.empty((), dtype=getattr(torch, name)).element_size() == itemsize


def test_the_default_type_is_torchs() -> None:
    assert getattr(torch, DEFAULT_DTYPE) is torch.get_default_dtype()


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values())
def test_settings_of_an_optimizer_are_settings(optimizer: Any) -> None:
    assert set(optimizer.defaults) <= set(OF_OPTIMIZER) <= Recipe.arguments.keys()
    assert {"lr", "weight_decay"} <= set(optimizer.defaults)
    chosen = Recipe(optimizer=optimizer.name)
    assert {name: getattr(chosen, name) for name in optimizer.defaults} == optimizer.defaults
    assert all(getattr(chosen, name) is None for name in OF_OPTIMIZER if name not in optimizer.defaults)


def test_the_defaults_of_adamw_are_torchs() -> None:
    assert OPTIMIZERS["adamw"].defaults == {
        name: torch.optim.AdamW([torch.zeros(1)]).defaults[name] for name in ("lr", "weight_decay")
    }


CHOICES = [
    {"optimizer": name, "weight_decay": decay, "lr": 0.1} | momentum
    for name in OPTIMIZERS
    for momentum in (
        [{"momentum": 0.0}, {"momentum": 0.9}] if "momentum" in OPTIMIZERS[name].defaults else [{}]
    )
    for decay in (0.0, 0.5)
]
SHAPES = ((7,), (3, 5), (2, 3, 5), (2, 2, 3, 3))


class Probe(nn.Module):
    """A tensor of ones, with a gradient of zeros."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.tensor = nn.Parameter(torch.ones(shape))
        self.tensor.grad = torch.zeros(shape)

    def stepped(self, chosen: dict[str, Any]) -> torch.optim.Optimizer:
        """Return an optimizer after its first step, in the form that GPUs use."""
        optimizer = build_optimizer(self, settings(**chosen))
        for group in optimizer.param_groups:
            group["foreach"] = True
        optimizer.step()
        return optimizer

    def kept(self, optimizer: torch.optim.Optimizer) -> list[Tensor]:
        return [each for each in optimizer.state[self.tensor].values() if isinstance(each, Tensor)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chosen", CHOICES)
def test_what_an_optimizer_keeps(chosen: dict[str, Any], shape: tuple[int, ...]) -> None:
    probe = Probe(shape)
    kept = probe.kept(probe.stepped(chosen))
    expected = OPTIMIZERS[chosen["optimizer"]].state(settings(**chosen)) * probe.tensor.numel()
    assert sum(each.numel() for each in kept if each.ndim) == expected  # without the counter of steps


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chosen", CHOICES)
def test_what_an_optimizer_allocates_in_a_step(chosen: dict[str, Any], shape: tuple[int, ...]) -> None:
    probe = Probe(shape)
    optimizer = probe.stepped(chosen)
    assert probe.tensor.grad is not None
    with Living([probe.tensor, probe.tensor.grad, *probe.kept(optimizer)]) as living:
        optimizer.step()
    decayed = is_decayed(len(shape))
    scratch = OPTIMIZERS[chosen["optimizer"]].scratch(settings(**chosen), decayed)
    assert living.peak == 4 * scratch * probe.tensor.numel()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chosen", CHOICES)
def test_which_tensors_decay(chosen: dict[str, Any], shape: tuple[int, ...]) -> None:
    probe = Probe(shape)
    probe.stepped(chosen)
    moved = bool((probe.tensor != 1).any())
    assert moved == (is_decayed(len(shape)) and chosen["weight_decay"] > 0)
