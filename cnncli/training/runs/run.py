"""The folder of a run: created once, never overwritten, readable after a crash at any moment.

It contains ``run.json``, ``spec.yaml``, ``metrics.jsonl``, ``weights.safetensors``,
``checkpoint.safetensors`` and, with a validation part, ``best.safetensors``. The checkpoint determines how
far the training is: it is written before the metrics and the weights that follow from it, and resuming
rewrites those. ``previous.safetensors`` is the checkpoint before, in case the last one is damaged.
Every file that is read back has a digest inside. ``metrics.csv``, ``curves.svg`` and TensorBoard's events
follow from the metrics too, and nothing reads them back (:mod:`cnncli.training.runs.followers`). The folder
itself may be a link, since its name was typed; its files may not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from cnncli.diagnostics import UsageError, counted, listing, usage_error
from cnncli.limits import MAX_RECORD_BYTES
from cnncli.recipe.metrics import BEST, LAST
from cnncli.recipe.recipe import Recipe
from cnncli.results.runs import Revision
from cnncli.results.training import Epoch, Outcome
from cnncli.results.transfer import Origin
from cnncli.training.data.dataset import Dataset
from cnncli.training.runs.checkpoint import Checkpoint, Position, read_checkpoint, write_checkpoint
from cnncli.training.runs.environment import current_environment
from cnncli.training.runs.files import (
    append_line,
    check_regular,
    read_bytes,
    temporary_of,
    write_json,
    write_text,
)
from cnncli.training.runs.history import epoch_line
from cnncli.training.runs.names import (
    BEST_WEIGHTS,
    CHECKPOINT,
    CONFUSION,
    CURVES,
    EVENTS,
    FILES,
    METRICS,
    PREVIOUS,
    RECORD,
    SPEC,
    TABLE,
    WEIGHTS,
    WORST,
)
from cnncli.training.runs.place import claimed, locked
from cnncli.training.runs.record import RunRecord, Status, new_record, read_record
from cnncli.training.runs.weights import (
    RUN,
    NotWholeError,
    check_run,
    load_weights,
    read_tensors,
    save_weights,
)


@dataclass(slots=True)
class Run:
    """A run: its folder and its record; ``damage`` is what is wrong with its last checkpoint."""

    folder: Path
    record: RunRecord
    damage: str = ""

    @property
    def weights(self) -> Path:
        """The network's state dict after the last epoch, or the last batch of an interrupted run."""
        return self.folder / WEIGHTS

    @property
    def best(self) -> Path:
        """The network's state dict after the epoch that the validation part chose."""
        return self.folder / BEST_WEIGHTS

    @property
    def checkpoint(self) -> Path:
        """Everything that resuming needs."""
        return self.folder / CHECKPOINT

    @property
    def previous(self) -> Path:
        """The checkpoint before."""
        return self.folder / PREVIOUS

    @property
    def metrics(self) -> Path:
        """One JSON line for each whole epoch: :class:`~cnncli.results.training.Epoch`."""
        return self.folder / METRICS

    @property
    def table(self) -> Path:
        """The same figures as a table."""
        return self.folder / TABLE

    @property
    def curves(self) -> Path:
        """The same figures as a picture."""
        return self.folder / CURVES

    @property
    def events(self) -> Path:
        """The same figures for TensorBoard, if they are asked for."""
        return self.folder / EVENTS

    @property
    def confusion(self) -> Path:
        """Which classes are taken for which, as a picture, of a finished run."""
        return self.folder / CONFUSION

    @property
    def worst(self) -> Path:
        """The held-out samples that are predicted worst, as a picture, of a finished run."""
        return self.folder / WORST

    @property
    def spec(self) -> Path:
        """The resolved spec."""
        return self.folder / SPEC

    def set_status(self, status: Status) -> None:
        """Write ``status`` to ``run.json``."""
        self._record(replace(self.record, status=status))

    def finish(self, outcome: Outcome) -> None:
        """Write to ``run.json`` that the training is finished, and how."""
        self._record(replace(self.record, status="finished", outcome=outcome))

    def ended(self, settings: Recipe) -> Outcome | None:
        """Return how the run finished; None if a training with these settings has something left to do.

        A finished run without one of its files has: they are written again.
        """
        record, outcome = self.record, self.record.outcome
        if record.status != "finished" or outcome is None or record.settings.epochs != settings.epochs:
            return None
        chosen = self.best if outcome.chosen_by else self.weights
        files = (self.checkpoint, self.spec, self.metrics, self.weights, chosen)
        return outcome if all(each.exists() for each in files) else None

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a file that resuming continues from."""
        return self.checkpoint.exists() or self.previous.exists()

    def read_checkpoint(self) -> Checkpoint | None:
        """Return the last checkpoint that is whole; None if the run was stopped before it wrote one.

        Raises:
            UsageError: there is none any more, or it is one of another run.
        """
        if self.has_checkpoint:
            return self._whole_checkpoint()
        # A checkpoint is written before everything that follows from it.
        followed = [path.name for path in (self.metrics, self.weights, self.best) if _has_content(path)]
        if followed or self.record.status in ("finished", "diverged"):
            received = listing(followed) or f"the status '{self.record.status}'"
            raise usage_error(
                f"{self.checkpoint} is missing, so the run cannot be resumed",
                expected="the checkpoint that the rest of the folder follows from",
                received=f"{received} without it",
                hint="start a new run; the weights of this one can still be evaluated"
                if self.weights.exists()
                else "start a new run",
            )
        return None

    def _whole_checkpoint(self) -> Checkpoint:
        self.damage = ""
        try:
            return read_checkpoint(self.checkpoint, self.record.id)
        except NotWholeError as error:
            (fault,) = error.diagnostics
        try:
            found = read_checkpoint(self.previous, self.record.id)
        except UsageError:
            hint = "put a copy back, or start a new run; the weights of this one can still be evaluated"
            raise UsageError(fault._replace(hint=hint)) from None
        self.damage = fault.message
        return found

    @property
    def position(self) -> Position:
        """How far the last checkpoint is.

        Raises:
            UsageError: it is damaged, or was deleted.
        """
        checkpoint = self.read_checkpoint()
        return Position() if checkpoint is None else checkpoint.position

    def save(self, checkpoint: Checkpoint) -> None:
        """Make ``checkpoint`` the state that resuming continues from."""
        # The one before a damaged one is the last that is whole.
        write_checkpoint(self.checkpoint, checkpoint, self.record.id, None if self.damage else self.previous)
        self.damage = ""

    def save_weights(self, network: nn.Module, position: Position) -> None:
        """Write the last weights, with the position of the training in the file's metadata."""
        self._save_weights(network, self.weights, position)

    def save_best(self, network: nn.Module, position: Position) -> None:
        """Write the weights of the best epoch, with its position in the file's metadata."""
        self._save_weights(network, self.best, position)

    def _save_weights(self, network: nn.Module, path: Path, position: Position) -> None:
        save_weights(network, path, run=self.record.id, epochs=position.epochs, batches=position.batches)

    def load(self, network: nn.Module, path: Path) -> None:
        """Load weights of the run into a network.

        Raises:
            UsageError: the file is missing or damaged, or one of another run or network.
        """
        try:
            load_weights(network, path, self.record.id)
        except NotWholeError as error:
            again = "remove it, and repeat the command that trained the run: it writes it again"
            hint = again if path == self.weights else f"the weights '{LAST}' are those of the last epoch"
            raise UsageError(each._replace(hint=hint) for each in error.diagnostics) from error

    def kept(self, which: str | None) -> Path:
        """Return the file of the weights of :data:`~cnncli.recipe.metrics.KEPT`; for None the result's.

        The result of a run is measured with its best weights, or with the last ones if nothing chose.

        Raises:
            UsageError: there are none yet, or no best ones.
        """
        outcome = self.record.outcome
        chosen = self.best.exists() or (outcome is not None and outcome.chosen_by)
        path = self.best if which == BEST or (which is None and chosen) else self.weights
        if path.exists():
            return path
        if path == self.best and not self.record.data.val_images:
            raise usage_error(
                f"{self.folder} has no best weights",
                expected=f"the weights {LAST}",
                received="a run without a validation part, so no epoch was chosen",
                hint="train.data.holdout of a new run splits one off",
            )
        raise usage_error(
            f"{self.folder} has no weights to measure",
            expected="a run with at least one finished epoch",
            received=f"no {path.name} (status: {self.record.status})",
            hint="start a new run with a smaller learning rate"
            if self.record.status == "diverged"
            else "resume the run, which continues until an epoch is finished",
        )

    def check_best(self, position: Position, reached: Position) -> None:
        """Check that the best weights are those of a position: a checkpoint has only the last ones.

        If the training has ``reached`` less than their epoch, it has gone back to the checkpoint before a
        damaged one, and repeats that epoch, however often it is stopped until then.

        Raises:
            UsageError: they are missing, damaged or of another position.
        """
        _, written = read_tensors(self.best)
        check_run(self.best, written, self.record.id)
        epochs = written.get("epochs")
        if type(epochs) is int and epochs > reached.epochs:
            return
        if written != {RUN: self.record.id, "epochs": position.epochs, "batches": position.batches}:
            raise usage_error(
                f"{self.best} does not have the weights of epoch {position.epochs}, the best one",
                expected="the file as the run wrote it after that epoch",
                received=_moment(written),
                hint="start a new run",
            )

    def add_metrics(self, metrics: Epoch) -> None:
        """Append the line of an epoch."""
        append_line(self.metrics, epoch_line(metrics))

    def reset_metrics(self, history: tuple[Epoch, ...]) -> None:
        """Rewrite the metrics from the history in a checkpoint, whatever a crash left there."""
        write_text(self.metrics, "".join(f"{epoch_line(metrics)}\n" for metrics in history))

    def begin(self, settings: Recipe, dataset: Dataset, device: torch.device) -> None:
        """Record that the run is running: where, for how many epochs, from which place the data comes."""
        self._record(
            replace(
                self.record,
                status="running",
                outcome=None,
                environments=self.record.computed_in(current_environment(device)),
                settings=settings.replaced({"data": settings.data.of(dataset.name)}),
                data=replace(self.record.data, source=dataset.name),
            )
        )
        self._keep_spec()

    def locked(self) -> AbstractContextManager[None]:
        """Prevent other processes from training in this folder at the same time.

        Raises:
            UsageError: another process is doing so.
        """
        return locked(self.folder)

    def _keep_spec(self) -> None:
        # A crash after run.json was written may have left spec.yaml out.
        if not self.spec.exists():
            write_text(self.spec, self.record.spec)

    def _record(self, record: RunRecord) -> None:
        write_json(self.folder / RECORD, record.as_json())
        self.record = record


def create_run(
    folder: Path | None,
    *,
    name: str,
    spec: str,
    settings: Recipe,
    dataset: Dataset,
    device: torch.device,
    revision: Revision | None = None,
    start: Origin | None = None,
) -> Run:
    """Create the folder of a new run.

    Args:
        folder: its path; None for ``runs/NAME-N`` with the first free number.
        name: the name of the network.
        spec: the text of the resolved spec.
        settings: how to train.
        dataset: what to train on.
        device: the device to train on.
        revision: that of the spec.
        start: the file of the first weights; None for random ones.

    Raises:
        CnncliError: the folder is not empty, another process has begun to train there, or it cannot be
            created.
    """
    record = new_record(name, spec, settings, dataset, device, revision, start)
    with claimed(folder, name) as made:
        run = Run(made, record)
        write_json(made / RECORD, record.as_json())
        write_text(run.spec, spec)
    return run


def existing_run(folder: Path | None) -> Run | None:
    """Return the run in a folder, which a training there would continue; None without a folder or a run.

    Raises:
        UsageError: it is damaged.
    """
    return None if folder is None or not os.path.lexists(folder / RECORD) else open_run(folder)


def open_run(folder: Path) -> Run:
    """Open an existing run, to resume or evaluate it.

    Raises:
        UsageError: ``folder`` is not the folder of a run, or contains a link in place of a file.
    """
    for name in FILES:
        check_regular(folder / name)
        check_regular(temporary_of(folder / name))
    if not (folder / RECORD).is_file():
        received = "a folder without run.json" if folder.is_dir() else "no such folder"
        expected = "a folder that cnncli train created"
        raise usage_error(f"{folder} is not a run", expected=expected, received=received)
    run = Run(folder, read_record(folder / RECORD))
    if run.spec.exists() and read_bytes(run.spec, MAX_RECORD_BYTES) != run.record.spec.encode():
        raise usage_error(
            f"{run.spec} is not the spec that the run was started with",
            expected=f"the same text as in {RECORD}, which counts",
            hint="start a new run for another spec; without this file, the run continues with its own",
        )
    return run


def _moment(written: Mapping[str, Any]) -> str:
    """Return the moment of weights, from the metadata of their file, which may be anything."""
    epochs = written.get("epochs")
    return f"weights after {counted(epochs, 'epoch')}" if type(epochs) is int else "weights of no epoch"


def _has_content(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
