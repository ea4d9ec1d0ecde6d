"""Optimizers, and their state under the names of the parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

from cnncli.diagnostics import usage_error
from cnncli.language.sections import Train

_LARGEST = 1e36  # AdamW divides by as little as 0.1, and torch raises where 32-bit numbers end, at 3.4e38


def build_optimizer(network: nn.Module, settings: Train) -> Optimizer:
    """SGD with momentum (Nesterov's if so set), or AdamW, over the trainable parameters.

    Weight decay acts on tensors of two axes or more, the weights of convolutions and linear layers. Biases
    and the scales of normalization are left alone, since to shrink them does not make a network simpler
    (T. He et al., "Bag of Tricks for Image Classification", 2019, section 3.1). SGD adds decay * weight to
    the gradient; AdamW subtracts lr * decay * weight from the weight (I. Loshchilov, F. Hutter, 2019).

    Raises:
        UsageError: for a network without trainable parameters, nesterov without a momentum, or a learning
            rate or weight decay that 32-bit numbers cannot express.
    """
    for name, value in (("lr", settings.lr), ("weight_decay", settings.weight_decay)):
        if value > _LARGEST:
            raise usage_error(f"{name} is too large", expected=f"at most {_LARGEST:g}", received=f"{value:g}")
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
    """The optimizer's state as ``PARAMETER/KEY`` -> tensor, on the CPU; empty before the first step."""
    return {
        f"{name}/{key}": value.detach().to("cpu", copy=True)
        for name, parameter in _trainable(network)
        for key, value in optimizer.state.get(parameter, {}).items()
        if value is not None  # SGD without momentum keeps a None
    }


def restore_optimizer(optimizer: Optimizer, network: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Give a freshly built optimizer the state that :func:`optimizer_tensors` returned.

    Raises:
        UsageError: for tensors of another shape than their parameter's.
    """
    names = {parameter: name for name, parameter in _trainable(network)}
    ordered = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for index, parameter in enumerate(ordered):
        prefix = f"{names[parameter]}/"
        found = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        if any(value.ndim and value.shape != parameter.shape for value in found.values()):
            raise usage_error(
                f"the optimizer's state of {names[parameter]} in the checkpoint has another shape"
            )
        if found:
            state[index] = found
    # torch's own loading puts each tensor onto its parameter's device, and leaves step counters alone.
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _trainable(network: nn.Module) -> list[tuple[str, nn.Parameter]]:
    return [(name, each) for name, each in network.named_parameters() if each.requires_grad]


def all_finite(network: nn.Module) -> bool:
    """Whether every parameter and buffer holds nothing but finite numbers."""
    return all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values())
