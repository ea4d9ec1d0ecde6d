"""Figures of a training and of an evaluation as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cnncli.recipe.metrics import METRICS, OBJECTIVE, Metric
from cnncli.report.text.numbers import percent


def figure_text(metric: Metric, value: float, digits: int = 6) -> str:
    """Return a value: a share as a percentage, one with a unit, or with that number of decimals."""
    if metric.unit:
        return f"{value:.2f} {metric.unit}"
    return percent(value) if metric.is_share else f"{value:.{digits}f}"


def figures_text(figures: Mapping[str, float], digits: int = 6) -> str:
    """Return the figures of one head, or those without a head: ``accuracy 97.22 %, loss 0.081234``."""
    found = {name.rpartition(".")[2]: value for name, value in figures.items()}
    return ", ".join(
        f"{metric.title} {figure_text(metric, found[name], digits)}"
        for name, metric in METRICS.items()
        if name in found and name != OBJECTIVE
    )


def by_head(figures: Mapping[str, float], part: str) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield the figures of a part of the data: those without a head as those of ``""``, then each head's.

    ``part`` is ``train``, ``test``, or ``""`` for figures whose names do not begin with one.
    """
    prefix = f"{part}." if part else ""
    own = {name.removeprefix(prefix): value for name, value in figures.items() if name.startswith(prefix)}
    heads = dict.fromkeys(name.rpartition(".")[0] for name in own)
    for head in heads:
        yield (
            head,
            {
                name.rpartition(".")[2]: value
                for name, value in own.items()
                if name.rpartition(".")[0] == head
            },
        )
