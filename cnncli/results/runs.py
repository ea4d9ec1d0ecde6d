"""Runs as a list shows them, and what a comparison of some of them finds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cnncli.recipe.metrics import LOSS, held_out, metric_of, telling
from cnncli.results.training import Epoch, Outcome


class Best(NamedTuple):
    """The best value of a figure, and the first epoch that has it."""

    figure: str
    epoch: int
    value: float


class Revision(NamedTuple):
    """The git commit that was checked out where a spec is; ``dirty`` if its files were not as committed."""

    commit: str
    dirty: bool

    def __str__(self) -> str:
        return f"{self.commit[:12]}{' and changes' if self.dirty else ''}"


class RunSummary(NamedTuple):
    """A run as its files describe it.

    ``status`` is that of ``run.json``: a run whose process was killed is still ``running``, and ``changed``,
    in seconds since 1970, says when its figures or its record were last written. ``created`` is in ISO 8601.
    ``epochs`` are those of its recipe, ``history`` has those that are done. ``settings`` is the recipe in its
    long form, ``spec`` the text of the resolved spec, and ``fingerprint`` says whether two runs have the same
    data.
    """

    folder: Path
    name: str
    status: str
    created: str
    changed: float
    data: str
    fingerprint: str
    epochs: int
    history: tuple[Epoch, ...]
    outcome: Outcome | None
    revision: Revision | None
    settings: Mapping[str, Any]
    spec: str

    @property
    def seconds(self) -> float:
        """How long it has trained, without evaluations and pauses."""
        return sum(each.seconds for each in self.history)

    @property
    def figure(self) -> str | None:
        """The figure that tells most of those that are measured after every epoch; None before the first."""
        if not self.history:
            return None
        names = self.history[-1].figures
        part = held_out(names)
        metric = telling(name.removeprefix(f"{part}.") for name in names if name.startswith(f"{part}."))
        return f"{part}.{metric}"

    @property
    def best(self) -> Best | None:
        """The best value of :attr:`figure` so far."""
        figure = self.figure
        if figure is None:
            return None
        values = [(each.figures[figure], each.epoch) for each in self.history if figure in each.figures]
        if not values:
            return None
        sign = 1 if metric_of(figure).better == "larger" else -1
        value, epoch = max(values, key=lambda each: (sign * each[0], -each[1]))
        return Best(figure, epoch, value)


class Damaged(NamedTuple):
    """A folder that cannot be read as a run, and why."""

    folder: Path
    message: str


class Runs(NamedTuple):
    """The runs in a folder, those that began first at the beginning, and the damaged ones."""

    runs: tuple[RunSummary, ...]
    damaged: tuple[Damaged, ...] = ()


class Compared(NamedTuple):
    """Several runs, and what is different between their recipes, specs and data.

    ``settings`` and ``spec`` have the values of each run by the path of what is different, such as
    ``optimizer.sgd.lr`` and ``layers.0.conv.channels``; None where there is no such value. ``data_changed``
    says that the data was not the same although its settings are.
    """

    runs: tuple[RunSummary, ...]
    settings: Mapping[str, tuple[Any, ...]]
    spec: Mapping[str, tuple[Any, ...]]
    data_changed: bool


def main_metric(runs: tuple[RunSummary, ...]) -> str:
    """Return the metric that all of some runs have, which is the loss if they learn different things."""
    names = {each.figure.partition(".")[2] for each in runs if each.figure is not None}
    return names.pop() if len(names) == 1 else LOSS
