"""The table of ``cnncli inspect`` for all input sizes at once: formulas, their names, where they hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnncli.algebra import Dim
from cnncli.algebra.factoring import readable
from cnncli.analysis.costs import Costs, Figures
from cnncli.analysis.valid_sizes import ValidSizes
from cnncli.graph import Graph
from cnncli.report.columns import Line
from cnncli.report.continuation import continuation
from cnncli.report.formulas import abbreviated, definitions, plain, unbroken, wrapped
from cnncli.report.inspection import table, title
from cnncli.report.markdown import escape, markdown_table
from cnncli.report.numbers import exact
from cnncli.report.screen import Screen
from cnncli.report.valid_sizes import words

_WIDTH = 100
_TOTALS = (
    ("parameters", "params"),
    ("buffers", "buffers"),
    ("MACs", "macs"),
    ("FLOPs", "flops"),
    ("neurons", "neurons"),
    ("weights in bytes", "weights_size"),
)


def show(
    screen: Screen, graph: Graph, costs: Costs, found: ValidSizes, depth: int | None, batch: int
) -> None:
    """Show title, table, totals, the names of the formulas, and the sizes for which all of it holds."""
    short, figures, legend = abbreviated(graph, costs)
    screen.line(title(graph, batch), "title")
    screen.line()
    drawn = table(short, figures, depth, totals=False)
    screen.table(drawn)
    for rest in continuation(drawn, screen.width):
        screen.line()
        screen.table(rest)
    screen.line()
    for text in _notes(figures, legend, found):
        screen.lines(Line(line, "note") for line in wrapped(text, screen.width or _WIDTH))


def markdown(graph: Graph, costs: Costs, found: ValidSizes, depth: int | None, batch: int) -> Iterator[str]:
    """The same as a Markdown document."""
    short, figures, legend = abbreviated(graph, costs)
    yield f"## {escape(title(graph, batch))}"
    yield ""
    yield from markdown_table(table(short, figures, depth, totals=False))
    yield ""
    for text in _notes(figures, legend, found):
        yield f"{escape(plain(text))}  "


def _notes(figures: Costs, legend: tuple[str, ...], found: ValidSizes) -> Iterator[str]:
    used = [row.figures for row in figures.rows if not row.node.training_only]
    for heading, name in _TOTALS:
        if getattr(figures.totals, name) != 0:
            yield f"{heading} {_total(figures.totals, used, name)}"
    if figures.totals != figures.training_totals:
        trained = [row.figures for row in figures.rows]
        yield f"parameters with training heads {_total(figures.training_totals, trained, 'params')}"
    if legend:
        yield f"where {definitions(legend)}"
    for axis in found.axes:
        yield f"{axis.name}: {words(axis.sizes)}"
    for bound in found.open_bounds:
        yield f"and only where {bound.condition} ({bound.node})"


def _total(total: Figures, parts: Sequence[Figures], name: str) -> str:
    """A total and, where it is a formula, how it is best read as a sum over the layers."""
    value: Dim = getattr(total, name)
    if isinstance(value, int):
        return exact(value)
    return unbroken(readable(value, [getattr(each, name) for each in parts]))
