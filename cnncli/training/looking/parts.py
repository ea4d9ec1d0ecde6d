"""Parts of a data source for a network that is looked at."""

from __future__ import annotations

from cnncli.diagnostics import counted, usage_error
from cnncli.graph.heads import heads_of
from cnncli.recipe.data import Data
from cnncli.recipe.metrics import TRAIN, VAL
from cnncli.results.training import Reading
from cnncli.training.data.dataset import Dataset, Measured
from cnncli.training.data.load import (
    held_out_part,
    load,
    load_held_out,
    load_measured,
    resolved,
    training_files,
)
from cnncli.training.looking.opened import Opened
from cnncli.training.tasks.targets import wanted_shapes


def part_of(opened: Opened, source: str, part: str, reading: Reading) -> Measured:
    """Return a part of a source, "train", "val" or "test".

    The training part of a run's own data are those images that it was trained on. A held-out part is what an
    evaluation measures: of other data that has no parts all of it.

    Raises:
        UsageError: the source cannot be read, or has no such part.
    """
    if part == TRAIN:
        return _training_part(opened, source, reading)
    return _held_out(opened, source, part, reading)


def _training_part(opened: Opened, source: str, reading: Reading) -> Measured:
    dataset = _whole(opened, source, reading)
    recorded = opened.run.record.data
    if dataset.levels is not None and dataset.levels != opened.levels:
        raise usage_error(
            f"{dataset.name} has 16-bit images with other levels than those that the run was trained on",
            expected=f"{opened.levels.black} to {opened.levels.white}",
            received=f"{dataset.levels.black} to {dataset.levels.white}",
            hint="give the files or their folder instead: they are read with the levels of the run",
        )
    was_so = dataset.name != recorded.source or dataset.fingerprint() == recorded.fingerprint
    changed = f"{dataset.name} is not as it was when the run was started"
    notes = dataset.notes if was_so else (*dataset.notes, changed)
    what = f"the {counted(dataset.train.count, 'training image')}"
    names = training_files(_how(opened, source), opened.run.record.settings.holdout)
    # With a limit, or where files cannot be read, it is not known which are left.
    files = names if len(names) == dataset.train.count else ()
    return Measured(dataset.name, dataset.columns, dataset.train, what, notes, files)


def _held_out(opened: Opened, source: str, part: str, reading: Reading) -> Measured:
    recorded, settings = opened.run.record.data, opened.run.record.settings
    outputs = wanted_shapes(heads_of(opened.trained), settings)
    if resolved(source) == recorded.source:
        own = settings.data.of(recorded.source)
        shape, columns, holdout = recorded.input, recorded.columns, settings.holdout
        return load_held_out(own, shape, reading, opened.levels, outputs, columns, part, holdout)
    if part == VAL:
        return held_out_part(_whole(opened, source, reading), part)
    how = settings.data.measuring(source)
    return load_measured(how, recorded.input, {}, reading, opened.levels, outputs)


def _whole(opened: Opened, source: str, reading: Reading) -> Dataset:
    recorded, settings = opened.run.record.data, opened.run.record.settings
    outputs = wanted_shapes(heads_of(opened.trained), settings)
    return load(_how(opened, source), recorded.input, reading, outputs, settings.holdout)


def _how(opened: Opened, source: str) -> Data:
    """Return how a source is read, the run's own as it was for training."""
    recorded, settings = opened.run.record.data, opened.run.record.settings
    if resolved(source) == recorded.source:
        return settings.data.of(recorded.source)
    return settings.data.measuring(source).replaced({"limit": 1})
