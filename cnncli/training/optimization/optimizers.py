"""Building optimizers, and choosing torch's implementation of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer

from cnncli.diagnostics import usage_error
from cnncli.graph.learning import Learning, Way
from cnncli.recipe import optimizers as recipe
from cnncli.recipe.optimizers import ALWAYS, LAMB, NEVER, SGD, Adagrad, Adam, AdamW, Muon, RMSprop
from cnncli.training.optimization.lamb import Lamb
from cnncli.training.optimization.muon import Muon as HiddenMuon
from cnncli.training.optimization.uncompiled import uncompiled

Groups: TypeAlias = list[dict[str, Any]]
"""Parameter groups as torch's optimizers take them."""

CHOSEN: Final = "chosen"
RELATIVE: Final = "relative"
FIRST: Final = "first"
"""The keys of a group: the record of its optimizer, its peak rate as a multiple of the usual one, and the
epoch from which on it is learned."""

_FUSED_ON: Final = ("cpu", "cuda")
"""The devices for which ``fused: auto`` is ``true``: those where it was measured, or is torch's advice."""


def is_fused(chosen: recipe.Optimizer, device: torch.device) -> bool:
    """Return whether a single kernel of torch takes a step of an optimizer on a device."""
    choice = getattr(chosen, "fused", NEVER)
    return bool(choice == ALWAYS or (choice != NEVER and device.type in _FUSED_ON))


def _sgd(groups: Groups, chosen: SGD, fused: bool | None) -> Optimizer:
    """Return SGD, which adds decay * weight to the gradient."""
    return uncompiled(torch.optim.SGD)(
        groups, lr=chosen.lr, momentum=chosen.momentum, nesterov=chosen.nesterov, fused=fused
    )


def _adam(groups: Groups, chosen: Adam, fused: bool | None) -> Optimizer:
    """Return Adam, which adds decay * weight to the gradient."""
    betas = (chosen.beta1, chosen.beta2)
    return uncompiled(torch.optim.Adam)(groups, lr=chosen.lr, betas=betas, eps=chosen.eps, fused=fused)


def _adamw(groups: Groups, chosen: AdamW, fused: bool | None) -> Optimizer:
    """Return AdamW, which subtracts lr * decay * weight from the weight."""
    betas = (chosen.beta1, chosen.beta2)
    return uncompiled(torch.optim.AdamW)(groups, lr=chosen.lr, betas=betas, eps=chosen.eps, fused=fused)


def _rmsprop(groups: Groups, chosen: RMSprop, fused: bool | None) -> Optimizer:
    """Return RMSprop, which adds decay * weight to the gradient; torch has no fused one."""
    del fused
    return uncompiled(torch.optim.RMSprop)(
        groups,
        lr=chosen.lr,
        alpha=chosen.alpha,
        eps=chosen.eps,
        momentum=chosen.momentum,
        centered=chosen.centered,
    )


def _adagrad(groups: Groups, chosen: Adagrad, fused: bool | None) -> Optimizer:
    """Return Adagrad, which adds decay * weight to the gradient."""
    return uncompiled(torch.optim.Adagrad)(groups, lr=chosen.lr, eps=chosen.eps, fused=fused)


def _muon(groups: Groups, chosen: Muon, fused: bool | None) -> Optimizer:
    """Return Muon for the tensors that it is for, and AdamW for all others."""
    own = [group for group in groups if group[CHOSEN] is chosen]
    rest = [group for group in groups if group[CHOSEN] is not chosen]
    others = _adamw(rest, chosen.adamw, fused) if rest else None
    if not own and others is not None:  # a module without a graph, and without matrices
        return others
    return uncompiled(HiddenMuon)(
        own, others, lr=chosen.lr, momentum=chosen.momentum, nesterov=chosen.nesterov
    )


def _lamb(groups: Groups, chosen: LAMB, fused: bool | None) -> Optimizer:
    """Return LAMB, of which there is one implementation."""
    del fused
    return uncompiled(Lamb)(groups, lr=chosen.lr, betas=(chosen.beta1, chosen.beta2), eps=chosen.eps)


BUILDERS: Final[Mapping[type[recipe.Optimizer], Callable[[Groups, Any, bool | None], Optimizer]]] = {
    SGD: _sgd,
    Adam: _adam,
    AdamW: _adamw,
    RMSprop: _rmsprop,
    Adagrad: _adagrad,
    LAMB: _lamb,
    Muon: _muon,
}
"""With ``fused`` None, torch decides: it takes all tensors at once on CUDA, and one by one on a CPU."""


def build_optimizer(network: nn.Module, learning: Learning) -> Optimizer:
    """Return the optimizer of the trainable parameters, which are on their device.

    Raises:
        UsageError: the network has no trainable parameters.
    """
    chosen = learning.optimizer
    ways: dict[Way, list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad and learning.is_learned(name):
            ways.setdefault(learning.way(name, parameter.ndim), []).append(parameter)
    if not ways:
        raise usage_error("the network has no parameters, so there is nothing to train")
    groups: Groups = [
        {
            "params": members,
            "lr": way.lr,
            "weight_decay": way.decay,
            CHOSEN: way.optimizer,
            RELATIVE: way.lr / chosen.lr,
            FIRST: way.first,
        }
        for way, members in ways.items()
    ]
    device = next(iter(ways.values()))[0].device
    return BUILDERS[type(chosen)](groups, chosen, is_fused(chosen.others, device) or None)


def freeze(network: nn.Module, learning: Learning) -> None:
    """Let the parameters of frozen layers have no gradient, and those that were frozen until now have one."""
    for each in learning.later:
        for name in each.nodes:
            network.get_submodule(name).requires_grad_(True)
    for name in learning.frozen:
        network.get_submodule(name).requires_grad_(False)


def prepare_training(network: nn.Module, learning: Learning) -> None:
    """Put a network into training mode, but layers whose running statistics do not change."""
    network.train()
    for name in learning.still:
        network.get_submodule(name).eval()


def start_momentum(optimizer: Optimizer) -> None:
    """Let the momentum of SGD begin with zeros, before the first step, which they do not change.

    torch's kernel for a whole step allocates the momentum in its first step. If a gradient is not finite,
    as with 16 bits it often is then, the kernel leaves that memory as it is, and the next step adds to it.
    """
    for group in optimizer.param_groups:
        if isinstance(group[CHOSEN], SGD) and group["momentum"]:
            for parameter in group["params"]:
                optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of the next step; tensors with a peak of their own get the same share of it."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group[RELATIVE]


def set_momentum(optimizer: Optimizer, moved: Callable[[float], float | None]) -> None:
    """Set the momentum of the next step, or the beta1 of optimizers that have one; others have neither.

    ``moved`` returns it for tensors that otherwise have a given one; None if that does not change.
    """
    for group in optimizer.param_groups:
        momentum = moved(group[CHOSEN].inertia)
        if momentum is None:
            continue
        if "betas" in group:
            group["betas"] = (momentum, *group["betas"][1:])
        else:
            group["momentum"] = momentum
