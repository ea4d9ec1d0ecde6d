"""The table of ``cnncli inspect`` for all input sizes at once: formulas, their names, where they hold."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from cnncli.algebra import Dim
from cnncli.analysis.costs import Costs
from cnncli.analysis.valid_sizes import ValidSizes
from cnncli.graph import Graph
from cnncli.report.columns import Line
from cnncli.report.formulas import abbreviated
from cnncli.report.inspection import table, title
from cnncli.report.markdown import escape, markdown_table
from cnncli.report.numbers import exact
from cnncli.report.screen import Screen
from cnncli.report.valid_sizes import words

_WIDTH = 100
_NO_BREAK = "\N{NO-BREAK SPACE}"
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
    screen.table(table(short, figures, depth, totals=False))
    screen.line()
    for text in _notes(figures, legend, found):
        screen.lines(Line(line, "note") for line in _wrapped(text, screen.width))


def markdown(graph: Graph, costs: Costs, found: ValidSizes, depth: int | None, batch: int) -> Iterator[str]:
    """The same as a Markdown document."""
    short, figures, legend = abbreviated(graph, costs)
    yield f"## {escape(title(graph, batch))}"
    yield ""
    yield from markdown_table(table(short, figures, depth, totals=False))
    yield ""
    for text in _notes(figures, legend, found):
        yield f"{escape(text.replace(_NO_BREAK, ' '))}  "


def _notes(figures: Costs, legend: tuple[str, ...], found: ValidSizes) -> Iterator[str]:
    for heading, name in _TOTALS:
        value: Dim = getattr(figures.totals, name)
        if value != 0:
            yield f"{heading} {exact(value)}"
    if figures.totals != figures.training_totals:
        yield f"parameters with training heads {exact(figures.training_totals.params)}"
    if legend:
        # No line ends within a definition.
        yield f"where {', '.join(each.replace(' ', _NO_BREAK) for each in legend)}"
    for axis in found.axes:
        yield f"{axis.name}: {words(axis.sizes)}"
    for bound in found.open_bounds:
        yield f"and only where {bound.condition} ({bound.node})"


def _wrapped(text: str, width: int | None) -> list[str]:
    lines = textwrap.wrap(text, width or _WIDTH, subsequent_indent="    ", break_long_words=False)
    return [line.replace(_NO_BREAK, " ") for line in lines]
