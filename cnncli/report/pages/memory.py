"""What ``cnncli memory`` shows: a row a layer, the parts and their peaks, and the largest batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from cnncli.algebra import Dim
from cnncli.analysis.memory.peaks import Peak, Peaks
from cnncli.analysis.memory.usage import LargestBatch, Memory, Row
from cnncli.diagnostics import readable_bytes
from cnncli.graph import Graph
from cnncli.language.sections import Train
from cnncli.layers import shape_text
from cnncli.report.markdown import escape, markdown_table
from cnncli.report.terminal import Screen, printable
from cnncli.report.text.amounts import NONE, Short, column, peak_document, when, written_out
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.json_values import number, shape_numbers, text
from cnncli.report.text.numbers import exact

SCHEMA: Final = "cnncli.memory/1"


class Fits(NamedTuple):
    """The largest batches in a memory of ``limit`` bytes."""

    limit: int
    inference: LargestBatch
    training: LargestBatch


def _as_it_is(dim: Dim) -> Dim:
    return dim


class Report(NamedTuple):
    """A network's memory for a batch, and what it was computed for.

    ``short`` puts names in place of what is long in formulas.
    """

    graph: Graph
    memory: Memory
    batch: int
    dtype: str
    settings: Train
    peaks: Peaks
    fits: Fits | None = None
    short: Short = _as_it_is


def show(screen: Screen, report: Report) -> None:
    """Show layers, parts, and the largest batch if it was asked for."""
    screen.line(title(report), "title")
    for drawn in tables(report):
        screen.line()
        screen.table(drawn)
    screen.line()
    for note in notes(report):
        screen.line(note, "note")


def markdown(report: Report) -> Iterator[str]:
    """The same as a Markdown document."""
    yield f"## {escape(title(report))}"
    for drawn in tables(report):
        yield ""
        yield from markdown_table(drawn)
    yield ""
    for note in notes(report):
        yield f"{escape(note)}  "


def title(report: Report) -> str:
    """What the figures are of."""
    settings = report.settings
    momentum = f", momentum {settings.momentum:g}" if settings.optimizer == "sgd" else ""
    how = f"batch of {exact(report.batch)}, {report.dtype}, {settings.optimizer}{momentum}"
    return f"{printable(report.graph.name)}: input {shape_text(report.graph.input)}, {how}"


def tables(report: Report) -> Iterator[Table]:
    """The layers; the parts and the peaks; the largest batches."""
    yield layers_table(report)
    yield parts_table(report)
    if report.fits is not None:
        yield fits_table(report.fits)


def layers_table(report: Report) -> Table:
    """For every layer its weights, what is alive in its turn at work, and what training keeps of it."""
    rows, short = report.memory.rows, report.short
    turns = [report.peaks.of(row.inference) if row.inference else None for row in rows]
    columns = (
        Column("name", [row.node.name for row in rows], cut=True),
        Column("output", [shape_text(tuple(map(short, row.node.output))) for row in rows]),
        column("weights", [row.weights for row in rows], 1, short),
        column("in its turn", turns, 2, short),
        column("saved", [row.saved.at(report.batch) for row in rows], 3, short),
    )
    return Table(columns)


def parts(report: Report) -> Iterator[tuple[str, Dim, bool]]:
    """What there is: its name, its bytes, and whether it is there in training only."""
    memory = report.memory
    yield "weights", memory.weights, False
    yield "buffers", memory.buffers, False
    yield "gradients", memory.gradients, True
    yield "optimizer's state", memory.state, True
    yield "input", memory.image.at(report.batch), False
    yield "saved for the pass back", memory.saved.at(report.batch), True


def parts_table(report: Report) -> Table:
    """What there is at work and in training, and the most there is at once."""
    named = [*parts(report)]
    at_work = [None if only else amount for _, amount, only in named]
    return Table(
        (
            Column("bytes", [*(name for name, _, _ in named), "peak", "when"]),
            _parts("inference", at_work, report.peaks.of(report.memory.inference), report.short),
            _parts(
                "training",
                [amount for _, amount, _ in named],
                report.peaks.of(report.memory.training),
                report.short,
            ),
        ),
        totals=2,
    )


def fits_table(fits: Fits) -> Table:
    """The largest batch and its peak, and that of one sample more."""
    names, found = ("inference", "training"), (fits.inference, fits.training)
    largest = [exact(each.batch) if each.batch else "none" for each in found]
    peaks = [each.peak if each.batch else None for each in found]
    return Table(
        (
            Column(f"in {readable_bytes(fits.limit)}", names),
            Column("largest batch", largest, right=True),
            column("its peak", peaks, 1, _as_it_is),
            Column("next", [exact(each.batch + 1) for each in found], right=True),
            column("its peak", [each.next_peak for each in found], 1, _as_it_is),
        )
    )


def notes(report: Report) -> Iterator[str]:
    """How to read the tables."""
    yield "in its turn: all that is alive while a layer runs at work, but weights"
    yield "saved: what autograd keeps because of a layer, and of none before it"
    if report.graph.has_training_only:
        yield f"{NONE}: runs in training only; its weights are held all the same"
    yield "not counted: the loss, the allocator's rounding, CUDA and cuDNN (docs/memory.md)"


def document(report: Report) -> str:
    """The same for machines: all in bytes, formulas as text."""
    graph, memory, batch = report.graph, report.memory, report.batch
    settings = report.settings
    held = {
        "weights": number(memory.weights),
        "buffers": number(memory.buffers),
        "input": number(memory.image.at(batch)),
    }
    learning = {
        "gradients": number(memory.gradients),
        "optimizer_state": number(memory.state),
        "saved": number(memory.saved.at(batch)),
    }
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "name": graph.name,
        "spec": graph.source.name,
        "input": shape_numbers(graph.input),
        "batch": batch,
        "dtype": report.dtype,
        "optimizer": settings.optimizer,
        "momentum": settings.momentum if settings.optimizer == "sgd" else None,
        "inference": held | peak_document(report.peaks.of(memory.inference)),
        "training": held | learning | peak_document(report.peaks.of(memory.training)),
        "layers": [_layer(row, report) for row in memory.rows],
    }
    if report.fits is not None:
        limit, inference, training = report.fits
        content["fit"] = {"memory": limit, "inference": inference._asdict(), "training": training._asdict()}
    return text(content)


def _layer(row: Row, report: Report) -> dict[str, Any]:
    return {
        "name": row.node.name,
        "kind": row.node.kind,
        "line": row.node.location.line,
        "output": shape_numbers(row.node.output),
        "weights": number(row.weights),
        "in_its_turn": written_out(report.peaks.of(row.inference) if row.inference else None),
        "saved": number(row.saved.at(report.batch)),
    }


def _parts(heading: str, amounts: Sequence[Dim | None], peak: Peak, short: Short) -> Column:
    """The parts, the peak, and when that is."""
    sizes = column(heading, [*amounts, peak], 1, short)
    return sizes._replace(cells=[*sizes.cells, when(peak)], short_cells=None, cut=True)
