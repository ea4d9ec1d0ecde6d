"""The table of ``cnncli inspect`` for all input sizes at once: formulas, their names, where they hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnncli.algebra import Dim
from cnncli.analysis.costs import Costs
from cnncli.analysis.memory_totals import DTYPE, MemoryTotals
from cnncli.analysis.valid_sizes import ValidSizes
from cnncli.graph import Graph
from cnncli.report.amounts import Amount, full, peak_document, written_out
from cnncli.report.columns import Line
from cnncli.report.formulas import NO_BREAK, Names, abbreviated, explained, wrapped
from cnncli.report.inspection import table, title
from cnncli.report.markdown import escape, markdown_table
from cnncli.report.numbers import exact
from cnncli.report.screen import Screen

_TOTALS = (
    ("parameters", "params"),
    ("buffers", "buffers"),
    ("MACs", "macs"),
    ("FLOPs", "flops"),
    ("neurons", "neurons"),
    ("weights in bytes", "weights_size"),
)


def show(
    screen: Screen,
    graph: Graph,
    costs: Costs,
    memory: MemoryTotals,
    found: ValidSizes,
    depth: int | None,
    batch: int,
) -> None:
    """Show title, table, totals, the names of the formulas, and the sizes for which all of it holds."""
    names = Names(graph.unknowns)
    short, figures = abbreviated(graph, costs, names)
    screen.line(title(graph, batch), "title")
    screen.line()
    screen.table(table(short, figures, depth, totals=False))
    screen.line()
    for text in _notes(figures, memory, names, found):
        screen.lines(Line(line, "note") for line in wrapped(text, screen.width))


def markdown(
    graph: Graph, costs: Costs, memory: MemoryTotals, found: ValidSizes, depth: int | None, batch: int
) -> Iterator[str]:
    """The same as a Markdown document."""
    names = Names(graph.unknowns)
    short, figures = abbreviated(graph, costs, names)
    yield f"## {escape(title(graph, batch))}"
    yield ""
    yield from markdown_table(table(short, figures, depth, totals=False))
    yield ""
    for text in _notes(figures, memory, names, found):
        yield f"{escape(text.replace(NO_BREAK, ' '))}  "


def memory_document(memory: MemoryTotals) -> dict[str, Any]:
    """The memory for machines; null where it has no one formula."""
    peak = None if memory.peak is None else peak_document(memory.peak)
    return {"dtype": DTYPE, "saved": written_out(memory.saved), "inference": peak}


def _notes(figures: Costs, memory: MemoryTotals, names: Names, found: ValidSizes) -> Iterator[str]:
    for heading, name in _TOTALS:
        value: Dim = getattr(figures.totals, name)
        if value != 0:
            yield f"{heading} {exact(value)}"
    if figures.totals != figures.training_totals:
        yield f"parameters with training heads {exact(figures.training_totals.params)}"
    yield _memory("saved for the pass back in bytes", memory.saved, memory.why_not_saved, names)
    yield _memory("peak at work in bytes", memory.peak, memory.why_no_peak, names)
    yield from explained(names, found)


def _memory(heading: str, amount: Amount, why_none: str, names: Names) -> str:
    return f"{heading}: {why_none}" if amount is None else f"{heading} {full(amount, names.short)}"
