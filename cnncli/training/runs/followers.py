"""Observers that write files into the folder of a run; all of it follows from the history of its epochs."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable
from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cnncli.limits import MAX_METRICS_BYTES
from cnncli.results.training import Epoch
from cnncli.training.observer import Silent
from cnncli.training.pictures.curves import curves
from cnncli.training.runs.files import read_bytes, write_bytes
from cnncli.training.runs.growing import Growing
from cnncli.training.runs.tensorboard import first_record, record

_PICTURE_SECONDS: Final = 60.0
"""At least between two pictures of one run, before the last one."""

_PLAIN: Final = tuple(each.name for each in fields(Epoch) if each.name != "figures")


class MetricsTable(Silent):
    """``metrics.csv``: a row for each epoch, with a column for each figure."""

    def __init__(self, path: Path) -> None:
        self._file = Growing(path)
        self._history: list[Epoch] = []
        self._figures: tuple[str, ...] = ()

    def begun(self, history: tuple[Epoch, ...]) -> None:
        """Write the rows of all epochs so far."""
        self._history = [*history]
        self._figures = tuple(dict.fromkeys(name for each in history for name in each.figures))
        self._file.begin(self._rows(self._history, heading=bool(history)))

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Add a row; another figure than before is another column, so everything is written anew."""
        del epochs
        self._history.append(metrics)
        if {*metrics.figures} <= {*self._figures}:
            self._file.grow(self._rows([metrics], heading=False))
        else:
            self.begun(tuple(self._history))

    def _rows(self, history: Iterable[Epoch], *, heading: bool) -> bytes:
        written = io.StringIO()
        rows = csv.writer(written, lineterminator="\n")
        if heading:
            rows.writerow((*_PLAIN, *self._figures))
        for each in history:
            plain: list[Any] = [getattr(each, name) for name in _PLAIN]
            rows.writerow((*plain, *(each.figures.get(name, "") for name in self._figures)))
        return written.getvalue().encode()


class Curves(Silent):
    """``curves.svg``: the figures of all epochs as curves, drawn now and then and at the end."""

    def __init__(self, path: Path, name: str, metrics: Path) -> None:
        """Draw curves of a name into a picture; it is up to date if it is newer than the metrics."""
        self._path, self._metrics = path, metrics
        self._name = name
        self._history: list[Epoch] = []
        self._drawn = 0
        self._moment = time.monotonic()

    def begun(self, history: tuple[Epoch, ...]) -> None:
        """Keep them for the picture, which may have them already."""
        self._history = [*history]
        self._drawn = len(history) if self._is_new() else 0

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Draw them, unless that was done a while ago."""
        del epochs
        self._history.append(metrics)
        if time.monotonic() - self._moment >= _PICTURE_SECONDS:
            self._draw()

    def ended(self) -> None:
        """Draw all epochs."""
        if len(self._history) > self._drawn:
            self._draw()

    def _is_new(self) -> bool:
        """Return whether the picture was drawn after the last change of the metrics."""
        if not self._path.exists() or not self._metrics.exists():
            return False
        return self._path.stat().st_mtime_ns > self._metrics.stat().st_mtime_ns

    def _draw(self) -> None:
        self._moment = time.monotonic()
        content = curves({self._name: self._history})
        if self._before() != content:
            write_bytes(self._path, content)
        self._drawn = len(self._history)

    def _before(self) -> bytes | None:
        """Return the picture that is there, so that a run to which nothing was added stays as it is."""
        return read_bytes(self._path, MAX_METRICS_BYTES) if self._path.exists() else None


class Events(Silent):
    """``events.out.tfevents``: the figures for TensorBoard, with the number of the epoch as step.

    Their times are those of a training without pauses, so they follow from the history too, and a resumed
    run continues the file.
    """

    def __init__(self, path: Path, created: str) -> None:
        """Start with the moment when the run was ``created``, in ISO 8601."""
        self._file = Growing(path)
        self._start = self._now = datetime.fromisoformat(created).timestamp()

    def begun(self, history: tuple[Epoch, ...]) -> None:
        """Write the events of all epochs so far."""
        self._now = self._start
        self._file.begin(first_record(self._start) + b"".join(map(self._event, history)))

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Add the events of an epoch."""
        del epochs
        self._file.grow(self._event(metrics))

    def _event(self, metrics: Epoch) -> bytes:
        self._now += metrics.seconds
        figures = {"/".join(_reversed(name)): value for name, value in metrics.figures.items()}
        rates = {"lr": metrics.lr, "images_per_second": metrics.images_per_second}
        return record(self._now, metrics.epoch, figures | rates)


def _reversed(figure: str) -> tuple[str, str]:
    """Return metric and part: TensorBoard shows together what has the same first name."""
    part, _, metric = figure.partition(".")
    return metric, part
