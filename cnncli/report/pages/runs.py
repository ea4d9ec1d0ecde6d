"""The page of ``cnncli runs``: a row for each run, and what is different between several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from cnncli.diagnostics import counted
from cnncli.recipe.metrics import METRICS, TEST, held_out, metric_of
from cnncli.report.page import Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.figures import figure_text
from cnncli.report.text.numbers import duration
from cnncli.results.runs import Compared, Damaged, Runs, RunSummary, main_metric

SCHEMA: Final = "cnncli.runs/1"

_ROWS: Final = 12
"""Epochs of the table of curves."""
_NONE: Final = "-"


def page(found: Runs, now: float, picture: Path | None = None) -> Page:
    """Return the page of a list of runs.

    Args:
        found: the runs.
        now: the present moment, in seconds since 1970.
        picture: where their curves were drawn.
    """
    document = partial(_document, found.runs, found.damaged)
    return Page("", partial(_listed, found, now, picture), document)


def comparison(found: Compared, now: float, picture: Path | None = None) -> Page:
    """Return the page of several runs, what is different in their recipes and specs, and their curves."""
    return Page("", partial(_compared, found, now, picture), partial(_comparison_document, found))


def _listed(found: Runs, now: float, picture: Path | None, _: int | None) -> Iterator[Section]:
    if found.runs:
        yield (_table(found.runs, now),)
    elif not found.damaged:
        yield (Text(("no runs",), "note"),)
    if found.damaged:
        lines = (f"{printable(str(each.folder))}: {printable(each.message)}" for each in found.damaged)
        yield (Text((f"{counted(len(found.damaged), 'damaged run')}:", *lines), "warning"),)
    yield from _drawn(found.runs, picture)


def _compared(found: Compared, now: float, picture: Path | None, _: int | None) -> Iterator[Section]:
    yield (_table(found.runs, now),)
    names = [printable(str(each.folder)) for each in found.runs]
    for what, differences in (("recipe", found.settings), ("spec", found.spec)):
        if differences:
            yield (_differences(what, names, differences),)
    same = [
        f"the {what}s are the same"
        for what, differences in (("recipe", found.settings), ("spec", found.spec))
        if not differences
    ]
    if same:
        yield (Text(tuple(same), "note"),)
    if found.data_changed:
        yield (Text(("the data has changed between the runs",), "warning"),)
    if any(each.history for each in found.runs):
        yield (_curves(found.runs, names),)
    yield from _drawn(found.runs, picture)


def _drawn(runs: Sequence[RunSummary], picture: Path | None) -> Iterator[Section]:
    if picture is not None:
        drawn = sum(bool(each.history) for each in runs)
        yield (Text((f"{printable(str(picture))}: the curves of {counted(drawn, 'run')}",), "good"),)


def _table(runs: Sequence[RunSummary], now: float) -> Table:
    """Return folder, status, epochs, best and test figures, data and times; on a narrow screen not all."""
    states = [each.status for each in runs]
    value = _named_value if len({_metric(each) for each in runs} - {""}) > 1 else _best_value
    values = [value(each) for each in runs]
    return Table(
        (
            Column("run", [printable(str(each.folder)) for each in runs], cut=True),
            Column("status", [_status(each, now) for each in runs], short_cells=states, rank=5),
            Column("epochs", [f"{len(each.history):,}/{each.epochs:,}" for each in runs], right=True),
            Column("best", [_best(each) for each in runs], short_cells=values, rank=6),
            Column("test", [_test(each) for each in runs], rank=4, optional=True),
            Column("data", [printable(each.data) for each in runs], rank=2, cut=True, optional=True),
            Column("began", [_moment(each.created) for each in runs], rank=3, optional=True),
            Column("trained", [_trained(each) for each in runs], right=True, rank=1, optional=True),
        )
    )


def _status(run: RunSummary, now: float) -> str:
    """Return the status; of one that is running, or was when its process was killed, when it last wrote."""
    if run.status != "running":
        return run.status
    return f"running, {duration(max(round(now - run.changed), 1))} ago"


def _best(run: RunSummary) -> str:
    if run.best is None:
        return _NONE
    part = run.best.figure.partition(".")[0]
    return f"{metric_of(run.best.figure).title} {_best_value(run)} ({part}, epoch {run.best.epoch})"


def _best_value(run: RunSummary) -> str:
    return _NONE if run.best is None else figure_text(metric_of(run.best.figure), run.best.value, 4)


def _named_value(run: RunSummary) -> str:
    """Return the best value for a list of runs with different metrics, which cannot be compared."""
    return _NONE if run.best is None else f"{_metric(run)} {_best_value(run)}"


def _metric(run: RunSummary) -> str:
    return "" if run.best is None else metric_of(run.best.figure).title


def _test(run: RunSummary) -> str:
    """Return the figure of the test part with the weights that the run kept."""
    if run.outcome is None or run.figure is None:
        return _NONE
    name = f"{TEST}.{run.figure.partition('.')[2]}"
    if name not in run.outcome.figures:
        return _NONE
    return figure_text(metric_of(name), run.outcome.figures[name], 4)


def _trained(run: RunSummary) -> str:
    return duration(run.seconds) if run.history else _NONE


def _moment(created: str) -> str:
    """Return a moment in the time zone of this machine."""
    return datetime.fromisoformat(created).astimezone().strftime("%Y-%m-%d %H:%M")


def _differences(what: str, names: Sequence[str], values: Mapping[str, Sequence[Any]]) -> Table:
    """Return the table of what is different: a row for each setting, a column for each run."""
    columns = (
        Column(name, [printable(_brief(each[number])) for each in values.values()], cut=True)
        for number, name in enumerate(names)
    )
    return Table((Column(what, [printable(path) for path in values], cut=True), *columns))


def _brief(value: Any) -> str:
    """Return a value on one line."""
    if value is None or value in ({}, []):
        return _NONE
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_brief(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_brief, value))}]"
    return str(value)


def _curves(runs: Sequence[RunSummary], names: Sequence[str]) -> Table:
    """Return the main metric of the held-out part by epoch, of epochs at even distances and the last."""
    name = main_metric(tuple(runs))
    metric = METRICS.get(name, metric_of(name))
    last = max(len(each.history) for each in runs)
    epochs = [*dict.fromkeys(max(round(last * number / _ROWS), 1) for number in range(1, _ROWS + 1))]

    def cell(run: RunSummary, epoch: int) -> str:
        if epoch > len(run.history):
            return ""
        figures = run.history[epoch - 1].figures
        value = figures.get(f"{held_out(figures)}.{name}")
        return _NONE if value is None else figure_text(metric, value, 4)

    columns = (
        Column(shown, [cell(run, epoch) for epoch in epochs], right=True, cut=True)
        for run, shown in zip(runs, names, strict=True)
    )
    return Table(
        (Column(f"{metric.title} after epoch", [f"{epoch:,}" for epoch in epochs], right=True), *columns)
    )


def _document(runs: Sequence[RunSummary], damaged: Sequence[Damaged]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "runs": [_run(each) for each in runs],
        "damaged": [{"folder": str(each.folder), "message": each.message} for each in damaged],
    }


def _comparison_document(found: Compared) -> dict[str, Any]:
    histories = [[asdict(each) for each in run.history] for run in found.runs]
    return {
        "schema": SCHEMA,
        "runs": [
            _run(run) | {"settings": dict(run.settings), "history": history}
            for run, history in zip(found.runs, histories, strict=True)
        ],
        "damaged": [],
        "differences": {
            "settings": {path: list(values) for path, values in found.settings.items()},
            "spec": {path: list(values) for path, values in found.spec.items()},
            "data_changed": found.data_changed,
        },
    }


def _run(run: RunSummary) -> dict[str, Any]:
    return {
        "folder": str(run.folder),
        "name": run.name,
        "status": run.status,
        "created": run.created,
        "changed": datetime.fromtimestamp(run.changed, UTC).isoformat(timespec="seconds"),
        "data": run.data,
        "fingerprint": run.fingerprint,
        "epochs": run.epochs,
        "finished_epochs": len(run.history),
        "seconds": run.seconds,
        "best": None if run.best is None else run.best._asdict(),
        "revision": None if run.revision is None else run.revision._asdict(),
        "outcome": None if run.outcome is None else asdict(run.outcome),
    }
