"""Every name of a recipe has exactly one implementation in torch, and the facts about it are torch's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cnncli.graph.learning import Learning
from cnncli.language.fields import Record
from cnncli.layers import KINDS
from cnncli.recipe.criteria import CRITERIA, DEFAULT_CRITERION
from cnncli.recipe.data import RESIZE_RULES, SOURCES
from cnncli.recipe.devices import DEVICES
from cnncli.recipe.dtypes import DEFAULT_DTYPE, ITEMSIZES
from cnncli.recipe.losses import LOSSES, OF_LAYERS
from cnncli.recipe.optimizers import (
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
    is_decayed,
)
from cnncli.recipe.schedules import SCHEDULES
from cnncli.recipe.transforms import CORRUPTIONS, TRANSFORMS
from cnncli.training.data.load import CATALOGS, LOADERS
from cnncli.training.data.resize import RULES
from cnncli.training.device import BACKENDS
from cnncli.training.optimization.optimizers import BUILDERS, build_optimizer
from cnncli.training.optimization.schedule import DECAYS
from cnncli.training.optimization.state import KEPT
from cnncli.training.optimization.uncompiled import uncompiled
from cnncli.training.tasks.losses import FORMULAS
from cnncli.training.tasks.readings import READINGS
from cnncli.training.transforms import CHANGES, MAPS, MIXES
from tests.live_memory import Living


@pytest.mark.parametrize(
    ("declared", "implemented"),
    [
        pytest.param(SOURCES, LOADERS, id="data sources"),
        pytest.param(SOURCES, CATALOGS, id="data sources, to look at"),
        pytest.param(RESIZE_RULES, RULES, id="resize rules"),
        pytest.param(OPTIMIZERS.values(), BUILDERS, id="optimizers"),
        pytest.param(OPTIMIZERS.values(), KEPT, id="optimizers, in a checkpoint"),
        pytest.param(SCHEDULES.values(), DECAYS, id="schedules"),
        pytest.param(CRITERIA, READINGS, id="criteria"),
        pytest.param([*LOSSES.values(), *OF_LAYERS], FORMULAS, id="losses"),
        pytest.param(
            {*TRANSFORMS.values(), *CORRUPTIONS.values()}, [*CHANGES, *MAPS, *MIXES], id="transforms"
        ),
        pytest.param(DEVICES, BACKENDS, id="devices"),
    ],
)
def test_each_name_has_an_implementation(
    declared: Collection[object], implemented: Collection[object]
) -> None:
    assert set(declared) == set(implemented)


def test_every_criterion_is_that_of_a_layer() -> None:
    assert {kind.criterion for kind in KINDS.values()} == CRITERIA.keys()
    assert DEFAULT_CRITERION in CRITERIA


@pytest.mark.parametrize(("name", "itemsize"), ITEMSIZES.items())
def test_bytes_of_a_number(name: str, itemsize: int) -> None:
    assert torch.empty((), dtype=getattr(torch, name)).element_size() == itemsize


def test_the_default_type_is_torchs() -> None:
    assert getattr(torch, DEFAULT_DTYPE) is torch.get_default_dtype()


@pytest.mark.parametrize("known", [OPTIMIZERS, SCHEDULES, LOSSES, TRANSFORMS, CORRUPTIONS])
def test_a_name_is_enough(known: Mapping[str, type[Record]]) -> None:
    for name, record in known.items():
        assert record.keyword == name
        assert record.__doc__
        assert not record.required
        declared = {key: each for key, each in record.arguments.items() if each.default is not None}
        defaults = {key: each.reader.plain(each.default) for key, each in declared.items()}
        assert record().plain() == defaults


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values())
def test_all_optimizers_have_a_rate_and_a_decay_of_their_own(optimizer: type[Optimizer]) -> None:
    assert Optimizer.arguments.keys() == {"lr", "weight_decay"} <= optimizer.arguments.keys()
    for name, declared in Optimizer.arguments.items():
        own = optimizer.arguments[name]
        assert (own.reader, own.help) == (declared.reader, declared.help)
        assert (declared.required, own.required) == (True, False)


@pytest.mark.parametrize(
    ("ours", "theirs"), [(Adam, torch.optim.Adam), (AdamW, torch.optim.AdamW), (Adagrad, torch.optim.Adagrad)]
)
def test_these_defaults_are_torchs(ours: type[Optimizer], theirs: type[Any]) -> None:
    chosen = ours().plain()  # type: ignore[call-arg]
    defaults = uncompiled(theirs)([torch.zeros(1)]).defaults
    for name in {"lr", "weight_decay", "eps"} & chosen.keys():
        assert chosen[name] == defaults[name]
    if "beta1" in chosen:
        assert (chosen["beta1"], chosen["beta2"]) == defaults["betas"]


MADE: Sequence[Callable[..., Optimizer]] = (
    SGD,
    partial(SGD, momentum=0.0),
    partial(SGD, nesterov=True),
    Adam,
    AdamW,
    RMSprop,
    partial(RMSprop, momentum=0.9),
    partial(RMSprop, centered=True),
    Adagrad,
    LAMB,
    Muon,
)
CHOICES = [make(lr=0.1, weight_decay=decay) for make in MADE for decay in (0.0, 0.5)]
UNFUSED = [each.replaced({"fused": NEVER}) if each.may_fuse else each for each in CHOICES]


def test_every_optimizer_is_measured() -> None:
    assert {type(each) for each in CHOICES} == set(OPTIMIZERS.values())


SHAPES = ((7,), (3, 5), (2, 3, 5), (2, 2, 3, 3))


class Probe(nn.Module):
    """A tensor of ones, with a gradient of zeros."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.tensor = nn.Parameter(torch.ones(shape))
        self.tensor.grad = torch.zeros(shape)

    def stepped(self, chosen: Optimizer) -> torch.optim.Optimizer:
        """Return an optimizer after its first step; one that is not fused in the form that GPUs use."""
        optimizer = build_optimizer(self, Learning(chosen))
        for group in optimizer.param_groups:
            group["foreach"] = not group.get("fused")
        optimizer.step()
        return optimizer

    def kept(self, optimizer: torch.optim.Optimizer) -> list[Tensor]:
        return [each for each in optimizer.state[self.tensor].values() if isinstance(each, Tensor)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chosen", [*CHOICES, *UNFUSED])
def test_what_an_optimizer_keeps(chosen: Optimizer, shape: tuple[int, ...]) -> None:
    probe = Probe(shape)
    kept = probe.kept(probe.stepped(chosen))
    expected = Learning(chosen).way("tensor", len(shape)).optimizer.state * probe.tensor.numel()
    assert sum(each.numel() for each in kept if each.ndim) == expected  # without the counter of steps


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chosen", [*CHOICES, *UNFUSED])
def test_what_an_optimizer_allocates_in_a_step(chosen: Optimizer, shape: tuple[int, ...]) -> None:
    probe = Probe(shape)
    optimizer = probe.stepped(chosen)
    assert probe.tensor.grad is not None
    with Living([probe.tensor, probe.tensor.grad, *probe.kept(optimizer)]) as living:
        optimizer.step()
    way = Learning(chosen).way("tensor", len(shape))
    more = living.peak - 4 * way.optimizer.scratch(way.decay) * probe.tensor.numel()
    single = 4 * 8 if isinstance(way.optimizer, LAMB | Muon) else 0  # for a tensor, such as its length
    assert more <= single
    assert more >= 0 or isinstance(way.optimizer, Muon)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("chosen", CHOICES)
def test_which_tensors_decay(chosen: Optimizer, shape: tuple[int, ...]) -> None:
    probe = Probe(shape)
    probe.stepped(chosen)
    moved = bool((probe.tensor != 1).any())
    assert moved == (is_decayed(len(shape)) and chosen.weight_decay > 0)
