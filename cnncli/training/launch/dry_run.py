"""A dry run: the first steps of a training and of its continuation, in a folder that is removed again."""

from __future__ import annotations

import math
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any, Final

import torch
from torch import nn

from cnncli.diagnostics import CnncliError, Diagnostic
from cnncli.interrupts import Interrupts
from cnncli.recipe.columns import CLASS, MASK, TAGS
from cnncli.results.dry_run import Counts, Times, Tried
from cnncli.results.training import Epoch, Reading
from cnncli.training.data.batches import batch_bounds, slice_bounds
from cnncli.training.data.dataset import Dataset, Split
from cnncli.training.data.targets import class_counts
from cnncli.training.device import BACKENDS
from cnncli.training.launch.launch import Launch
from cnncli.training.launch.resuming import continued
from cnncli.training.launch.starting import Prepared
from cnncli.training.monitor import DIVERGED
from cnncli.training.observer import Silent
from cnncli.training.plan import Extent
from cnncli.training.runs.place import not_a_run_folder, planned_folder
from cnncli.training.runs.run import open_run

_BATCHES: Final = 3
_EPOCHS: Final = 2
"""What is carried out: the second epoch after a checkpoint of the first was read."""

_PREFIX: Final = ".cnncli-dry-run-"


def dry_run(prepared: Prepared, folder: Path | None, trying: Reading = None) -> Tried:
    """Carry out a few steps of a training: two short epochs, each with an evaluation and a checkpoint.

    Everything is as in a training, down to the learning rates; the run is continued from its checkpoint after
    the first epoch, and the folder is removed at the end, also after an error or a signal. A signal takes its
    effect then.

    Args:
        prepared: the training; its network cannot be used afterwards.
        folder: where its run would be; None for ``runs/NAME-N``.
        trying: called with (steps begun, of how many).

    Raises:
        CnncliError: what the training would raise: a run cannot be created there, the training diverges, or a
            file cannot be written.
        KeyboardInterrupt: it was interrupted.
    """
    place = planned_folder(folder, prepared.graph.name)
    with Interrupts() as interrupts, _beside(place) as temporary:
        tried = _tried(prepared, place, temporary, trying, interrupts)
    if interrupts.received is not None:
        signal.raise_signal(interrupts.received)
    if isinstance(tried, Tried):
        return tried
    signal.raise_signal(tried)
    raise KeyboardInterrupt


def _tried(
    prepared: Prepared, place: Path, temporary: Path, trying: Reading, interrupts: Interrupts
) -> Tried | signal.Signals:
    """Return what is found out in a temporary folder, or the signal that ended it."""
    device, bounds = prepared.device, batch_bounds(prepared.dataset.train.count, prepared.settings.batch)
    steps = min(_EPOCHS, prepared.settings.epochs) * min(_BATCHES, len(bounds))
    slices = [len(slice_bounds(end - start, prepared.settings.accumulate)) for start, end in bounds]
    watch = _Stopwatch(device, steps, slices[:_BATCHES], trying)
    if (reset := BACKENDS[device.type].reset_peak) is not None:
        reset(device)
    launch = prepared.create(temporary)
    received = _carried_out(launch, watch, 1, interrupts)
    # The next network takes the room of this one, as in a training of its own.
    launch.network.to("meta")
    if received is None:
        graph, dataset, settings = prepared.graph, prepared.dataset, prepared.settings
        again = continued(open_run(temporary), graph, dataset, settings, device)
        received = _carried_out(again, watch, _EPOCHS, interrupts)
    if received is not None:
        return received
    peak, about = BACKENDS[device.type].peak, launch.introduction
    return Tried(
        about=about._replace(folder=place, notes=(*about.notes, *watch.warnings)),
        counts=_counts(prepared.dataset),
        batch=max(end - start for start, end in bounds),
        steps=len(bounds),
        tried=len(watch.steps),
        times=watch.times(prepared.dataset),
        files={path.name: path.stat().st_size for path in sorted(temporary.iterdir())},
        peak=None if peak is None else peak(device),
    )


def _carried_out(
    launch: Launch, watch: _Stopwatch, epochs: int, interrupts: Interrupts
) -> signal.Signals | None:
    """Train up to a number of epochs; return the signal that ended it."""
    if interrupts.received is not None:
        return interrupts.received
    with watch.on(launch.network):
        number = launch.start(watch, report_every=math.inf, extent=Extent(epochs, _BATCHES)).signal
    return None if number is None else signal.Signals(number)


class _Stopwatch(Silent):
    """Measures steps from one to the next; an observer that gets the seconds of each epoch.

    A step begins with the forward pass of its first slice. ``steps`` are the seconds of all of them. Each is
    measured after the device has done its work. ``warnings`` are those of the training.
    """

    def __init__(self, device: torch.device, count: int, slices: Sequence[int], trying: Reading) -> None:
        """Call ``trying`` at the beginning of each of ``count`` steps.

        ``slices`` are how many each step of an epoch has.
        """
        self._device = device
        self._count = count
        self._first = frozenset(accumulate(slices[:-1], initial=0))
        self._passes = 0
        self._trying = trying
        self._starts: list[float] = []
        self._evaluated = 0
        self._evaluating = 0.0
        self._ended = 0.0
        self._saving: list[float] = []
        self.steps: list[float] = []
        self.warnings: list[str] = []

    @contextmanager
    def on(self, network: nn.Module) -> Iterator[None]:
        """Measure a network."""
        hooks = (network.register_forward_pre_hook(self._before), network.register_forward_hook(self._after))
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _now(self) -> float:
        BACKENDS[self._device.type].wait(self._device)
        return time.perf_counter()

    def _before(self, network: nn.Module, inputs: Any) -> None:
        del inputs
        now = self._now()
        if not network.training:
            self._ended = now
            return
        self._passes += 1
        if self._passes - 1 not in self._first:
            return
        self._starts.append(now)
        if self._trying is not None:
            self._trying(len(self.steps) + len(self._starts), self._count)

    def _after(self, network: nn.Module, inputs: Any, outputs: Any) -> None:
        del outputs
        if not network.training:
            begun, self._ended = self._ended, self._now()
            self._evaluating += self._ended - begun
            self._evaluated += len(inputs[0])

    def warned(self, message: str) -> None:
        """Keep a warning."""
        self.warnings.append(message)

    def epoch_finished(self, metrics: Epoch, epochs: int) -> None:
        """Take the steps of an epoch: the last one, and the way to the first, are the rest of its seconds."""
        del epochs
        self._saving.append(self._now() - self._ended)
        between = [after - before for before, after in zip(self._starts, self._starts[1:], strict=False)]
        self.steps += [*between, metrics.seconds - sum(between)]
        self._starts = []
        self._passes = 0

    def times(self, dataset: Dataset) -> Times:
        """Return the times of a training on a data set."""
        first, *others = self.steps
        step = median(others) if others else None
        each = self._evaluating / self._evaluated
        after, end = (dataset.val_count, dataset.test.count) if dataset.val_count else (dataset.test.count, 0)
        return Times(first, step, len(others), each * after, median(self._saving), each * end)


def _counts(dataset: Dataset) -> dict[str, Counts]:
    """Return the counts of the classes and tags of each column that has some."""

    def of(split: Split | None, name: str) -> list[int]:
        if split is None:
            return []
        column, targets = dataset.columns[name], split.column(name)
        if column.form == TAGS:
            return [int(count) for count in (targets.whole() == 1).sum(0)]
        return [int(count) for count in class_counts(column.form, targets, len(column.names))]

    named = [name for name, column in dataset.columns.items() if column.form in (CLASS, MASK, TAGS)]
    return {
        name: Counts(*(of(each, name) for each in (dataset.train, dataset.val, dataset.test)))
        for name in named
    }


@contextmanager
def _beside(place: Path) -> Iterator[Path]:
    """Create a folder in the nearest folder that exists on the way to a place, and remove it at the end.

    Raises:
        CnncliError: it cannot be created; or another error about it, which then names the place instead.
    """
    try:
        near = next(each for each in (place, *place.absolute().parents) if each.exists())
        temporary = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=near))
    except OSError as error:
        raise not_a_run_folder(place, error) from error
    try:
        yield temporary
    except CnncliError as error:
        raise type(error)(_about(each, temporary, place) for each in error.diagnostics) from error
    finally:
        _remove(temporary)


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except OSError as error:
        message = f"cannot remove {error.filename or folder}: {error.strerror}"
        raise CnncliError(Diagnostic("unwritable", message)) from error


def _about(fault: Diagnostic, temporary: Path, place: Path) -> Diagnostic:
    """Return a message about a folder as one about another folder, from which nothing can be taken."""
    names = ("message", "expected", "received", "hint")
    texts = {name: getattr(fault, name).replace(str(temporary), str(place)) for name in names}
    if fault.code == DIVERGED:
        # What follows says where the last good state is.
        texts["hint"] = texts["hint"].partition(";")[0]
    return fault._replace(**texts)
