"""The page of ``cnncli evaluate``: accuracy, loss, and the figures of every class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import percent
from cnncli.results.training import ClassFigures, Evaluation

SCHEMA: Final = "cnncli.evaluate/1"


def page(
    name: str, data: str, classes: Sequence[str], figures: Evaluation, notes: Sequence[str] = ()
) -> Page:
    """Return the page of the network ``name`` of these classes, measured on ``data``; ``notes`` say how."""
    top5 = f", top-5 {percent(figures.top5)}" if figures.top5 is not None else ""
    accuracy = f"test accuracy {percent(figures.top1)}, loss {figures.loss:.6f}{top5}"
    title = f"{printable(name)}: {figures.count:,} images of {printable(data)}"
    document = partial(_document, name, data, classes, figures, notes)
    answer = Answer((accuracy,), good=True)
    return Page(title, partial(_sections, classes, figures), document, answer, _lead(notes))


def _lead(notes: Sequence[str]) -> Section:
    return (Text(tuple(printable(note) for note in notes), "note"),) if notes else ()


def _sections(classes: Sequence[str], figures: Evaluation, _: int | None) -> Iterator[Section]:
    yield (_table(classes, figures.classes),)


def _table(names: Sequence[str], rows: Sequence[ClassFigures]) -> Table:
    """Return images, precision, recall and F1 of every class."""
    return Table(
        (
            Column("class", [printable(name) for name in names], cut=True),
            Column("images", [f"{row.count:,}" for row in rows], right=True),
            Column("precision", [_ratio(row.precision) for row in rows], right=True),
            Column("recall", [_ratio(row.recall) for row in rows], right=True),
            Column("F1", [_ratio(row.f1) for row in rows], right=True),
        )
    )


def _ratio(share: float | None) -> str:
    return "-" if share is None else percent(share)


def _document(
    name: str, data: str, classes: Sequence[str], figures: Evaluation, notes: Sequence[str]
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": name,
        "data": data,
        "notes": list(notes),
        "images": figures.count,
        "loss": figures.loss,
        "top1": figures.top1,
        "top5": figures.top5,
        "classes": [{"name": each} | asdict(row) for each, row in zip(classes, figures.classes, strict=True)],
        "confusion": figures.confusion,
    }
