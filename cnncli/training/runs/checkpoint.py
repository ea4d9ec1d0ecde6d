"""Everything needed to continue from exactly the batch where a training stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from cnncli.diagnostics import usage_error
from cnncli.recipe.metrics import metric_of
from cnncli.results.training import Epoch
from cnncli.training.device import BACKENDS
from cnncli.training.runs.files import write_tensors
from cnncli.training.runs.history import LONGEST, SHORTEST, read_epoch
from cnncli.training.runs.values import LARGEST_FIGURE, DamagedError, members, number, several, whole
from cnncli.training.runs.weights import RUN, check_run, read_tensors
from cnncli.training.world import ALONE, World

_SCHEMA: Final = "cnncli.checkpoint/3"
_SECTIONS: Final = ("network", "average", "optimizer", "scaler", "random", "figures")


@dataclass(frozen=True, slots=True)
class Position:
    """How far training is: whole ``epochs``, and ``batches`` of the next, which took ``seconds``."""

    epochs: int = 0
    batches: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Checkpoint:
    """The state of a training between two batches; all tensors are on the CPU.

    ``history`` has one entry for each whole epoch. ``start`` is the objective of the first batch of the
    training; None before it. The tensors are in sections: ``average`` has the averaged weights, and
    ``scaler`` what scales the loss, both empty without; ``random`` has the states of torch's generators,
    ``cpu``, and the device's if it has its own, and those of other processes, ``1/cpu``; ``figures`` (float32
    [batches, 2]) has the sum and the number of samples of each figure in each finished batch of the current
    epoch.
    """

    position: Position
    history: tuple[Epoch, ...]
    start: float | None
    network: dict[str, Tensor]
    average: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    scaler: dict[str, Tensor]
    random: dict[str, Tensor]
    figures: dict[str, Tensor]


def write_checkpoint(path: Path, checkpoint: Checkpoint, run: str, previous: Path | None) -> None:
    """Write a checkpoint of the run with this id, replacing ``path``, whose content ``previous`` gets."""
    tensors = {
        f"{section}/{name}": value
        for section in _SECTIONS
        for name, value in getattr(checkpoint, section).items()
    }
    metadata = {
        "schema": _SCHEMA,
        RUN: run,
        "position": asdict(checkpoint.position),
        "start": checkpoint.start,
        "history": [asdict(metrics) for metrics in checkpoint.history],
    }
    write_tensors(path, tensors, metadata, previous)


def read_checkpoint(path: Path, run: str) -> Checkpoint:
    """Read what :func:`write_checkpoint` wrote.

    Raises:
        NotWholeError: the file is missing, damaged or changed.
        UsageError: it is not a checkpoint, or one of another run.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("schema") != _SCHEMA:
        received = str(metadata.get("schema", "no schema"))
        raise usage_error(f"{path} is not a checkpoint", expected=_SCHEMA, received=received)
    check_run(path, metadata, run)
    try:
        return _parse(tensors, metadata)
    except DamagedError as error:
        raise usage_error(f"{path} is damaged: {error}", expected=f"a complete {_SCHEMA}") from error


def _parse(tensors: dict[str, Tensor], metadata: dict[str, Any]) -> Checkpoint:
    members(metadata, "the checkpoint", ("schema", RUN, "position", "start", "history"))
    position = _position(metadata["position"])
    history = several(metadata["history"], "history", read_epoch)
    if [each.epoch for each in history] != [*range(1, position.epochs + 1)]:
        raise DamagedError(f"it has figures of {len(history)} epochs after {position.epochs} epochs")
    sections: dict[str, dict[str, Tensor]] = {section: {} for section in _SECTIONS}
    for key, value in tensors.items():
        section, _, name = key.partition("/")
        if section not in sections:
            raise DamagedError(f"it has an unknown tensor {key}")
        sections[section][name] = value
    if "cpu" not in sections["random"]:
        raise DamagedError("it has no random state")
    for name, rows in sections["figures"].items():
        _check_rows(name, rows, position)
    return Checkpoint(
        position=position,
        history=history,
        start=_start(metadata["start"], position),
        **sections,
    )


def _position(value: Any) -> Position:
    found = members(value, "position", Position.__slots__)
    epochs, batches = whole(found["epochs"], "position.epochs"), whole(found["batches"], "position.batches")
    # An interrupt before the first batch of an epoch leaves the moment that it took.
    least = SHORTEST if batches else 0.0
    return Position(epochs, batches, number(found["seconds"], "position.seconds", least, LONGEST))


def _start(value: Any, position: Position) -> float | None:
    if (position.epochs, position.batches) == (0, 0):
        if value is not None:
            raise DamagedError("start is not null before the first batch")
        return None
    return number(value, "start", -LARGEST_FIGURE, LARGEST_FIGURE)


def _check_rows(name: str, rows: Tensor, position: Position) -> None:
    """Check the figures of the batches of an unfinished epoch: sums in their range, and counts."""
    if rows.dtype != torch.float32 or rows.shape != (position.batches, 2):
        raise DamagedError(f"figures/{name} must have {position.batches} rows of 2 values of type float32")
    if not bool(torch.isfinite(rows).all()):
        raise DamagedError(f"figures/{name} has values that are not finite")
    totals, counts = rows[:, 0], rows[:, 1]
    if bool((counts < 0).any()):  # of mixed samples, shares are counted
        raise DamagedError(f"figures/{name} has counts below 0")
    metric = metric_of(name)
    if bool(((totals < metric.least * counts) | (totals > metric.most * counts)).any()):
        raise DamagedError(f"figures/{name} has sums that its metric cannot have")


def random_states(device: torch.device, world: World = ALONE) -> dict[str, Tensor]:
    """Return the states of the random generators that layers such as dropout use, of all processes."""
    states = {"cpu": torch.get_rng_state()}
    own = BACKENDS[device.type].random_state
    if own is not None:
        states[device.type] = own(device)
    found = {}
    for name, each in states.items():
        for rank, state in enumerate(world.gathered(each.unsqueeze(0))):
            found[_generator(name, rank)] = state
    return found


def _generator(name: str, rank: int) -> str:
    return f"{rank}/{name}" if rank else name


def restore_random(every: dict[str, Tensor], device: torch.device, world: World = ALONE) -> bool:
    """Set the generators to the states of this process; return whether there are some.

    The state of a device that the training has not used is not changed.

    Raises:
        UsageError: a state is damaged.
    """
    names = {_generator(name, world.rank): name for name in ("cpu", device.type)}
    states = {name: every[own] for own, name in names.items() if own in every}
    if not states:
        return False
    try:
        torch.set_rng_state(states["cpu"])
        restore = BACKENDS[device.type].set_random_state
        if restore is not None and device.type in states:
            restore(states[device.type], device)
    except (KeyError, RuntimeError, TypeError) as error:
        raise usage_error(f"the random state in the checkpoint is damaged: {error}") from error
    return True
