"""The table of ``cnncli inspect`` for all input sizes at once: formulas, their names, where they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from cnncli.algebra import Dim
from cnncli.algebra.factoring import readable
from cnncli.analysis.costs.figures import Costs, Figures
from cnncli.analysis.memory.totals import DTYPE, MemoryTotals
from cnncli.analysis.sizes import ValidSizes
from cnncli.graph import Graph
from cnncli.report.markdown import escape, markdown_table
from cnncli.report.pages.inspect import table, title
from cnncli.report.terminal import Screen
from cnncli.report.text.amounts import Amount, full, peak_document, written_out
from cnncli.report.text.columns import Line
from cnncli.report.text.continuation import continuation
from cnncli.report.text.formulas import Names, abbreviated, explained, plain, unbroken, wrapped
from cnncli.report.text.numbers import exact

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
    drawn = table(short, figures, depth, totals=False)
    screen.table(drawn)
    for rest in continuation(drawn, screen.width):
        screen.line()
        screen.table(rest)
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
        yield f"{escape(plain(text))}  "


def memory_document(memory: MemoryTotals) -> dict[str, Any]:
    """The memory for machines; null where it has no one formula."""
    peak = None if memory.peak is None else peak_document(memory.peak)
    return {"dtype": DTYPE, "saved": written_out(memory.saved), "inference": peak}


def _notes(figures: Costs, memory: MemoryTotals, names: Names, found: ValidSizes) -> Iterator[str]:
    used = [row.figures for row in figures.rows if not row.node.training_only]
    for heading, name in _TOTALS:
        if getattr(figures.totals, name) != 0:
            yield f"{heading} {_total(figures.totals, used, name)}"
    if figures.totals != figures.training_totals:
        trained = [row.figures for row in figures.rows]
        yield f"parameters with training heads {_total(figures.training_totals, trained, 'params')}"
    yield _memory("saved for the pass back in bytes", memory.saved, memory.why_not_saved, names)
    yield _memory("peak at work in bytes", memory.peak, memory.why_no_peak, names)
    yield from explained(names, found)


def _total(total: Figures, parts: Sequence[Figures], name: str) -> str:
    """A total and, where it is a formula, how it is best read as a sum over the layers."""
    value: Dim = getattr(total, name)
    if isinstance(value, int):
        return exact(value)
    return unbroken(readable(value, [getattr(each, name) for each in parts]))


def _memory(heading: str, amount: Amount, why_none: str, names: Names) -> str:
    return f"{heading}: {why_none}" if amount is None else unbroken(f"{heading} {full(amount, names.short)}")
