"""What torch knows of each kind of device, and choosing one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor

from cnncli.diagnostics import counted, listing, usage_error
from cnncli.recipe.devices import AUTO, DEVICES, parse_device
from cnncli.training.world import ALONE, World

_SHARED: Final = (AUTO, "cuda", "cpu")
"""The devices that several processes can train on."""


def _nothing(_: torch.device) -> None:
    pass


class Backend(NamedTuple):
    """A kind of device.

    ``available()`` is how many of them torch can use; ``wait`` returns when a device has finished its work;
    ``free_memory`` is the number of bytes that data may still take, or None for a device that shares the main
    memory. ``random_state`` and ``set_random_state`` are None for a device that uses the CPU's generator.
    ``peak`` is the number of bytes that torch has allocated at most since ``reset_peak``; both are None for a
    device on which torch does not count them.
    """

    available: Callable[[], int]
    wait: Callable[[torch.device], None] = _nothing
    free_memory: Callable[[torch.device], int | None] = lambda _: None
    random_state: Callable[[torch.device], Tensor] | None = None
    set_random_state: Callable[[Tensor, torch.device], None] | None = None
    reset_peak: Callable[[torch.device], None] | None = None
    peak: Callable[[torch.device], int] | None = None


BACKENDS: Final[Mapping[str, Backend]] = {
    "cuda": Backend(
        available=lambda: torch.cuda.device_count() if torch.cuda.is_available() else 0,
        wait=torch.cuda.synchronize,
        free_memory=lambda device: torch.cuda.mem_get_info(device)[0],
        random_state=torch.cuda.get_rng_state,
        set_random_state=torch.cuda.set_rng_state,
        reset_peak=torch.cuda.reset_peak_memory_stats,
        peak=torch.cuda.max_memory_allocated,
    ),
    "mps": Backend(
        available=lambda: int(torch.backends.mps.is_available()),
        wait=lambda _: torch.mps.synchronize(),
        random_state=lambda _: torch.mps.get_rng_state(),
        set_random_state=lambda state, _: torch.mps.set_rng_state(state),
    ),
    "cpu": Backend(available=lambda: 1),
}


def choose_device(word: str, world: World = ALONE) -> torch.device:
    """Return the device that ``word`` names; "auto" takes CUDA, else Apple's MPS, else the CPU.

    Of several processes, each on a machine takes a GPU of its own.

    Raises:
        UsageError: there is no such kind of device, or torch cannot use it here.
    """
    if world.size > 1:
        return _own_device(word, world)
    if word == AUTO:
        return torch.device(_best())
    kind, number = parse_device(word)
    count = BACKENDS[kind].available()
    if number >= count:
        raise usage_error(
            f"this machine has no {word} that torch {torch.__version__} can use",
            expected=f"{kind}:0 to {kind}:{count - 1}" if count > 1 else _best(),
            received=word,
            hint=f"{AUTO} takes the best one available",
        )
    return torch.device(word)


def _own_device(word: str, world: World) -> torch.device:
    """Return the device of one of several processes."""
    if word not in _SHARED:
        raise usage_error(
            f"{world.size} processes cannot train on the device {word}",
            expected=listing(_SHARED, last=" or "),
            received=word,
            hint="each process on a machine takes a GPU of its own" if word.startswith("cuda") else "",
        )
    count = BACKENDS["cuda"].available()
    if word == "cpu" or (word == AUTO and not count):
        return torch.device("cpu")
    if world.local >= count:
        raise usage_error(
            f"process {world.local} of this machine has no GPU of its own",
            expected=f"at most {counted(count, 'process')} on this machine, or the device cpu",
            received=f"process {world.local}, counted from 0",
        )
    device = torch.device("cuda", world.local)
    torch.cuda.set_device(device)
    return device


def _best() -> str:
    return next(kind for kind in DEVICES if BACKENDS[kind].available() > 0)
