"""Whether a run can be resumed: with its own spec, settings and data; only the epochs may change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cnncli.diagnostics import CnncliError, listing, usage_error
from cnncli.recipe.data import are_alike
from cnncli.recipe.recipe import Recipe
from cnncli.training.data.dataset import Dataset
from cnncli.training.runs.checkpoint import Position
from cnncli.training.runs.run import Run

_MAY_CHANGE: Final = frozenset({"epochs", "data.source"})
"""A run may be continued for longer, and its data may have been moved: its content is compared instead."""


def check_resumable(run: Run, *, spec: str, settings: Recipe, dataset: Dataset) -> None:
    """Check that spec, settings and data are those that a run was started with.

    Raises:
        CnncliError: with one diagnostic for each of spec, settings and data that differs.
    """
    faults: list[CnncliError] = []
    if spec != run.record.spec:
        message = f"the spec is not the one that {run.folder} was started with"
        faults.append(usage_error(message, hint=f"train {run.spec}, or start a new run"))
    changed = differences(run.record.settings, settings)
    if changed:
        faults.append(
            usage_error(
                f"settings differ from those that {run.folder} was started with: {', '.join(changed)}",
                expected="the same settings; only train.epochs may change",
                hint="start a new run for other settings",
            )
        )
    recorded = run.record.data
    before = (
        recorded.fingerprint,
        recorded.train_images,
        recorded.val_images,
        recorded.test_images,
        recorded.levels,
    )
    now = (
        dataset.fingerprint(),
        dataset.train.count,
        dataset.val_count,
        dataset.test.count,
        dataset.levels,
    )
    if now != before or (recorded.val_images and not are_alike(recorded.source, dataset.name)):
        faults.append(
            usage_error(
                f"the data is not the data that {run.folder} was started with",
                expected=f"the images and labels that {recorded.source} had then",
                received=dataset.name,
                hint="start a new run for other data",
            )
        )
    if faults:
        raise CnncliError(diagnostic for fault in faults for diagnostic in fault.diagnostics)


def check_not_diverged(run: Run) -> None:
    """Check that a run did not end with a divergence, which would happen again.

    Raises:
        UsageError: it did.
    """
    if run.record.status == "diverged":
        raise usage_error(
            f"{run.folder} diverged, and would do so again: a resumed run repeats itself to the last bit",
            expected="a run that was interrupted, or has finished",
            received="the status 'diverged'",
            hint=f"start a new run with {gentler(run.record.settings)}",
        )


def gentler(settings: Recipe) -> str:
    """Return the settings that keep a training from diverging."""
    optimizer, schedule = settings.optimizer.keyword, settings.schedule.keyword
    return f"a smaller train.optimizer.{optimizer}.lr or a longer train.schedule.{schedule}.warmup"


def check_position(position: Position, epochs: int) -> None:
    """Check that a training of ``epochs`` epochs reaches the position of a run.

    Raises:
        UsageError: it ends before.
    """
    reached = position.epochs + (position.batches > 0)
    if reached > epochs:
        where = f"already in epoch {reached}" if position.batches else f"already after epoch {reached}"
        expected = f"train.epochs={reached} or more"
        raise usage_error(f"the run is {where}", expected=expected, received=f"train.epochs={epochs}")


def differences(recorded: Recipe, settings: Recipe) -> list[str]:
    """Return the differences that would change the result of a resumed run, as ``batch: 64, not 32``."""
    return [*_differences(recorded.plain(), settings.plain())]


def _differences(before: Mapping[str, Any], now: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Yield the differences of values with the same names, such as ``optimizer.sgd.lr: 0.1, not 0.2``."""
    for name in dict.fromkeys((*before, *now)):
        here, old, new = f"{path}{name}", before.get(name), now.get(name)
        if here in _MAY_CHANGE or old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping) and old.keys() == new.keys():
            yield from _differences(old, new, f"{here}.")
        else:
            yield f"{here}: {_brief(old)}, not {_brief(new)}"


def _brief(value: object) -> str:
    """Return a value; of a mapping, such as another optimizer or head, only its keys."""
    if isinstance(value, Mapping):
        return listing([*value]) or "nothing"
    return "nothing" if value is None else str(value)
