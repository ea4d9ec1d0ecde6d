"""Limiting the gradient of a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

from cnncli.recipe.clipping import Clip, ClipNorm, ClipValue

_CLIPPERS: Final[Mapping[type[Clip], Callable[[Iterable[nn.Parameter], float], Any]]] = {
    ClipNorm: clip_grad_norm_,
    ClipValue: clip_grad_value_,
}


def clip_gradient(network: nn.Module, chosen: Clip) -> None:
    """Limit the gradients of a network, without waiting for the device."""
    _CLIPPERS[type(chosen)](network.parameters(), chosen.most)
