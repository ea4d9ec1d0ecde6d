"""A run that another process writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from torch import nn

from cnncli.results.training import Epoch
from cnncli.training.runs.checkpoint import Checkpoint, Position
from cnncli.training.runs.record import RunRecord
from cnncli.training.runs.run import Run, existing_run, open_run
from cnncli.training.world import World


def begun_run(folder: Path | None, world: World) -> Run | None:
    """Return the run in a folder, which a training there would continue; None without a folder or a run.

    Only the first process looks: on file systems that several machines share, one that has looked too early
    may not see the folder for half a minute.

    Raises:
        UsageError: it is damaged.
    """
    run = existing_run(folder) if world.leads else None
    is_there = world.told("" if run is None else "run")
    return run if world.leads or not is_there or folder is None else followed(open_run(folder), world)


def followed(run: Run, world: World) -> Run:
    """Return a run as a process of a training has it: only the first one writes."""
    return run if world.leads else FollowedRun(run.folder, run.record)


class FollowedRun(Run):
    """A run in a folder that the first process writes: this one reads it, and keeps what it would record."""

    __slots__ = ()

    def save(self, checkpoint: Checkpoint) -> None:
        """Leave it to the first process."""

    def save_weights(self, network: nn.Module, position: Position) -> None:
        """Leave it to the first process."""

    def save_best(self, network: nn.Module, position: Position) -> None:
        """Leave it to the first process."""

    def check_best(self, position: Position, reached: Position) -> None:
        """Leave it to the first process."""

    def add_metrics(self, metrics: Epoch) -> None:
        """Leave it to the first process."""

    def reset_metrics(self, history: tuple[Epoch, ...]) -> None:
        """Leave it to the first process."""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Leave it to the first process."""
        yield

    def _record(self, record: RunRecord) -> None:
        self.record = record

    def _keep_spec(self) -> None:
        pass
