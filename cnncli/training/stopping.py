"""Which epochs of a training are better than all before, and whether it ends before its last epoch.

Both follow from the history alone, which is in every checkpoint, so a training that was interrupted decides
as one that was not.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import compress

from cnncli.diagnostics import did_you_mean, listing, usage_error
from cnncli.recipe.metrics import VAL, metric_of, telling
from cnncli.recipe.recipe import Recipe
from cnncli.recipe.stopping import Stop
from cnncli.results.training import Epoch


def choosing(stop: Stop | None, figures: Collection[str]) -> str:
    """Return the figure that chooses the best epoch: that of ``stop``, or the one of all that tells most.

    Args:
        stop: when the training ends early.
        figures: those of the validation part, such as ``val.accuracy``; others are ignored.
    """
    if stop is not None:
        return f"{VAL}.{stop.metric}"
    return f"{VAL}.{telling(name.removeprefix(f'{VAL}.') for name in figures)}"


def improvements(history: Sequence[Epoch], figure: str) -> list[bool]:
    """Return for each epoch whether it has a better value of a figure than all before; the first one has."""
    sign = 1 if metric_of(figure).better == "larger" else -1
    found: list[bool] = []
    best = -math.inf
    for each in history:
        value = sign * each.figures[figure]
        found.append(not found or value > best)
        best = max(best, value)
    return found


def best_epoch(history: Sequence[Epoch], stop: Stop | None) -> int:
    """Return the number of the best epoch, counted from 1: the first one of those with the best value.

    Args:
        history: at least one epoch, with the figures of a validation part.
        stop: what is compared.
    """
    improved = improvements(history, choosing(stop, history[0].figures))
    return max(compress((each.epoch for each in history), improved))


def reason_to_stop(history: Sequence[Epoch], stop: Stop | None) -> str:
    """Return why a training ends after the last epoch of its history; empty if it does not."""
    if stop is None or not history:
        return ""
    best, last = best_epoch(history, stop), history[-1].epoch
    if last - best < stop.patience:
        return ""
    return f"stopped after epoch {last}: no better {VAL}.{stop.metric} since epoch {best}"


def check_watched(settings: Recipe, figures: Collection[str], *, has_val: bool) -> None:
    """Check that what decides something in a training is measured.

    Args:
        settings: what is compared.
        figures: those of an evaluation, without the part of the data.
        has_val: whether there is a validation part.

    Raises:
        UsageError: there is none, or a figure is not measured on it.
    """
    for path, metric in settings.watched.items():
        if not has_val:
            raise usage_error(
                f"{_written(path[:-1])} needs a validation part",
                expected="train.data.holdout above 0, or data with a validation part",
                received="train.data.holdout=0",
            )
        if metric not in figures:
            raise usage_error(
                f"{_written(path)}: {metric} is not measured",
                expected=listing([*figures], last=" or "),
                received=metric,
                hint=did_you_mean(metric, figures),
            )


def check_chosen(settings: Recipe, figures: Mapping[str, float]) -> None:
    """Check that what decides something is known after an epoch; some figures depend on the targets.

    Raises:
        UsageError: it is not: R2 of targets that are all the same, for example.
    """
    for path, metric in settings.watched.items():
        if f"{VAL}.{metric}" not in figures:
            raise usage_error(
                f"{_written(path)}: {VAL}.{metric} is not determined by the targets of the validation part",
                expected=listing([*figures], last=" or "),
                received=metric,
            )


def _written(path: Sequence[str]) -> str:
    return ".".join((Recipe.keyword, *path))
