"""Which epoch of a training is the best so far, and whether it ends before its last epoch.

Both follow from the history alone, which is in every checkpoint, so a training that was interrupted decides
as one that was not.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cnncli.diagnostics import did_you_mean, listing, usage_error
from cnncli.recipe.metrics import VAL, metric_of, telling
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


def best_epoch(history: Sequence[Epoch], stop: Stop | None) -> int:
    """Return the number of the best epoch, counted from 1: the first one of those with the best value.

    Args:
        history: at least one epoch, with the figures of a validation part.
        stop: what is compared.
    """
    figure = choosing(stop, history[0].figures)
    sign = 1 if metric_of(figure).better == "larger" else -1
    best = max(history, key=lambda each: (sign * each.figures[figure], -each.epoch))
    return best.epoch


def reason_to_stop(history: Sequence[Epoch], stop: Stop | None) -> str:
    """Return why a training ends after the last epoch of its history; empty if it does not."""
    if stop is None or not history:
        return ""
    best, last = best_epoch(history, stop), history[-1].epoch
    if last - best < stop.patience:
        return ""
    return f"stopped after epoch {last}: no better {VAL}.{stop.metric} since epoch {best}"


def check_stop(stop: Stop | None, figures: Collection[str], *, has_val: bool) -> None:
    """Check that what chooses an epoch is measured.

    Args:
        stop: what is compared; None for a training that does not end early.
        figures: those of an evaluation, without the part of the data.
        has_val: whether there is a validation part.

    Raises:
        UsageError: there is none, or the figure is not measured on it.
    """
    if stop is None:
        return
    if not has_val:
        raise usage_error(
            "train.stop needs a validation part",
            expected="train.data.holdout above 0, or data with a validation part",
            received="train.data.holdout=0",
        )
    if stop.metric not in figures:
        raise usage_error(
            f"train.stop.metric: {stop.metric} is not measured",
            expected=listing([*figures], last=" or "),
            received=stop.metric,
            hint=did_you_mean(stop.metric, figures),
        )


def check_chosen(stop: Stop | None, figures: Mapping[str, float]) -> None:
    """Check that what chooses an epoch is known after it; some figures depend on the targets.

    Raises:
        UsageError: it is not: R2 of targets that are all the same, for example.
    """
    if stop is not None and f"{VAL}.{stop.metric}" not in figures:
        raise usage_error(
            f"train.stop.metric: {VAL}.{stop.metric} is not determined by the targets of the validation part",
            expected=listing([*figures], last=" or "),
            received=stop.metric,
        )
