"""Building optimizers, and choosing torch's implementation of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer

from cnncli.diagnostics import usage_error
from cnncli.recipe import optimizers as recipe
from cnncli.recipe.optimizers import ALWAYS, LAMB, NEVER, SGD, Adagrad, Adam, AdamW, RMSprop, is_decayed
from cnncli.training.optimization.lamb import Lamb
from cnncli.training.optimization.uncompiled import uncompiled

Groups: TypeAlias = list[dict[str, Any]]
"""Parameter groups as torch's optimizers take them."""

CHOSEN: Final = "chosen"
"""The key of a group under which the record of its optimizer is."""

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
}
"""With ``fused`` None, torch decides: it takes all tensors at once on CUDA, and one by one on a CPU."""


def build_optimizer(network: nn.Module, chosen: recipe.Optimizer) -> Optimizer:
    """Return the chosen optimizer, for the trainable parameters, which are on their device.

    Weight decay acts on the tensors of :func:`~cnncli.recipe.optimizers.is_decayed`.

    Raises:
        UsageError: the network has no trainable parameters, or torch has no fused implementation there.
    """
    trainable = [each for each in network.parameters() if each.requires_grad]
    if not trainable:
        raise usage_error("the network has no parameters, so there is nothing to train")
    decayed = [each for each in trainable if is_decayed(each.ndim)]
    others = [each for each in trainable if not is_decayed(each.ndim)]
    groups: Groups = [
        {"params": members, "weight_decay": decay, CHOSEN: chosen}
        for members, decay in ((decayed, chosen.weight_decay), (others, 0.0))
        if members
    ]
    return BUILDERS[type(chosen)](groups, chosen, is_fused(chosen, trainable[0].device) or None)


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
