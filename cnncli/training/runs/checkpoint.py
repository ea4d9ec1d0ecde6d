"""All that is needed to go on from an exact batch as though nothing had happened."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cnncli.diagnostics import usage_error
from cnncli.results.training import Epoch
from cnncli.training.runs.files import write_tensors
from cnncli.training.runs.weights import read_tensors

_SCHEMA = "cnncli.checkpoint/1"


@dataclass(frozen=True, slots=True)
class Position:
    """How far training has come: whole ``epochs``, ``batches`` of the next, ``seconds`` that those took."""

    epochs: int = 0
    batches: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Checkpoint:
    """The state of a training between two batches; all tensors are on the CPU.

    ``losses`` (float32) and ``correct`` (int64) hold one value for each batch done in the epoch under way;
    ``history`` has one entry for each whole epoch. ``random`` are the states of torch's generators:
    ``cpu``, and the device's where it has one of its own.
    """

    position: Position
    history: tuple[Epoch, ...]
    network: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    random: dict[str, Tensor]
    losses: Tensor
    correct: Tensor


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Replace ``path`` atomically."""
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
        UsageError: for a file that is missing, damaged or something else.
    """
    tensors, metadata = read_tensors(path)
    if metadata.get("schema") != _SCHEMA:
        raise usage_error(
            f"{path} is not a checkpoint",
            expected=_SCHEMA,
            received=str(metadata.get("schema", "no schema")),
        )
    try:
        return _parse(tensors, metadata)
    except (KeyError, TypeError, ValueError) as error:
        raise usage_error(f"{path} is damaged: {error}", expected=f"a whole {_SCHEMA}") from error


def _parse(tensors: dict[str, Tensor], metadata: dict[str, Any]) -> Checkpoint:
    groups: dict[str, dict[str, Tensor]] = {"network": {}, "optimizer": {}, "random": {}}
    for key, value in tensors.items():
        group, slash, name = key.partition("/")
        if slash:
            groups[group][name] = value
    checkpoint = Checkpoint(
        position=Position(**metadata["position"]),
        history=tuple(Epoch(**each) for each in metadata["history"]),
        losses=tensors["losses"],
        correct=tensors["correct"],
        **groups,
    )
    _check(checkpoint)
    return checkpoint


def _check(checkpoint: Checkpoint) -> None:
    """Raise a ValueError unless the parts of a checkpoint agree with each other."""
    position = checkpoint.position
    if type(position.epochs) is not int or type(position.batches) is not int or position.batches < 0:
        raise ValueError("its position is none")
    numbers = [position.seconds, *(value for each in checkpoint.history for value in asdict(each).values())]
    if not all(type(value) in (int, float) for value in numbers):
        raise ValueError("its figures are not numbers")
    if [each.epoch for each in checkpoint.history] != [*range(1, position.epochs + 1)]:
        raise ValueError(f"{len(checkpoint.history)} epochs of figures after {position.epochs} epochs")
    for name, figures in (("losses", checkpoint.losses), ("correct", checkpoint.correct)):
        if figures.shape != (position.batches,):
            raise ValueError(f"{name} are not those of {position.batches} batches")
    if "cpu" not in checkpoint.random:
        raise ValueError("it has no random state")


def random_states(device: torch.device) -> dict[str, Tensor]:
    """The states of the generators that dropout and its like draw from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    if device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def restore_random(states: dict[str, Tensor], device: torch.device) -> None:
    """Set the generators to ``states``; a device that the training had not run on before keeps its own.

    Raises:
        UsageError: for what is no state of a generator.
    """
    try:
        torch.set_rng_state(states["cpu"])
        if device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], device)
        if device.type == "mps" and "mps" in states:
            torch.mps.set_rng_state(states["mps"])
    except (RuntimeError, TypeError) as error:
        raise usage_error(f"the random state in the checkpoint is damaged: {error}") from error
