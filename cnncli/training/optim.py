"""Optimisers, and their state under the names of the parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from cnncli.diagnostics import usage_error
from cnncli.spec.sections import Train


def build_optimizer(network: nn.Module, settings: Train) -> Optimizer:
    """SGD with momentum (Nesterov's if so set), or AdamW, over the trainable parameters.

    Weight decay acts on tensors of two axes or more, the weights of convolutions and linear layers. Biases
    and the scales of normalisation are left alone, since to shrink them does not make a network simpler
    (T. He et al., "Bag of Tricks for Image Classification", 2019, section 3.1). SGD adds decay * weight to
    the gradient; AdamW subtracts lr * decay * weight from the weight (I. Loshchilov, F. Hutter, 2019).

    Raises:
        UsageError: for a network without trainable parameters, or nesterov without a momentum.
    """
    trainable = _trainable(network)
    if not trainable:
        raise usage_error("the network has no parameters, so there is nothing to train")
    decayed = [parameter for _, parameter in trainable if parameter.ndim > 1]
    spared = [parameter for _, parameter in trainable if parameter.ndim <= 1]
    groups = [
        {"params": members, "weight_decay": decay}
        for members, decay in ((decayed, settings.weight_decay), (spared, 0.0))
        if members
    ]
    if settings.optimizer == "sgd":
        if settings.nesterov and settings.momentum == 0:
            raise usage_error("nesterov needs a momentum", expected="momentum above 0", received="momentum 0")
        return SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov)
    assert settings.optimizer == "adamw", settings.optimizer
    return AdamW(groups, lr=settings.lr)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Let the next step use ``rate`` for every parameter."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def optimizer_tensors(optimizer: Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """The optimiser's state as ``PARAMETER/KEY`` -> tensor, on the CPU; empty before the first step."""
    return {
        f"{name}/{key}": value.detach().to("cpu", copy=True)
        for name, parameter in _trainable(network)
        for key, value in optimizer.state.get(parameter, {}).items()
        if value is not None  # SGD without momentum keeps a None
    }


def restore_optimizer(optimizer: Optimizer, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give a freshly built optimiser the state that :func:`optimizer_tensors` returned."""
    names = {parameter: name for name, parameter in _trainable(network)}
    ordered = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for index, parameter in enumerate(ordered):
        prefix = f"{names[parameter]}/"
        found = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if found:
            state[index] = found
    # torch's own loading puts each tensor onto its parameter's device, and leaves step counters alone.
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _trainable(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, each) for name, each in network.named_parameters() if each.requires_grad]


def all_finite(network: nn.Module) -> bool:
    """Whether every parameter and buffer holds nothing but finite numbers."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values())
