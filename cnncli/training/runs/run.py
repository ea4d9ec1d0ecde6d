"""The folder of a run: made once, never overwritten, readable after a crash at any moment.

It holds ``run.json``, ``spec.yaml``, ``metrics.jsonl``, ``weights.safetensors`` and
``checkpoint.safetensors``. The checkpoint is the truth about how far the training has come: it is written
before the metrics and the weights that follow from it, and resuming writes those two anew.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from cnncli.diagnostics import CnncliError, usage_error
from cnncli.language.sections import Train
from cnncli.results.training import Epoch
from cnncli.training.data.dataset import Dataset
from cnncli.training.runs.checkpoint import Checkpoint, Position, read_checkpoint, write_checkpoint
from cnncli.training.runs.files import append_line, is_temporary, write_json, write_text
from cnncli.training.runs.record import RunRecord, Status, current_versions, new_record, read_record
from cnncli.training.runs.settings import differences, with_source
from cnncli.training.runs.weights import save_weights

if sys.platform != "win32":
    import fcntl

DEFAULT_PARENT = Path("runs")


@dataclass(slots=True)
class Run:
    """A run's folder and the record in it."""

    folder: Path
    record: RunRecord

    @property
    def weights(self) -> Path:
        """The network's state dict after the last epoch, or the last batch of an interrupted run."""
        return self.folder / "weights.safetensors"

    @property
    def checkpoint(self) -> Path:
        """All that resuming needs."""
        return self.folder / "checkpoint.safetensors"

    @property
    def metrics(self) -> Path:
        """One JSON line for each whole epoch: :class:`~cnncli.training.observer.Epoch`."""
        return self.folder / "metrics.jsonl"

    @property
    def spec(self) -> Path:
        """The resolved spec."""
        return self.folder / "spec.yaml"

    def set_status(self, status: Status) -> None:
        """Put ``status`` into ``run.json``."""
        self._record(replace(self.record, status=status))

    def read_checkpoint(self) -> Checkpoint | None:
        """The state to go on from; None where the run was stopped before the first was written."""
        return read_checkpoint(self.checkpoint) if self.checkpoint.exists() else None

    def save(self, checkpoint: Checkpoint) -> None:
        """Make ``checkpoint`` the state to go on from."""
        write_checkpoint(self.checkpoint, checkpoint)

    def save_weights(self, network: nn.Module, position: Position) -> None:
        """Write what :attr:`weights` is, and with it how far training has come."""
        save_weights(network, self.weights, epochs=position.epochs, batches=position.batches)

    def add_metrics(self, metrics: Epoch) -> None:
        """Add the line of one more epoch."""
        append_line(self.metrics, _line(metrics))

    def reset_metrics(self, history: tuple[Epoch, ...]) -> None:
        """Let the metrics say what the checkpoint says, whatever a crash left there."""
        write_text(self.metrics, "".join(f"{_line(metrics)}\n" for metrics in history))

    def begin(self, settings: Train, dataset: Dataset, device: torch.device) -> None:
        """Record that the run goes on now: on which device, for how many epochs, with the data from where."""
        self._record(
            replace(
                self.record,
                status="running",
                device=str(device),
                settings=with_source(settings, dataset.name),
                data=replace(self.record.data, source=dataset.name),
                versions=current_versions(),
            )
        )
        # spec.yaml follows run.json, so a crash between the two may have left it out.
        if not self.spec.exists():
            write_text(self.spec, self.record.spec)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from training in this folder at the same time.

        Raises:
            UsageError: where another process does.
        """
        if sys.platform == "win32":
            yield
            return
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(handle)
            raise usage_error(f"another process is training in {self.folder}") from error
        except OSError:
            pass  # a file system without locks: then there is nothing to wait for
        try:
            yield
        finally:
            os.close(handle)

    def _record(self, record: RunRecord) -> None:
        write_json(self.folder / "run.json", record.as_json())
        self.record = record


def create_run(
    folder: Path | None,
    *,
    name: str,
    spec: str,
    settings: Train,
    dataset: Dataset,
    device: torch.device,
) -> Run:
    """Make the folder of a new run.

    Args:
        folder: where; None for ``runs/NAME-N`` with the first number that is free.
        name: the network's.
        spec: the resolved spec's text.
        settings: how to train.
        dataset: on what.
        device: where.

    Raises:
        UsageError: for a folder that has something in it, or cannot be made.
    """
    record = new_record(name, spec, settings, dataset, device)
    try:
        made = _numbered(name) if folder is None else _empty(folder)
    except OSError as error:
        raise usage_error(
            f"cannot make the run's folder {error.filename or folder}: {error.strerror}"
        ) from error
    run = Run(made, record)
    write_json(made / "run.json", record.as_json())
    write_text(run.spec, spec)
    return run


def open_run(folder: Path) -> Run:
    """An existing run, to be resumed or evaluated.

    Raises:
        UsageError: where ``folder`` holds no run.
    """
    if not folder.is_dir():
        raise usage_error(f"there is no run in {folder}", expected="a folder that train made")
    if not (folder / "run.json").is_file():
        raise usage_error(
            f"there is no run in {folder}", expected="a folder that train made", received="no run.json"
        )
    return Run(folder, read_record(folder / "run.json"))


def check_resumable(run: Run, *, spec: str, settings: Train, dataset: Dataset) -> None:
    """Check that what a run would go on with is what it began with; only the epochs may differ.

    Raises:
        CnncliError: with one diagnostic for each of spec, settings and data that differs.
    """
    faults: list[CnncliError] = []
    if spec != run.record.spec:
        faults.append(
            usage_error(
                f"the spec is not the one that {run.folder} was begun with",
                hint=f"train {run.spec} on, or begin a new run",
            )
        )
    changed = differences(run.record.settings, settings)
    if changed:
        faults.append(
            usage_error(
                f"settings differ from those that {run.folder} was begun with: {', '.join(changed)}",
                expected="the same settings; only --epochs may change",
                hint="begin a new run for other settings",
            )
        )
    if dataset.fingerprint() != run.record.data.fingerprint:
        faults.append(
            usage_error(
                f"the data is not the data that {run.folder} was begun with",
                expected=f"what {run.record.data.source} held then",
                received=dataset.name,
                hint="begin a new run for other data",
            )
        )
    if faults:
        raise CnncliError(diagnostic for fault in faults for diagnostic in fault.diagnostics)


def _numbered(name: str) -> Path:
    # mkdir fails where the folder exists, so two runs that begin at once get two numbers.
    DEFAULT_PARENT.mkdir(exist_ok=True)
    for number in itertools.count(1):
        folder = DEFAULT_PARENT / f"{_file_name(name)}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("itertools.count ended")


def _empty(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    if any(not is_temporary(path) for path in folder.iterdir()):
        raise usage_error(
            f"{folder} is not empty",
            expected="a new or an empty folder for --run",
            hint=f"--resume {folder} goes on with a run; a run is never overwritten",
        )
    return folder


def _file_name(name: str) -> str:
    safe = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)
    return safe.strip(".") or "run"


def _line(metrics: Epoch) -> str:
    return json.dumps(asdict(metrics), allow_nan=False)
