"""The page of ``cnncli evaluate``: the figures of the heads, and those of every class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from cnncli.recipe.metrics import TEST
from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.figures import by_head, figures_text
from cnncli.report.text.numbers import percent
from cnncli.results.training import Evaluation

SCHEMA: Final = "cnncli.evaluate/2"


def page(
    name: str,
    data: str,
    classes: Sequence[str],
    measured: Evaluation,
    notes: Sequence[str] = (),
    part: str = TEST,
) -> Page:
    """Return the page of the network ``name`` of these classes, measured on ``data``; ``notes`` say how."""
    title = f"{printable(name)}: {measured.count:,} images of {printable(data)}"
    document = partial(_document, name, data, classes, measured, notes, part)
    answer = Answer(tuple(_answers(measured.figures, part)), good=True)
    return Page(title, partial(_sections, classes, measured), document, answer, _lead(notes))


def _answers(figures: Mapping[str, float], part: str) -> Iterator[str]:
    """Yield a line of the figures in total, and one for each head if there are several."""
    for head, own in by_head(figures, ""):
        yield f"{printable(head) if head else part} {figures_text(own)}"


def _lead(notes: Sequence[str]) -> Section:
    return (Text(tuple(printable(note) for note in notes), "note"),) if notes else ()


def _sections(classes: Sequence[str], measured: Evaluation, _: int | None) -> Iterator[Section]:
    if measured.classes:
        yield (_table(classes, measured),)


def _table(names: Sequence[str], measured: Evaluation) -> Table:
    """Return images or pixels, precision, recall and F1 of every class; of pixels IoU and Dice too."""
    rows, of_pixels = measured.classes, measured.unit == "pixels"
    iou = [Column("IoU", [_ratio(row.iou) for row in rows], right=True)] if of_pixels else []
    return Table(
        (
            Column("class", [printable(name) for name in names], cut=True),
            Column(measured.unit, [f"{row.count:,}" for row in rows], right=True),
            Column("precision", [_ratio(row.precision) for row in rows], right=True),
            Column("recall", [_ratio(row.recall) for row in rows], right=True),
            *iou,
            Column("Dice" if of_pixels else "F1", [_ratio(row.f1) for row in rows], right=True),
        )
    )


def _ratio(share: float | None) -> str:
    return "-" if share is None else percent(share)


def _document(
    name: str,
    data: str,
    classes: Sequence[str],
    measured: Evaluation,
    notes: Sequence[str],
    part: str,
) -> dict[str, Any]:
    names = classes if measured.classes else ()
    return {
        "schema": SCHEMA,
        "name": name,
        "data": data,
        "part": part,
        "notes": list(notes),
        "images": measured.count,
        "unit": measured.unit,
        "figures": dict(measured.figures),
        "classes": [{"name": each} | asdict(row) for each, row in zip(names, measured.classes, strict=True)],
        "confusion": measured.confusion,
    }
