"""The page of ``cnncli inspect`` for unknown sizes: a table of formulas, and for which sizes they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from cnncli.algebra import Dim
from cnncli.algebra.factoring import readable
from cnncli.analysis.costs.figures import Costs, Figures
from cnncli.analysis.memory.totals import MemoryTotals
from cnncli.analysis.sizes import ValidSizes
from cnncli.graph import Graph
from cnncli.recipe.dtypes import DEFAULT_DTYPE
from cnncli.report.page import Section, Text
from cnncli.report.pages import notes
from cnncli.report.pages.inspect import table
from cnncli.report.pages.sizes import where_it_holds
from cnncli.report.text.amounts import Amount, full, peak_data, written_out
from cnncli.report.text.continuation import folded
from cnncli.report.text.formulas import Abbreviations, abbreviated, explained
from cnncli.report.text.numbers import exact
from cnncli.report.text.wrapping import INDENT, unbroken

_TOTALS: Final = (
    ("parameters", "params"),
    ("buffers", "buffers"),
    ("MACs", "macs"),
    ("FLOPs", "flops"),
    ("neurons", "neurons"),
    ("values", "values"),
    ("weights in bytes", "weights_size"),
)


class Formulas(NamedTuple):
    """What is shown with formulas: the memory, and the sizes for which they hold."""

    memory: MemoryTotals
    found: ValidSizes


def sections(
    graph: Graph, costs: Costs, depth: int | None, formulas: Formulas, width: int | None
) -> Iterator[Section]:
    """Yield the table, folded, totals, and definitions of the names."""
    names = Abbreviations(graph.unknowns)
    brief, figures = abbreviated(graph, costs, names)
    drawn = table(brief, figures, depth, totals=False)
    yield from ((part,) for part in folded(drawn, width))
    yield (Text(tuple(_notes(graph, figures, formulas, names)), "note", INDENT),)
    yield from notes.sections(graph.notes)


def _notes(graph: Graph, figures: Costs, formulas: Formulas, names: Abbreviations) -> Iterator[str]:
    used = [row.figures for row in figures.rows if not row.node.training_only]
    for heading, name in _TOTALS:
        if getattr(figures.totals, name) != 0:
            yield f"{heading} {_total(figures.totals, used, name)}"
    if figures.totals != figures.training_totals:
        trained = [row.figures for row in figures.rows]
        yield f"parameters with training heads {_total(figures.training_totals, trained, 'params')}"
    unused = [row.figures for row in figures.rows if row.node.unused]
    if unused:
        yield f"parameters without output {_total(figures.unused_totals, unused, 'params')}"
    memory = formulas.memory
    yield _memory("saved for backward in bytes", memory.saved, memory.why_not_saved, names)
    yield _memory("inference peak in bytes", memory.peak, memory.why_no_peak, names)
    yield from explained(names, formulas.found, graph)


def _total(total: Figures, parts: Sequence[Figures], name: str) -> str:
    """Return a total; a formula is written as the sum over the layers that reads best."""
    value: Dim = getattr(total, name)
    if isinstance(value, int):
        return exact(value)
    return unbroken(readable(value, [getattr(each, name) for each in parts]))


def _memory(heading: str, amount: Amount, why_none: str, names: Abbreviations) -> str:
    return f"{heading}: {why_none}" if amount is None else unbroken(f"{heading} {full(amount, names.short)}")


def document(graph: Graph, formulas: Formulas) -> dict[str, Any]:
    """Return the memory, null if it has no single formula, and the sizes for which all formulas hold."""
    saved, peak, *_ = formulas.memory
    inference = None if peak is None else peak_data(peak)
    memory = {"dtype": DEFAULT_DTYPE, "saved": written_out(saved), "inference": inference}
    return {"memory": memory, **where_it_holds(graph, formulas.found)}
