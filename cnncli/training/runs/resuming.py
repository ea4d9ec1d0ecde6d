"""Whether a run can be resumed: with its own spec, settings and data; only the epochs may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from cnncli.diagnostics import CnncliError, usage_error
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
    if dataset.fingerprint() != run.record.data.fingerprint:
        faults.append(
            usage_error(
                f"the data is not the data that {run.folder} was started with",
                expected=f"the images and labels that {run.record.data.source} had then",
                received=dataset.name,
                hint="start a new run for other data",
            )
        )
    if faults:
        raise CnncliError(diagnostic for fault in faults for diagnostic in fault.diagnostics)


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
    before, now = _flat(recorded.plain()), _flat(settings.plain())
    return [
        f"{name}: {before.get(name, 'not set')}, not {now.get(name, 'set')}"
        for name in dict.fromkeys((*before, *now))
        if name not in _MAY_CHANGE and before.get(name) != now.get(name)
    ]


def _flat(values: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Return the values in nested mappings by their paths."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{path}{name}.")
        else:
            found[f"{path}{name}"] = value
    return found
