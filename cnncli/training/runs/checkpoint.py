"""Everything needed to continue from exactly the batch where a training stopped."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnncli.diagnostics import usage_error
from cnncli.results.training import Epoch
from cnncli.training.device import BACKENDS
from cnncli.training.runs.files import write_tensors
from cnncli.training.runs.weights import read_metadata, read_tensors

_SCHEMA = "cnncli.checkpoint/1"


@dataclass(frozen=True, slots=True)
class Position:
    """How far training is: whole ``epochs``, and ``batches`` of the next, which took ``seconds``."""

    epochs: int = 0
    batches: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Checkpoint:
    """The state of a training between two batches; all tensors are on the CPU.

    ``losses`` (float32) and ``correct`` (int64) have one value for each finished batch of the current epoch;
    ``history`` has one entry for each whole epoch. ``random`` has the states of torch's generators:
    ``cpu``, and the device's if it has its own.
    """

    position: Position
    history: tuple[Epoch, ...]
    network: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    random: dict[str, Tensor]
    losses: Tensor
    correct: Tensor


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, replacing ``path`` atomically."""
    tensors = {"losses": checkpoint.losses, "correct": checkpoint.correct}
    for group in ("network", "optimizer", "random"):
        tensors |= {f"{group}/{name}": value for name, value in getattr(checkpoint, group).items()}
    metadata = {
        "schema": _SCHEMA,
        "position": asdict(checkpoint.position),
        "history": [asdict(metrics) for metrics in checkpoint.history],
    }
    write_tensors(path, tensors, metadata)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what :func:`write_checkpoint` wrote.

    Raises:
        UsageError: the file is missing, damaged or not a checkpoint.
    """
    tensors, metadata = read_tensors(path)
    with _checked(path, metadata):
        return _parse(tensors, metadata)


def read_position(path: Path) -> Position:
    """Return the position in a checkpoint, without reading its tensors.

    Raises:
        UsageError: the file is missing, damaged or not a checkpoint.
    """
    metadata = read_metadata(path)
    with _checked(path, metadata):
        return _position(metadata)


@contextmanager
def _checked(path: Path, metadata: dict[str, Any]) -> Iterator[None]:
    """Check the schema; errors inside the context mean that the file is damaged."""
    if metadata.get("schema") != _SCHEMA:
        received = str(metadata.get("schema", "no schema"))
        raise usage_error(f"{path} is not a checkpoint", expected=_SCHEMA, received=received)
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise usage_error(f"{path} is damaged: {error}", expected=f"a complete {_SCHEMA}") from error


def _parse(tensors: dict[str, Tensor], metadata: dict[str, Any]) -> Checkpoint:
    groups: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}, "random": {}}
    for key, value in tensors.items():
        group, slash, name = key.partition("/")
        if slash:
            groups[group][name] = value
    checkpoint = Checkpoint(
        position=_position(metadata),
        history=tuple(Epoch(**each) for each in metadata["history"]),
        losses=tensors["losses"],
        correct=tensors["correct"],
        **groups,
    )
    _check(checkpoint)
    return checkpoint


def _position(metadata: dict[str, Any]) -> Position:
    position = Position(**metadata["position"])
    counts = (position.epochs, position.batches)
    if not all(type(each) is int and each >= 0 for each in counts):
        raise ValueError("its position is not valid")
    return position


def _check(checkpoint: Checkpoint) -> None:
    """Raise a ValueError unless the parts of a checkpoint agree with each other."""
    position = checkpoint.position
    numbers = [position.seconds, *(value for each in checkpoint.history for value in asdict(each).values())]
    if not all(type(value) in (int, float) for value in numbers):
        raise ValueError("its figures are not numbers")
    if [each.epoch for each in checkpoint.history] != [*range(1, position.epochs + 1)]:
        raise ValueError(f"it has figures of {len(checkpoint.history)} epochs after {position.epochs} epochs")
    for name, figures in (("losses", checkpoint.losses), ("correct", checkpoint.correct)):
        if figures.shape != (position.batches,):
            raise ValueError(f"{name} must have {position.batches} values")
    if "cpu" not in checkpoint.random:
        raise ValueError("it has no random state")


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
