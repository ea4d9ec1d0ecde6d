"""The page of ``cnncli shrink``: what was removed, and what that costs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from cnncli.diagnostics import counted
from cnncli.recipe.metrics import metric_of
from cnncli.report.page import Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.figures import figure_text
from cnncli.report.text.numbers import exact
from cnncli.results.shrinking import Shrunk

SCHEMA: Final = "cnncli.shrink/1"

_RUN: Final = "small"
"""The run in the suggested command."""


def page(found: Shrunk) -> Page:
    """Return the page."""
    title = f"{printable(found.name)}: {counted(found.removed, 'channel')} of {found.of:,} removed"
    return Page(title, partial(_sections, found), partial(_document, found))


def _sections(found: Shrunk, _: int | None) -> Iterator[Section]:
    layers = found.layers
    yield (
        Table(
            (
                Column("layer", [layer.name for layer in layers], cut=True),
                Column("kind", [layer.kind for layer in layers]),
                Column("before", [exact(layer.before) for layer in layers], right=True),
                Column("after", [exact(layer.after) for layer in layers], right=True),
            )
        ),
    )
    metric = metric_of(found.metric)
    rows = [
        (each.name, exact(each.before), exact(each.after), f"at most {exact(each.limit)}")
        for each in found.figures
    ]
    shown = [figure_text(metric, value) for value in found.lost.values()]
    rows.append((found.metric, shown[0], shown[1], ""))
    heads = ("", "before", "after", "limit")
    columns = (
        Column(head, cells, right=place in (1, 2))
        for place, (head, cells) in enumerate(zip(heads, map(list, zip(*rows, strict=True)), strict=True))
    )
    yield (Table(tuple(columns)),)
    yield tuple(_ending(found, shown))


def _ending(found: Shrunk, shown: list[str]) -> Iterator[Text]:
    files = f"{printable(str(found.spec))} and {printable(str(found.weights))}"
    yield Text((f"written to {files}",), "good")
    if found.run is not None:
        yield Text((f"{found.metric} after fine-tuning in {printable(str(found.run))}: {shown[-1]}",), "good")
        return
    command = shlex.join(["cnncli", "train", str(found.spec), "--from", str(found.weights), "--run", _RUN])
    yield Text(("to fine-tune it:", f"  {printable(command)}"), "note")


def _document(found: Shrunk) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": found.name,
        "source": str(found.source),
        "layers": [layer._asdict() for layer in found.layers],
        "figures": [each._asdict() for each in found.figures],
        "removed": found.removed,
        "of": found.of,
        "metric": found.metric,
        "before": found.before,
        "after": found.after,
        "tuned": found.tuned,
        "spec": str(found.spec),
        "weights": str(found.weights),
        "run": None if found.run is None else str(found.run),
    }
