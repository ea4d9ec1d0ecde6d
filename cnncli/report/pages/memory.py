"""The page of ``cnncli memory``: a row for each layer, the parts and their peaks, the largest batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from cnncli.algebra import Dim, summed
from cnncli.analysis.memory.peaks import FEW, Peak
from cnncli.analysis.memory.report import Fits, MemoryReport
from cnncli.analysis.memory.usage import Row
from cnncli.diagnostics import readable_bytes
from cnncli.layers import shape_text
from cnncli.recipe.optimizers import SGD
from cnncli.report.page import Page, Section, Text
from cnncli.report.text.amounts import NONE, Short, column, full, peak_data, when, written_out
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.continuation import folded
from cnncli.report.text.escapes import printable
from cnncli.report.text.folding import prefix, together
from cnncli.report.text.formulas import Abbreviations, explained
from cnncli.report.text.json_values import number, shape_numbers
from cnncli.report.text.numbers import exact
from cnncli.report.text.wrapping import INDENT, unbroken

SCHEMA: Final = "cnncli.memory/1"


def _as_it_is(dim: Dim) -> Dim:
    return dim


def page(report: MemoryReport, depth: int | None = None) -> Page:
    """Return the page; formulas where sizes are unknown. Layers whose names have more parts share a row."""
    sections = _formula_sections if report.graph.unknowns else _sections
    return Page(f"{_title(report)}, in bytes", partial(sections, report, depth), partial(_document, report))


def _title(report: MemoryReport) -> str:
    """Return the title: network, input, batch size, dtype and optimizer."""
    chosen = report.settings.optimizer
    momentum = f", momentum {chosen.momentum:g}" if isinstance(chosen, SGD) else ""
    how = f"batch of {exact(report.batch)}, {report.dtype}, {chosen.keyword}{momentum}"
    return f"{printable(report.graph.name)}: input {shape_text(report.graph.input)}, {how}"


def _sections(report: MemoryReport, depth: int | None, _: int | None) -> Iterator[Section]:
    """Yield the layers, the parts and the peaks, and the largest batches."""
    yield (_layers_table(report, depth, _as_it_is),)
    yield (_parts_table(report),)
    if report.fits is not None:
        yield (_fits_table(report.fits),)
    yield (Text(tuple(_notes(report)), "note"),)


def _layers_table(report: MemoryReport, depth: int | None, short: Short) -> Table:
    """Return the table of layers: weights, memory that is live while they run, memory saved in training."""
    rows = [*together(report.memory.rows, depth)]
    last = [each[-1].node for each in rows]
    names = [prefix(each[-1].node.name, depth if len(each) > 1 else None) for each in rows]
    moments = [[moment for row in each for moment in row.inference] for each in rows]
    columns = (
        Column("name", names, cut=True),
        Column("output", [shape_text(tuple(map(short, node.output_shape))) for node in last]),
        column("weights", [summed(row.weights for row in each) for each in rows], 1, short),
        column("live", [report.peaks.of(each) if each else None for each in moments], 2, short),
        column("saved", [summed(row.saved.at(report.batch) for row in each) for each in rows], 3, short),
    )
    return Table(columns)


def _parts(report: MemoryReport) -> Iterator[tuple[str, Dim, bool]]:
    """Yield the parts of memory: name, bytes, and whether it exists in training only."""
    memory = report.memory
    yield "weights", memory.weights, False
    yield "buffers", memory.buffers, False
    yield "gradients", memory.gradients, True
    yield "optimizer's state", memory.state, True
    if memory.average != 0:
        yield "average of the weights", memory.average, True
    yield "input", memory.image.at(report.batch), False
    yield "saved for backward", memory.saved.at(report.batch), True


def _parts_table(report: MemoryReport) -> Table:
    """Return the parts of memory in inference and in training, and the peaks."""
    named = [*_parts(report)]
    inference = [None if only else amount for _, amount, only in named]
    return Table(
        (
            Column("bytes", [*(name for name, _, _ in named), "peak", "at"]),
            _parts_column("inference", inference, report.inference_peak),
            _parts_column(
                "training",
                [amount for _, amount, _ in named],
                report.training_peak,
            ),
        ),
        totals=2,
    )


def _fits_table(fits: Fits) -> Table:
    """Return the largest batch and its peak, and those of one more sample."""
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


def _notes(report: MemoryReport) -> Iterator[str]:
    """Yield explanations of the tables."""
    yield "live: everything but weights that is in memory while a layer runs in inference"
    yield "saved: what autograd keeps for this layer and for no earlier one"
    if report.settings.accumulate > 1:
        yield f"training: a slice of {report.batch:,} after others, whose inputs are not counted"
    if report.settings.recompute:
        yield "training: as if nothing were computed again in the backward pass"
    if report.graph.has_training_only:
        yield f"{NONE}: runs in training only, but its weights are always in memory"
    if any(group.is_fixed for group in report.settings.groups):
        yield "frozen layers have weights, but no gradients and no optimizer's state"
    if any(group.freeze and not group.is_fixed for group in report.settings.groups):
        yield "training: of epochs in which the layers learn that are frozen at first"
    if report.graph.has_unused:
        yield "layers that lead to no output have weights, but no gradients and no optimizer's state"
    yield "not counted: the loss, the allocator's rounding, CUDA and cuDNN (docs/memory.md)"


# -- formulas --------------------------------------------------------------------------------------


def _formula_sections(report: MemoryReport, depth: int | None, width: int | None) -> Iterator[Section]:
    """Yield the layers in a folded table, the parts, and definitions of names."""
    from cnncli.analysis.sizes import valid_sizes  # noqa: PLC0415 - numbers do not need it

    found = valid_sizes(report.graph)
    names = Abbreviations(report.graph.unknowns)
    name, output, *figures = _layers_table(report, depth, names.short).columns
    exactly = (each._replace(short_cells=None, optional=True) for each in figures)
    drawn = Table((name, output, *exactly))
    yield from ((part,) for part in folded(drawn, width))
    notes = (*_formula_notes(report, names.short), *explained(names, found, report.graph), *_notes(report))
    yield (Text(notes, "note", INDENT),)


def _formula_notes(report: MemoryReport, short: Short) -> Iterator[str]:
    """Yield a line for each part and each peak."""
    for name, amount, _ in _parts(report):
        if amount != 0:
            yield unbroken(f"{name} {exact(short(amount))}")
    yield _peak("inference peak", report.inference_peak, short)
    yield _peak("training peak", report.training_peak, short)


def _peak(heading: str, peak: Peak, short: Short) -> str:
    if len(peak.moments) > FEW:
        return (
            f"{heading} depends on the size; it is one of: {when(peak)} (the JSON document has all formulas)"
        )
    return unbroken(f"{heading} {full(peak, short)}: {when(peak)}")


# -- data ------------------------------------------------------------------------------------------


def _document(report: MemoryReport) -> dict[str, Any]:
    """Return the document: all in bytes, formulas as text."""
    graph, memory, batch = report.graph, report.memory, report.batch
    chosen = report.settings.optimizer
    held = {
        "weights": number(memory.weights),
        "buffers": number(memory.buffers),
        "input": number(memory.image.at(batch)),
    }
    learning = {
        "gradients": number(memory.gradients),
        "optimizer_state": number(memory.state),
        "average": number(memory.average),
        "saved": number(memory.saved.at(batch)),
    }
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "name": graph.name,
        "spec": graph.source.name,
        "input": shape_numbers(graph.input),
        "batch": batch,
        "dtype": report.dtype,
        "optimizer": {chosen.keyword: chosen.plain()},
        "inference": held | peak_data(report.inference_peak),
        "training": held | learning | peak_data(report.training_peak),
        "layers": [_layer_data(row, report) for row in memory.rows],
    }
    if report.fits is not None:
        limit, inference, training = report.fits
        content["fit"] = {"memory": limit, "inference": inference._asdict(), "training": training._asdict()}
    return content


def _layer_data(row: Row, report: MemoryReport) -> dict[str, Any]:
    return {
        "name": row.node.name,
        "kind": row.node.kind,
        "line": row.node.location.line,
        "output": shape_numbers(row.node.output_shape),
        "weights": number(row.weights),
        "live": written_out(report.peaks.of(row.inference) if row.inference else None),
        "saved": number(row.saved.at(report.batch)),
    }


def _parts_column(heading: str, amounts: Sequence[Dim | None], peak: Peak) -> Column:
    """Return the parts, the peak, and where it is."""
    sizes = column(heading, [*amounts, peak], 1, _as_it_is)
    return sizes._replace(cells=[*sizes.cells, when(peak)], short_cells=None, cut=True)
