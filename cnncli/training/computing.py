"""How a network is computed: the precision, the order of numbers in memory, compilation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from cnncli.network.capsules import Routing
from cnncli.network.compiled import compile_network
from cnncli.recipe.computing import BF16, BLOCKS, CHANNELS_LAST, CONTIGUOUS, FLOAT32, FP16, UNCOMPILED, WHOLE
from cnncli.recipe.devices import AUTO
from cnncli.recipe.recipe import Recipe

Forward: TypeAlias = "Callable[[Tensor], Tensor | dict[str, Tensor]]"
"""From inputs, float32 [n, *shape], to outputs, float32."""

_DTYPES: Final[Mapping[str, torch.dtype]] = {BF16: torch.bfloat16, FP16: torch.float16}
_MAP_AXES: Final = 4
"""The axes of a batch of maps with two spatial axes, which can be stored with the channels last."""


class Computing(NamedTuple):
    """How a network is computed on a device: every choice is made.

    ``precision`` is one of :data:`~cnncli.recipe.computing.PRECISIONS` without ``auto``; with another one
    than float32, weights, their gradients and the loss are float32 nevertheless (P. Micikevicius et al.,
    "Mixed Precision Training", 2018).
    """

    device: torch.device
    precision: str = FLOAT32
    memory_format: str = CONTIGUOUS
    compiled: str = UNCOMPILED
    autotune: bool = True

    @property
    def scales(self) -> bool:
        """Whether losses are scaled, so that small gradients are not 0 in 16 bits with a narrow range."""
        return self.precision == FP16

    def __str__(self) -> str:
        """Return the choices, as ``precision bf16, channels_last, compiled in blocks``."""
        others = {
            self.memory_format: self.memory_format != CONTIGUOUS,
            "compiled": self.compiled == WHOLE,
            "compiled in blocks": self.compiled == BLOCKS,
            "autotuned": self.autotune and self.device.type == "cuda",
        }
        return ", ".join((f"precision {self.precision}", *(name for name, is_so in others.items() if is_so)))

    def place(self, network: nn.Module) -> None:
        """Move a network to the device, with its weights in the order in which they are used."""
        network.to(self.device)
        if self.memory_format == CHANNELS_LAST:
            # The overload of a keyword is missing in torch's annotation of one that is alone.
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        torch.backends.cudnn.benchmark = self.autotune

    def forward(self, network: nn.Module) -> Forward:
        """Return the forward pass of a network that was placed."""
        call: Forward = compile_network(network) if self.compiled != UNCOMPILED else network
        if self.precision == FLOAT32 and self.memory_format == CONTIGUOUS:
            return call
        return _Pass(self, call)


@dataclass(frozen=True, eq=False, slots=True)
class _Pass:
    """The forward pass of a network in 16 bits, or with the channels last."""

    computing: Computing
    call: Forward

    def __call__(self, inputs: Tensor) -> Tensor | dict[str, Tensor]:
        chosen = self.computing
        if chosen.memory_format == CHANNELS_LAST and inputs.ndim == _MAP_AXES:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        dtype = _DTYPES.get(chosen.precision)
        with torch.autocast(chosen.device.type, dtype, enabled=dtype is not None):
            outputs = self.call(inputs)
        if isinstance(outputs, Tensor):
            return outputs.float()
        return {name: each.float() for name, each in outputs.items()}


def choose_computing(settings: Recipe, device: torch.device, network: nn.Module) -> Computing:
    """Return how a network is computed on a device by a recipe."""
    precision = precision_of(settings, device)
    memory_format = settings.memory_format
    if memory_format == AUTO:
        memory_format = _memory_format(network, device, precision)
    return Computing(device, precision, memory_format, settings.compile, settings.autotune)


def precision_of(settings: Recipe, device: torch.device) -> str:
    """Return the precision that a recipe computes in on a device."""
    if settings.precision != AUTO:
        return settings.precision
    return BF16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else FLOAT32


def _memory_format(network: nn.Module, device: torch.device, precision: str) -> str:
    """Return the order in which the network is computed faster (docs/benchmarks.md).

    With the channels last, a CPU computes convolutions faster, and so do tensor cores in 16 bits. Capsules
    are slower: each would be gathered from many places.
    """
    if device.type != "cpu" and (device.type != "cuda" or precision == FLOAT32):
        return CONTIGUOUS
    modules = [*network.modules()]
    convolves = any(isinstance(each, nn.Conv2d) for each in modules)
    has_capsules = any(isinstance(each, Routing) for each in modules)
    return CHANNELS_LAST if convolves and not has_capsules else CONTIGUOUS
