"""The page of ``cnncli export``: what was written, which sizes it accepts, and what was compared."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from cnncli.diagnostics import counted, listing, readable_bytes
from cnncli.recipe.metrics import metric_of
from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.pages.sizes import words
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import percent
from cnncli.results.export import Exported, Quantized, Resized

SCHEMA: Final = "cnncli.export/1"


def page(found: Exported) -> Page:
    """Return the page."""
    title = f"{printable(found.name)}: {found.format}, {counted(found.tensors, 'tensor')}"
    return Page(
        title, partial(_sections, found), partial(_document, found), _answer(found), tuple(_lead(found))
    )


def _answer(found: Exported) -> Answer:
    file, quantized = printable(str(found.file)), found.quantized
    if quantized is None or found.is_written:
        return Answer((f"{file}: {readable_bytes(found.size)}",), good=True)
    metric = metric_of(quantized.metric).title
    most = percent(quantized.limit or 0.0)
    return Answer(
        (f"{file} was not written: {metric} drops by {percent(quantized.drop)}, more than {most}",),
        good=False,
    )


def _lead(found: Exported) -> Iterator[Text]:
    """Yield where the weights are from, the sizes, and the notes."""
    lines = [f"weights of {printable(found.weights.file)}"]
    lines += [f"{axis}: {words(sizes)}" for axis, sizes in found.sizes.items()]
    if found.functions:
        blocks = [f"{printable(name)} ({count})" for name, count in found.functions.items()]
        lines.append(f"functions: {listing(blocks)}")
    if found.images:
        lines.append(found.images)
    yield Text((*lines, *map(printable, found.notes)), "note")


def _sections(found: Exported, _: int | None) -> Iterator[Section]:
    if found.compared:
        inputs = ["x".join(map(str, each.shape)) for each in found.compared]
        cells = ["ran" if each.difference is None else f"{each.difference:.1e}" for each in found.compared]
        heading = "difference" if found.compared[0].difference is not None else "result"
        yield (
            Text(("compared with the network",), "heading"),
            Table((Column("input", inputs), Column(heading, cells, right=True))),
        )
    if found.resized is not None:
        yield (Text((_of_resizing(found.resized),), "note"),)
    quantized = found.quantized
    if quantized is not None:
        rows = {
            "layers": f"{quantized.layers} of {quantized.of}",
            "calibrated with": counted(quantized.calibrated, "training image"),
            "size": f"{readable_bytes(found.size)} instead of {readable_bytes(quantized.whole)}",
            **{f"{quantized.metric} {when}": text for when, text in _figures(quantized)},
            "measured on": counted(quantized.images, "held-out image"),
        }
        yield (Table((Column("8 bits", [*rows]), Column("", [*rows.values()]))),)


def _figures(quantized: Quantized) -> Iterator[tuple[str, str]]:
    metric = metric_of(quantized.metric)
    for when, value in (("before", quantized.before), ("after", quantized.after)):
        yield when, percent(value) if metric.is_share else f"{value:.4g} {metric.unit}".rstrip()


def _of_resizing(resized: Resized) -> str:
    """Return how near the resizing of the file is to that of the training."""
    if not resized.others:
        return f"images of other sizes are resized as in training: {resized.values:,} bytes are equal"
    return (
        f"images of other sizes are resized as in training but for rounding: {resized.others:,} of "
        f"{resized.values:,} bytes differ, by at most {resized.levels:.2g} of 255"
    )


def _document(found: Exported) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": found.name,
        "format": found.format,
        "file": str(found.file),
        "written": found.is_written,
        "bytes": found.size,
        "weights": found.weights._asdict(),
        "tensors": found.tensors,
        "sizes": {axis: each._asdict() for axis, each in found.sizes.items()},
        "functions": dict(found.functions),
        "compared": [each._asdict() for each in found.compared],
        "notes": list(found.notes),
        "images": found.images or None,
        "resized": None if found.resized is None else found.resized._asdict(),
        "quantized": None if found.quantized is None else found.quantized._asdict(),
    }
