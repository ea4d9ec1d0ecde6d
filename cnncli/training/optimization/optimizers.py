"""Building optimizers, and their state by the names of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from cnncli.diagnostics import usage_error
from cnncli.recipe import optimizers as recipe
from cnncli.recipe.optimizers import SGD, AdamW, is_decayed
from cnncli.training.optimization.uncompiled import uncompiled

Groups: TypeAlias = list[dict[str, Any]]
"""Parameter groups as torch's optimizers take them."""


def _sgd(groups: Groups, chosen: SGD) -> Optimizer:
    """Return SGD, which adds decay * weight to the gradient."""
    return uncompiled(torch.optim.SGD)(
        groups, lr=chosen.lr, momentum=chosen.momentum, nesterov=chosen.nesterov
    )


def _adamw(groups: Groups, chosen: AdamW) -> Optimizer:
    """Return AdamW, which subtracts lr * decay * weight from the weight (I. Loshchilov, F. Hutter, 2019)."""
    return uncompiled(torch.optim.AdamW)(groups, lr=chosen.lr)


BUILDERS: Final[Mapping[type[recipe.Optimizer], Callable[[Groups, Any], Optimizer]]] = {
    SGD: _sgd,
    AdamW: _adamw,
}

_STEP: Final = "step"
KEPT: Final[Mapping[type[recipe.Optimizer], Callable[[Any], frozenset[str]]]] = {
    SGD: lambda chosen: frozenset({"momentum_buffer"} if chosen.momentum else ()),
    AdamW: lambda _: frozenset({_STEP, "exp_avg", "exp_avg_sq"}),
}
"""The names of what an optimizer keeps for each parameter after its first step."""


def build_optimizer(network: nn.Module, chosen: recipe.Optimizer) -> Optimizer:
    """Return the chosen optimizer, for the trainable parameters.

    Weight decay acts on the tensors of :func:`~cnncli.recipe.optimizers.is_decayed`.

    Raises:
        UsageError: the network has no trainable parameters.
    """
    trainable = _trainable(network)
    if not trainable:
        raise usage_error("the network has no parameters, so there is nothing to train")
    decayed = [parameter for _, parameter in trainable if is_decayed(parameter.ndim)]
    others = [parameter for _, parameter in trainable if not is_decayed(parameter.ndim)]
    groups: Groups = [
        {"params": members, "weight_decay": decay}
        for members, decay in ((decayed, chosen.weight_decay), (others, 0.0))
        if members
    ]
    return BUILDERS[type(chosen)](groups, chosen)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of the next step, for every parameter."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def set_momentum(optimizer: Optimizer, momentum: float) -> None:
    """Set the momentum of the next step, or the beta1 of optimizers that have one; others have neither."""
    for group in optimizer.param_groups:
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        elif "momentum" in group:
            group["momentum"] = momentum


def optimizer_tensors(optimizer: Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """Return the optimizer's state on the CPU, by ``PARAMETER/KEY``; empty before the first step."""
    return {
        f"{name}/{key}": value.detach().to("cpu", copy=True).contiguous()
        for name, parameter in _trainable(network)
        for key, value in optimizer.state.get(parameter, {}).items()
        if value is not None  # SGD without momentum keeps a None
    }


def restore_optimizer(
    optimizer: Optimizer, network: nn.Module, tensors: dict[str, Tensor], chosen: recipe.Optimizer
) -> None:
    """Restore the state that :func:`optimizer_tensors` returned, in a newly built optimizer.

    Raises:
        UsageError: it is not the state of this optimizer for these parameters.
    """
    names = {parameter: name for name, parameter in _trainable(network)}
    ordered = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    keys = KEPT[type(chosen)](chosen)
    state: dict[int, dict[str, Tensor]] = {}
    for index, parameter in enumerate(ordered):
        wanted = {key: f"{names[parameter]}/{key}" for key in keys}
        found = {key: tensors[name] for key, name in wanted.items() if name in tensors}
        if not found:  # before the first step, or a parameter that no output depends on
            continue
        if found.keys() != keys:
            raise usage_error(f"the checkpoint's optimizer state for {names[parameter]} is not complete")
        for key, value in found.items():
            _check_state(wanted[key], value, torch.Size() if key == _STEP else parameter.shape)
        state[index] = {key: each if key == _STEP else _as(parameter, each) for key, each in found.items()}
    if sum(map(len, state.values())) != len(tensors):
        raise usage_error("the checkpoint has optimizer state that belongs to none of the parameters")
    # torch moves each tensor to its parameter's device, except for step counters.
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _as(parameter: Tensor, value: Tensor) -> Tensor:
    """Return a tensor with its numbers in the order of those of a parameter, as a step left it.

    Implementations for all tensors at once go through both in the order of memory.
    """
    return torch.empty_like(parameter, device="cpu").copy_(value)


def _check_state(name: str, value: Tensor, shape: torch.Size) -> None:
    if value.shape != shape:
        raise usage_error(f"the checkpoint's optimizer state for {name} has another shape")
    if value.dtype != torch.float32 or not bool(torch.isfinite(value).all()):
        raise usage_error(f"the checkpoint's optimizer state for {name} is not of finite 32-bit numbers")


def _trainable(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, each) for name, each in network.named_parameters() if each.requires_grad]


def all_finite(network: nn.Module) -> bool:
    """Return whether all numbers in all parameters and buffers are finite."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values())
