"""The folder of a layer-wise pretraining: created once, never overwritten, readable after a crash.

It contains ``pretraining.json``, ``state.safetensors``, ``metrics.jsonl`` and, once it is finished,
``weights.safetensors`` and perhaps ``filters.png``. The state determines how far it is: it is written before
the metrics, which continuing rewrites.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from torch import Tensor

from cnncli.diagnostics import UsageError, usage_error
from cnncli.limits import MAX_RECORD_BYTES
from cnncli.results.pretraining import LayerEpoch
from cnncli.training.runs.files import (
    check_regular,
    read_bytes,
    temporary_of,
    write_json,
    write_tensors,
    write_text,
)
from cnncli.training.runs.place import claimed, locked
from cnncli.training.runs.values import (
    LARGEST_FIGURE,
    DamagedError,
    members,
    number,
    parse_json,
    several,
    text,
    whole,
)
from cnncli.training.runs.weights import RUN, check_run, on_cpu, read_tensors

RECORD: Final = "pretraining.json"
STATE: Final = "state.safetensors"
METRICS: Final = "metrics.jsonl"
WEIGHTS: Final = "weights.safetensors"
FILTERS: Final = "filters.png"

SCHEMA: Final = "cnncli.pretraining/1"


@dataclass(frozen=True, eq=False, slots=True)
class State:
    """What continuing needs: the epochs so far, and the tensors of machines and of the last step."""

    history: tuple[LayerEpoch, ...]
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder, and the id of the pretraining in it: a digest of all that its result follows from."""

    path: Path
    id: str

    def read(self) -> State | None:
        """Return the last state; None if no epoch is finished.

        Raises:
            UsageError: it is damaged, or one of another pretraining.
        """
        path = self.path / STATE
        if not path.exists():
            return None
        tensors, metadata = read_tensors(path)
        check_run(path, metadata, self.id)
        try:
            members(metadata, "the state", (RUN, "history"))
            return State(several(metadata["history"], "history", _epoch), tensors)
        except DamagedError as error:
            raise usage_error(f"{path} is damaged: {error}", expected=f"a complete {SCHEMA}") from error

    def save(self, state: State) -> None:
        """Make this the state that continuing begins with, then write the metrics that follow from it."""
        history = [each._asdict() for each in state.history]
        write_tensors(self.path / STATE, on_cpu(state.tensors), {RUN: self.id, "history": history})
        self.save_metrics(state)

    def save_metrics(self, state: State) -> None:
        """Write a line for each epoch, whatever a crash left there."""
        lines = (json.dumps(each._asdict(), allow_nan=False) for each in state.history)
        write_text(self.path / METRICS, "".join(f"{line}\n" for line in lines))

    def save_weights(self, tensors: Mapping[str, Tensor]) -> Path:
        """Write the weights of the layers, by their names in the network."""
        path = self.path / WEIGHTS
        write_tensors(path, on_cpu(tensors), {RUN: self.id})
        return path


@contextmanager
def opened(folder: Path | None, name: str, about: Mapping[str, Any]) -> Iterator[Folder]:
    """Create a folder, or open the one of the same pretraining, and keep other processes out meanwhile.

    Args:
        folder: its path; None for ``runs/NAME-N`` with the first free number.
        name: that of the network.
        about: all that the result follows from, of JSON's types.

    Raises:
        CnncliError: it is not empty and not the folder of this pretraining, or cannot be written.
    """
    own = hashlib.sha256(json.dumps(about, sort_keys=True, allow_nan=False).encode()).hexdigest()
    if folder is not None and is_pretraining(folder):
        with locked(folder):
            _check_same(folder, about)
            yield Folder(folder, own)
        return
    with claimed(folder, f"{name}-pretrained") as made:
        write_json(made / RECORD, {"schema": SCHEMA, **about})
        yield Folder(made, own)


def is_pretraining(folder: Path) -> bool:
    """Return whether a folder is that of a pretraining."""
    return os.path.lexists(folder / RECORD)


def finished_weights(folder: Path) -> Path:
    """Return the file of the weights of a finished pretraining.

    Raises:
        UsageError: it is not finished.
    """
    path = folder / WEIGHTS
    check_regular(path)
    if not path.exists():
        raise usage_error(
            f"the pretraining in {folder} is not finished",
            expected=f"its weights, {WEIGHTS}",
            hint="repeat the command that began it, which continues it",
        )
    return path


def _check_same(folder: Path, about: Mapping[str, Any]) -> None:
    """Check that the pretraining in a folder has the same network, settings and data.

    Raises:
        UsageError: it has not, or is damaged.
    """
    for name in (RECORD, STATE, METRICS, WEIGHTS, FILTERS):
        check_regular(folder / name)
        check_regular(temporary_of(folder / name))
    path = folder / RECORD
    try:
        read = parse_json(read_bytes(path, MAX_RECORD_BYTES).decode())
        found = members(read, "the record", ("schema", *about))
    except (DamagedError, ValueError, RecursionError) as error:
        raise usage_error(f"{path} is damaged: {error}", expected=f"a complete {SCHEMA}") from error
    for name, value in about.items():
        if found[name] != value:
            raise _another(folder, name, found[name], value)


def _another(folder: Path, name: str, before: Any, now: Any) -> UsageError:
    if isinstance(before, dict) and isinstance(now, dict):
        key = next(each for each in {**before, **now} if before.get(each) != now.get(each))
        name, before, now = f"{name}.{key}", before.get(key), now.get(key)
    return usage_error(
        f"{folder} is the folder of another pretraining",
        expected=f"{name}: {_shown(before)}",
        received=f"{name}: {_shown(now)}",
        hint="choose another folder",
    )


def _shown(value: Any) -> str:
    return "unset" if value is None else str(value)


def _epoch(value: Any, name: str) -> LayerEpoch:
    found = members(value, name, LayerEpoch._fields)
    return LayerEpoch(
        text(found["layer"], f"{name}.layer"),
        whole(found["epoch"], f"{name}.epoch", 1),
        number(found["error"], f"{name}.error", 0.0, LARGEST_FIGURE),
        number(found["seconds"], f"{name}.seconds", 0.0, LARGEST_FIGURE),
    )
