"""The page of ``cnncli evaluate``: the figures of the heads, those of every class, and what is confused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from cnncli.limits import MAX_CONFUSED, MAX_CONFUSION
from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.text.columns import Column, Table, cut_middle
from cnncli.report.text.escapes import printable
from cnncli.report.text.figures import by_head, figures_text
from cnncli.report.text.numbers import percent
from cnncli.results.training import Evaluated, HeadClasses

SCHEMA: Final = "cnncli.evaluate/3"

_HEADING: Final = 6
"""Characters of the name of a class above a column of the table of confusions."""


def page(found: Evaluated) -> Page:
    """Return the page."""
    title = f"{printable(found.name)}: {found.evaluation.count:,} images of {printable(found.data)}"
    answer = Answer(tuple(_answers(found)), good=True)
    return Page(title, partial(_sections, found), partial(_document, found), answer, _lead(found))


def _answers(found: Evaluated) -> Iterator[str]:
    """Yield a line of the figures in total, and one for each head if there are several."""
    for head, own in by_head(found.figures, ""):
        yield f"{printable(head) if head else found.part} {figures_text(own)}"


def _lead(found: Evaluated) -> Section:
    return (Text(tuple(map(printable, found.notes)), "note"),) if found.notes else ()


def _sections(found: Evaluated, _: int | None) -> Iterator[Section]:
    heads = found.evaluation.heads
    for name, head in heads.items():
        heading = (Text((printable(name),), "heading"),) if len(heads) > 1 else ()
        yield (*heading, _table(head))
        yield tuple(_confusion(head))
    if found.predictions is not None:
        yield (Text((f"{printable(str(found.predictions))}: what is predicted of each image",), "good"),)


def _table(head: HeadClasses) -> Table:
    """Return images or pixels, precision, recall and F1 of every class; of pixels IoU and Dice too."""
    rows, of_pixels = head.classes, head.unit == "pixels"
    iou = [Column("IoU", [_ratio(row.iou) for row in rows], right=True)] if of_pixels else []
    return Table(
        (
            Column("class", [printable(name) for name in head.names], cut=True),
            Column(head.unit, [f"{row.count:,}" for row in rows], right=True),
            Column("precision", [_ratio(row.precision) for row in rows], right=True),
            Column("recall", [_ratio(row.recall) for row in rows], right=True),
            *iou,
            Column("Dice" if of_pixels else "F1", [_ratio(row.f1) for row in rows], right=True),
        )
    )


def _confusion(head: HeadClasses) -> Iterator[Table | Text]:
    """Yield how often each class was taken for each; of many classes only the most frequent confusions."""
    if len(head.names) <= MAX_CONFUSION:
        yield _matrix(head)
        return
    pairs = [
        (count, true, predicted)
        for true, row in enumerate(head.confusion)
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    if not pairs:
        return
    shown = sorted(pairs, key=lambda pair: -pair[0])[:MAX_CONFUSED]
    shares = [count / head.classes[true].count for count, true, _ in shown]
    yield Table(
        (
            Column("true", [printable(head.names[true]) for _, true, _ in shown], cut=True),
            Column("predicted", [printable(head.names[predicted]) for *_, predicted in shown], cut=True),
            Column(head.unit, [f"{count:,}" for count, *_ in shown], right=True),
            Column("of class", [percent(share) for share in shares], right=True),
        )
    )
    if len(pairs) > len(shown):
        yield Text((f"and {len(pairs) - len(shown):,} more pairs of classes",), "note")


def _matrix(head: HeadClasses) -> Table:
    """Return a row for each true class, with a column for each predicted one."""
    names = [*map(printable, head.names)]
    columns = (
        Column(
            cut_middle(name, _HEADING),
            [f"{row[number]:,}" if row[number] else "." for row in head.confusion],
            right=True,
        )
        for number, name in enumerate(names)
    )
    return Table((Column("true / predicted", names, cut=True), *columns))


def _ratio(share: float | None) -> str:
    return "-" if share is None else percent(share)


def _document(found: Evaluated) -> dict[str, Any]:
    measured = found.evaluation
    return {
        "schema": SCHEMA,
        "name": found.name,
        "data": found.data,
        "part": found.part,
        "tta": found.tta or None,
        "notes": list(found.notes),
        "images": measured.count,
        "figures": dict(measured.figures),
        "heads": {name: _head(head) for name, head in measured.heads.items()},
        "predictions": None if found.predictions is None else str(found.predictions),
    }


def _head(head: HeadClasses) -> dict[str, Any]:
    rows: Sequence[Any] = head.classes
    return {
        "unit": head.unit,
        "classes": [{"name": name} | asdict(row) for name, row in zip(head.names, rows, strict=True)],
        "confusion": head.confusion,
    }
