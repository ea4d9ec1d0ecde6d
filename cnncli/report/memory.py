"""What ``cnncli memory`` shows: a row a layer, the parts and their peaks, and the largest batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from cnncli.algebra import Dim
from cnncli.analysis.liveness import Bytes
from cnncli.analysis.memory import Fit, Memory, Moment, fullest, known
from cnncli.diagnostics import readable_bytes
from cnncli.graph import Graph
from cnncli.layers import shape_text
from cnncli.report.columns import Column, Table
from cnncli.report.json_text import shape_numbers, text
from cnncli.report.markdown import escape, markdown_table
from cnncli.report.numbers import exact
from cnncli.report.screen import Screen, printable
from cnncli.spec.sections import Train

SCHEMA: Final = "cnncli.memory/1"
_NONE: Final = "-"


class Fits(NamedTuple):
    """The largest batches in a memory of ``limit`` bytes."""

    limit: int
    inference: Fit
    training: Fit


class Report(NamedTuple):
    """A network's memory for a batch, and what it was computed for."""

    graph: Graph
    memory: Memory
    batch: int
    dtype: str
    settings: Train
    fits: Fits | None = None


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
    rows = report.memory.rows
    columns = (
        Column("name", [row.node.name for row in rows], cut=True),
        Column("output", [shape_text(row.node.output) for row in rows]),
        _column("weights", [_number(row.weights) for row in rows], rank=1),
        _column("in its turn", [_most(row.working, report.batch) for row in rows], rank=2),
        _column("saved", [known(row.saved, report.batch) for row in rows], rank=3),
    )
    return Table(columns)


def parts_table(report: Report) -> Table:
    """What there is at work and in training, and the most there is at once."""
    memory, batch = report.memory, report.batch
    weights, buffers = _number(memory.weights), _number(memory.buffers)
    image, saved = known(memory.image, batch), known(memory.saved, batch)
    learning = _number(memory.gradients), _number(memory.state)
    names = ("weights", "buffers", "gradients", "optimiser's state", "input", "saved for the pass back")
    return Table(
        (
            Column("bytes", [*names, "peak", "when"]),
            _parts("inference", (weights, buffers, None, None, image, None), memory.inference, batch),
            _parts("training", (weights, buffers, *learning, image, saved), memory.training, batch),
        ),
        totals=2,
    )


def fits_table(fits: Fits) -> Table:
    """The largest batch and its peak, and that of one sample more."""
    names, found = ("inference", "training"), (fits.inference, fits.training)
    largest = [exact(each.batch) if each.batch else "none" for each in found]
    return Table(
        (
            Column(f"in {readable_bytes(fits.limit)}", names),
            Column("largest batch", largest, right=True),
            _column("its peak", [each.peak if each.batch else None for each in found], rank=1),
            Column("next", [exact(each.batch + 1) for each in found], right=True),
            _column("its peak", [each.next_peak for each in found], rank=1),
        )
    )


def notes(report: Report) -> Iterator[str]:
    """How to read the tables."""
    yield "in its turn: all that is alive while a layer runs at work, but weights"
    yield "saved: what autograd keeps because of a layer, and of none before it"
    if report.graph.has_training_only:
        yield f"{_NONE}: runs in training only; its weights are held all the same"
    yield "not counted: the loss, the allocator's rounding, CUDA and cuDNN (docs/memory.md)"


def document(report: Report) -> str:
    """The same for machines: all in bytes."""
    graph, memory, batch = report.graph, report.memory, report.batch
    settings = report.settings
    held = {
        "weights": _number(memory.weights),
        "buffers": _number(memory.buffers),
        "input": known(memory.image, batch),
    }
    learning = {
        "gradients": _number(memory.gradients),
        "optimizer_state": _number(memory.state),
        "saved": known(memory.saved, batch),
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
        "inference": held | _peak(memory.inference, batch),
        "training": held | learning | _peak(memory.training, batch),
        "layers": _layers(memory, batch),
    }
    if report.fits is not None:
        limit, inference, training = report.fits
        content["fit"] = {"memory": limit, "inference": inference._asdict(), "training": training._asdict()}
    return text(content)


def _layers(memory: Memory, batch: int) -> list[dict[str, Any]]:
    return [
        {
            "name": row.node.name,
            "kind": row.node.kind,
            "line": row.node.location.line,
            "output": shape_numbers(row.node.output),
            "weights": _number(row.weights),
            "in_its_turn": _most(row.working, batch),
            "saved": known(row.saved, batch),
        }
        for row in memory.rows
    ]


def _peak(moments: Sequence[Moment], batch: int) -> dict[str, Any]:
    peak = fullest(moments, batch)
    return {"peak": known(peak.held, batch), "phase": peak.phase, "layer": peak.node or None}


def _most(moments: Sequence[Moment], batch: int) -> int | None:
    return known(fullest(moments, batch).held, batch) if moments else None


def _number(amount: Dim) -> int:
    return known(Bytes(amount), 0)


def _column(heading: str, sizes: Sequence[int | None], rank: int) -> Column:
    """Bytes in full or, where there is little room, as a person says them."""
    full = [_NONE if size is None else exact(size) for size in sizes]
    brief = [_NONE if size is None else readable_bytes(size) for size in sizes]
    return Column(heading, full, right=True, short_cells=brief, rank=rank)


def _parts(heading: str, parts: Sequence[int | None], moments: Sequence[Moment], batch: int) -> Column:
    """The parts, the peak, and when that is."""
    peak = fullest(moments, batch)
    sizes = _column(heading, [*parts, known(peak.held, batch)], rank=1)
    return sizes._replace(cells=[*sizes.cells, _when(peak)], short_cells=None, cut=True)


def _when(peak: Moment) -> str:
    return f"{peak.phase}, {printable(peak.node)}" if peak.node else "the optimiser's step"
