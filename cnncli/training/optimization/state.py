"""What optimizers keep between steps, by the names of the parameters: for checkpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnncli.diagnostics import usage_error
from cnncli.recipe import optimizers as recipe
from cnncli.recipe.optimizers import LAMB, SGD, Adagrad, Adam, AdamW, Muon, RMSprop
from cnncli.training.optimization.lamb import MEAN, SQUARES, STEP
from cnncli.training.optimization.muon import MOMENTUM
from cnncli.training.optimization.optimizers import CHOSEN, FIRST

_MEANS: Final = frozenset({STEP, MEAN, SQUARES})

KEPT: Final[Mapping[type[recipe.Optimizer], Callable[[Any], frozenset[str]]]] = {
    SGD: lambda chosen: frozenset({MOMENTUM} if chosen.momentum else ()),
    Adam: lambda _: _MEANS,
    AdamW: lambda _: _MEANS,
    RMSprop: lambda chosen: frozenset(
        {
            STEP,
            "square_avg",
            *([MOMENTUM] if chosen.momentum else []),
            *(["grad_avg"] if chosen.centered else []),
        }
    ),
    Adagrad: lambda _: frozenset({STEP, "sum"}),
    LAMB: lambda _: _MEANS,
    Muon: lambda _: frozenset({MOMENTUM}),
}
"""The names of what an optimizer keeps for each parameter after its first step."""

_NOT_NEGATIVE: Final = frozenset({STEP, SQUARES, "square_avg", "sum"})


def optimizer_tensors(optimizer: Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """Return the optimizer's state on the CPU, by ``PARAMETER/KEY``; most keep nothing before a step."""
    return {
        f"{name}/{key}": value.detach().to("cpu", copy=True).contiguous()
        for name, parameter, _ in _learned(optimizer, network)
        for key, value in optimizer.state.get(parameter, {}).items()
        if value is not None  # SGD without momentum keeps a None
    }


def restore_optimizer(optimizer: Optimizer, network: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Restore the state that :func:`optimizer_tensors` returned, in a newly built optimizer.

    Raises:
        UsageError: it is not the state of this optimizer for these parameters; nothing is restored then.
    """
    states: dict[Tensor, dict[str, Tensor]] = {}
    for name, parameter, group in _learned(optimizer, network):
        keys = KEPT[type(group[CHOSEN])](group[CHOSEN])
        found = {key: tensors[f"{name}/{key}"] for key in keys if f"{name}/{key}" in tensors}
        if not tensors or (group[FIRST] and not found):  # before the first step
            continue
        if found.keys() != keys:
            raise usage_error(f"the checkpoint's optimizer state for {name} is not complete")
        for key, value in found.items():
            _check(f"{name}/{key}", key, value, parameter)
        states[parameter] = {key: _placed(key, value, parameter, group) for key, value in found.items()}
    if sum(map(len, states.values())) != len(tensors):
        raise usage_error("the checkpoint has optimizer state that belongs to none of the parameters")
    optimizer.state.update(states)


def _learned(optimizer: Optimizer, network: nn.Module) -> Iterator[tuple[str, nn.Parameter, dict[str, Any]]]:
    """Yield the parameters of an optimizer with their names, in the order of the network, and groups."""
    groups = {each: group for group in optimizer.param_groups for each in group["params"]}
    for name, parameter in network.named_parameters():
        if parameter in groups:
            yield name, parameter, groups[parameter]


def _placed(key: str, value: Tensor, parameter: nn.Parameter, group: Mapping[str, Any]) -> Tensor:
    """Return a tensor where a step expects it: in the layout of the parameter, and on its device.

    A fused kernel reads all tensors in the order of their memory. Of counters, only its own are on the
    parameter's device.
    """
    if key == STEP:
        return value.to(parameter.device, copy=True) if group.get("fused") else value.clone()
    return torch.empty_like(parameter, requires_grad=False).copy_(value)


def _check(name: str, key: str, value: Tensor, parameter: nn.Parameter) -> None:
    """Check what a checkpoint has for a parameter.

    Raises:
        UsageError: it has another shape or type, or values that an optimizer cannot have.
    """
    if value.shape != (torch.Size() if key == STEP else parameter.shape):
        raise usage_error(f"the checkpoint's optimizer state for {name} has another shape")
    if value.dtype != torch.float32 or not bool(torch.isfinite(value).all()):
        raise usage_error(f"the checkpoint's optimizer state for {name} is not of finite 32-bit numbers")
    if key in _NOT_NEGATIVE and bool((value < 0).any()):
        raise usage_error(f"the checkpoint's optimizer state for {name} has values below 0")
    if key == STEP and float(value) % 1:
        raise usage_error(f"the checkpoint's optimizer state for {name} is not a number of steps")
