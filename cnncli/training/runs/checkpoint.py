"""Everything needed to continue from exactly the batch where a training stopped."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from cnncli.diagnostics import usage_error
from cnncli.results.training import Epoch
from cnncli.training.device import BACKENDS
from cnncli.training.runs.files import write_tensors
from cnncli.training.runs.values import DamagedError, members, number, several, whole
from cnncli.training.runs.weights import read_tensors

_SCHEMA: Final = "cnncli.checkpoint/1"
_SHORTEST: Final = 1e-9
"""Seconds: what the clock resolves."""
_LONGEST: Final = 1e10
_SLOWEST: Final = 1e-9
_LARGEST_FIGURE: Final = 1e300


@dataclass(frozen=True, slots=True)
class Position:
    """How far training is: whole ``epochs``, and ``batches`` of the next, which took ``seconds``."""

    epochs: int = 0
    batches: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Checkpoint:
    """The state of a training between two batches; all tensors are on the CPU.

    ``objectives`` and ``losses`` (float32) and ``correct`` (int64) have one value for each finished batch of
    the current epoch; ``history`` has one entry for each whole epoch. ``start`` is the loss of the first
    batch of the training; None before it. ``random`` has the states of torch's generators: ``cpu``, and the
    device's if it has its own.
    """

    position: Position
    history: tuple[Epoch, ...]
    start: float | None
    network: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    random: dict[str, Tensor]
    objectives: Tensor
    losses: Tensor
    correct: Tensor


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, replacing ``path`` atomically."""
    tensors = {name: getattr(checkpoint, name) for name in ("objectives", "losses", "correct")}
    for group in ("network", "optimizer", "random"):
        tensors |= {f"{group}/{name}": value for name, value in getattr(checkpoint, group).items()}
    metadata = {
        "schema": _SCHEMA,
        "position": asdict(checkpoint.position),
        "start": checkpoint.start,
        "history": [asdict(metrics) for metrics in checkpoint.history],
    }
    write_tensors(path, tensors, metadata)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what :func:`write_checkpoint` wrote.

    Raises:
        UsageError: the file is missing, damaged, changed or not a checkpoint.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("schema") != _SCHEMA:
        received = str(metadata.get("schema", "no schema"))
        raise usage_error(f"{path} is not a checkpoint", expected=_SCHEMA, received=received)
    try:
        return _parse(tensors, metadata)
    except DamagedError as error:
        raise usage_error(f"{path} is damaged: {error}", expected=f"a complete {_SCHEMA}") from error


def _parse(tensors: dict[str, Tensor], metadata: dict[str, Any]) -> Checkpoint:
    members(metadata, "the checkpoint", ("schema", "position", "start", "history"))
    position = _position(metadata["position"])
    history = several(metadata["history"], "history", _epoch)
    if [each.epoch for each in history] != [*range(1, position.epochs + 1)]:
        raise DamagedError(f"it has figures of {len(history)} epochs after {position.epochs} epochs")
    groups: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}, "random": {}}
    for key, value in tensors.items():
        group, slash, name = key.partition("/")
        if slash:
            if group not in groups:
                raise DamagedError(f"it has an unknown tensor {key}")
            groups[group][name] = value
    if "cpu" not in groups["random"]:
        raise DamagedError("it has no random state")
    return Checkpoint(
        position=position,
        history=history,
        start=_start(metadata["start"], position),
        objectives=_figures(tensors, "objectives", position, torch.float32),
        losses=_figures(tensors, "losses", position, torch.float32),
        correct=_figures(tensors, "correct", position, torch.int64),
        **groups,
    )


def _position(value: Any) -> Position:
    found = members(value, "position", Position.__slots__)
    epochs, batches = whole(found["epochs"], "position.epochs"), whole(found["batches"], "position.batches")
    # An interrupt before the first batch of an epoch leaves the moment that it took.
    least = _SHORTEST if batches else 0.0
    return Position(epochs, batches, number(found["seconds"], "position.seconds", least, _LONGEST))


def _start(value: Any, position: Position) -> float | None:
    if (position.epochs, position.batches) == (0, 0):
        if value is not None:
            raise DamagedError("start is not null before the first batch")
        return None
    return number(value, "start", -_LARGEST_FIGURE, _LARGEST_FIGURE)


def _epoch(value: Any, name: str) -> Epoch:
    found = members(value, name, Epoch.__slots__)

    def share(key: str) -> float:
        return number(found[key], f"{name}.{key}", 0, 1)

    def figure(key: str, least: float = 0.0, most: float = _LARGEST_FIGURE) -> float:
        return number(found[key], f"{name}.{key}", least, most)

    return Epoch(
        epoch=whole(found["epoch"], f"{name}.epoch", 1),
        lr=figure("lr"),
        objective=figure("objective", -_LARGEST_FIGURE),
        train_loss=figure("train_loss", -_LARGEST_FIGURE),
        train_accuracy=share("train_accuracy"),
        test_loss=figure("test_loss", -_LARGEST_FIGURE),
        test_accuracy=share("test_accuracy"),
        seconds=figure("seconds", _SHORTEST, _LONGEST),
        images_per_second=figure("images_per_second", _SLOWEST),
    )


def _figures(tensors: dict[str, Tensor], name: str, position: Position, dtype: torch.dtype) -> Tensor:
    """Return the figures of the batches of an unfinished epoch, which are finite."""
    found = tensors.get(name)
    if found is None or found.dtype != dtype or found.shape != (position.batches,):
        raise DamagedError(f"{name} must have {position.batches} values of type {dtype}")
    if not bool(torch.isfinite(found).all()):
        raise DamagedError(f"{name} has values that are not finite")
    return found


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the random generators that layers such as dropout use."""
    states = {"cpu": torch.get_rng_state()}
    own = BACKENDS[device.type].random_state
    return states if own is None else states | {device.type: own(device)}


def restore_random(states: dict[str, Tensor], device: torch.device) -> None:
    """Set the generators to ``states``; the state of a device that the training has not used is not changed.

    Raises:
        UsageError: a state is damaged.
    """
    try:
        torch.set_rng_state(states["cpu"])
        restore = BACKENDS[device.type].set_random_state
        if restore is not None and device.type in states:
            restore(states[device.type], device)
    except (RuntimeError, TypeError) as error:
        raise usage_error(f"the random state in the checkpoint is damaged: {error}") from error
