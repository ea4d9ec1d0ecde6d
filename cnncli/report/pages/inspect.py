"""The table of ``cnncli inspect``, for a terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnncli.algebra import Dim
from cnncli.analysis.costs.figures import Costs, Figures
from cnncli.analysis.costs.fully_connected import Comparison
from cnncli.diagnostics import listing
from cnncli.graph import Graph
from cnncli.language.description import OUTPUT
from cnncli.layers import shape_text
from cnncli.report.markdown import escape, markdown_table
from cnncli.report.pages.views import View
from cnncli.report.terminal import Screen, printable
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.folding import FoldedRow, fold
from cnncli.report.text.numbers import exact, megabytes, short

_MARK = "*"
_FIGURES = (("parameters", "params", 3), ("MACs", "macs", 2), ("neurons", "neurons", 1))
"""Heading, name and rank of the columns that every table has."""


def show(
    screen: Screen, graph: Graph, costs: Costs, depth: int | None, batch: int, views: Sequence[View] = ()
) -> None:
    """Show title, table and summary."""
    screen.line(title(graph, batch), "title")
    screen.line()
    screen.table(table(graph, costs, depth, views))
    screen.line()
    for line in summary(graph, costs, views):
        screen.line(line, "note")


def title(graph: Graph, batch: int) -> str:
    """The network's name and input."""
    unknown = f", {listing(graph.variables)} unknown" if graph.variables else ""
    several = f", batch of {batch}" if batch > 1 else ""
    return f"{printable(graph.name)}: input {shape_text(graph.input)}{unknown}{several}"


def table(
    graph: Graph, costs: Costs, depth: int | None, views: Sequence[View] = (), *, totals: bool = True
) -> Table:
    """Name, kind, output, what the views say, parameters, MACs and neurons of every layer; the totals.

    Where there is little room, the figures make room for what views say, and for formulas.
    """
    rows = fold(costs.rows, graph.groups, depth)
    sums = list(_sums(graph, costs)) if totals else []
    blank = [""] * len(sums)
    figures = [row.figures for row in rows] + [figures for _, figures in sums]
    columns = (
        Column("name", [_name(row) for row in rows] + [name for name, _ in sums], cut=True),
        Column("kind", [row.kind for row in rows] + blank),
        Column("output", [shape_text(row.output) for row in rows] + blank),
        *(column for view in views for column in view.columns([row.last for row in rows], len(blank))),
        *(
            figure_column(heading, figures, name, rank)._replace(optional=bool(views) or not totals)
            for heading, name, rank in _FIGURES
        ),
    )
    return Table(columns, totals=len(sums))


def _sums(graph: Graph, costs: Costs) -> Iterator[tuple[str, Figures]]:
    """What stands in the rows of totals."""
    yield "total", costs.totals
    if graph.has_training_only:
        yield f"{_MARK} with training heads", costs.training_totals


def summary(graph: Graph, costs: Costs, views: Sequence[View] = ()) -> Iterator[str]:
    """What stands under the table."""
    totals = costs.totals
    yield f"trainable parameters {exact(totals.params)}   buffers {exact(totals.buffers)}"
    yield f"FLOPs {exact(totals.flops)}   weights {weights_text(totals)}"
    if graph.has_training_only:
        yield f"{_MARK} exists in training only; not part of the total"
    if list(graph.outputs) != [OUTPUT]:
        outputs = (f"{name} {shape_text(output.shape)}" for name, output in graph.outputs.items())
        yield f"outputs: {', '.join(outputs)}"
    for view in views:
        yield from view.notes()


def dense_table(comparisons: Sequence[Comparison]) -> Table:
    """The weights of each layer beside those of a fully connected one."""
    shapes = [
        f"{shape_text(each.node.input_shapes[0])} -> {shape_text(each.node.output)}" for each in comparisons
    ]
    dense = [each.dense_weights for each in comparisons]
    columns = (
        Column("name", [each.node.name for each in comparisons], cut=True),
        Column("from -> to", shapes),
        Column("weights", [exact(each.weights) for each in comparisons], right=True),
        Column(
            "fully connected",
            [exact(n) for n in dense],
            right=True,
            short_cells=[short(n) for n in dense],
            rank=1,
        ),
        Column("factor", [_factor(each.factor) for each in comparisons], right=True),
    )
    return Table(columns)


def markdown(
    graph: Graph, costs: Costs, depth: int | None, batch: int, views: Sequence[View] = ()
) -> Iterator[str]:
    """The same as a Markdown document."""
    drawn = table(graph, costs, depth, views)
    yield f"## {escape(title(graph, batch))}"
    yield ""
    yield from markdown_table(drawn)
    yield ""
    for line in summary(graph, costs, views):
        yield f"{escape(line)}  "


def _name(row: FoldedRow) -> str:
    return f"{row.name} {_MARK}" if row.training_only else row.name


def figure_column(heading: str, figures: Sequence[Figures], name: str, rank: int) -> Column:
    """One figure of every row, in full or, where there is little room, in three digits."""
    values: list[Dim] = [getattr(each, name) for each in figures]
    cells = [exact(value) for value in values]
    brief = [
        short(value) if isinstance(value, int) else cell for value, cell in zip(values, cells, strict=True)
    ]
    return Column(heading, cells, right=True, short_cells=brief, rank=rank)


def weights_text(figures: Figures) -> str:
    """The size of the weights, for a person."""
    size = figures.weights_size
    return megabytes(size) if isinstance(size, int) else f"{size} bytes"


def _factor(factor: float) -> str:
    return f"{factor:,.0f}x" if factor >= 10 else f"{factor:.3g}x"
