"""The page of ``cnncli inspect`` for one network: every layer, and totals.

Modules for formulas are imported only if there are any: a table of numbers does not wait for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cnncli.algebra import Dim
from cnncli.analysis.costs.figures import Costs, Figures, Row
from cnncli.diagnostics import listing
from cnncli.graph import Graph
from cnncli.language.description import OUTPUT
from cnncli.layers import shape_text
from cnncli.limits import MAX_ORIGINS
from cnncli.report.page import Page, Section, Text
from cnncli.report.pages import notes
from cnncli.report.pages.views import View
from cnncli.report.text.columns import Column, Fold, Table, cut_middle
from cnncli.report.text.escapes import printable
from cnncli.report.text.folding import FoldedRow, fold, stretches
from cnncli.report.text.json_values import number, shape_numbers
from cnncli.report.text.numbers import exact, megabytes, short

if TYPE_CHECKING:
    from cnncli.analysis.costs.fully_connected import Comparison
    from cnncli.report.pages.formulas import Formulas
    from cnncli.results.verify import Verification

SCHEMA: Final = "cnncli.inspect/1"
_MARK: Final = "*"
_UNUSED: Final = "!"
_READS: Final = "reads"
_BRIEF: Final = 12
"""The width of what a row reads on a narrow screen."""
_FIGURES: Final = (
    ("parameters", "params", 4),
    ("MACs", "macs", 3),
    ("neurons", "neurons", 2),
    ("values", "values", 1),
)
"""Heading, name and rank of the columns that every table has."""
_ALWAYS: Final = ("params", "macs")
"""The figures for which a table of numbers always has room."""


class Asked(NamedTuple):
    """What is shown besides the costs: views of the layers, and comparisons with dense ones and with torch.

    Layers whose names have more than ``depth`` parts share a row. ``formulas`` is given if sizes are unknown.
    """

    depth: int | None = None
    views: Sequence[View] = ()
    comparisons: Sequence[Comparison] | None = None
    formulas: Formulas | None = None
    verification: Verification | None = None


COSTS_ONLY: Final = Asked()


def page(graph: Graph, costs: Costs, batch: int = 1, asked: Asked = COSTS_ONLY) -> Page:
    """Return the page; figures are for ``batch`` samples."""
    sections = partial(_sections, graph, costs, asked)
    if asked.formulas is not None:
        from cnncli.report.pages import formulas  # noqa: PLC0415

        sections = partial(formulas.sections, graph, costs, asked.depth, asked.formulas)
    return Page(_title(graph, batch), sections, partial(_document, graph, costs, batch, asked))


def _title(graph: Graph, batch: int) -> str:
    """Return the network's name and input."""
    unknown = f", {listing(graph.variables)} unknown" if graph.variables else ""
    several = f", batch of {batch}" if batch > 1 else ""
    return f"{printable(graph.name)}: input {shape_text(graph.input)}{unknown}{several}"


def _sections(graph: Graph, costs: Costs, asked: Asked, width: int | None) -> Iterator[Section]:
    drawn = table(graph, costs, asked.depth, asked.views)
    if any(column.heading == _READS for column in drawn.columns):
        from cnncli.report.text.continuation import with_below  # noqa: PLC0415 - chains need it not

        yield from ((part,) for part in with_below(drawn, _READS, width))
    else:
        yield (drawn,)
    yield (Text(tuple(_summary(graph, costs, asked.views)), "note"),)
    if asked.comparisons is not None:
        yield (_dense_table(asked.comparisons),)
    if asked.verification is not None:
        from cnncli.report.pages import verify  # noqa: PLC0415

        yield from verify.sections(asked.verification)
    yield from notes.sections(graph.notes)


def table(
    graph: Graph, costs: Costs, depth: int | None, views: Sequence[View] = (), *, totals: bool = True
) -> Table:
    """Return name, kind, output, views, parameters, MACs, neurons and values of every layer, and the totals.

    On a narrow screen the figures make room for the views, and for formulas.
    """
    sums = list(_sums(graph, costs)) if totals else []
    rows = fold(costs.rows, graph.groups, depth)
    branches = any(row.reads for row in rows)
    columns = partial(_columns, views=views, branches=branches, optional=bool(views) or not totals)
    folds = partial(_folds, graph, costs, columns) if depth is None else tuple
    return Table(columns(rows, sums), totals=len(sums), folds=folds)


def _columns(
    rows: Sequence[FoldedRow],
    sums: Sequence[tuple[str, Figures]],
    views: Sequence[View],
    *,
    branches: bool,
    optional: bool,
) -> tuple[Column, ...]:
    blank = [""] * len(sums)
    figures = [row.figures for row in rows] + [figures for _, figures in sums]
    return (
        Column("name", [_name(row) for row in rows] + [name for name, _ in sums], cut=True),
        Column("kind", [row.kind for row in rows] + blank, cut=True),
        Column("output", [shape_text(row.output_shape) for row in rows] + blank),
        *([_reads_column(rows, len(blank))] if branches else ()),
        *(column for view in views for column in view.columns([row.last for row in rows], len(blank))),
        *(
            figure_column(heading, figures, name, rank)._replace(optional=optional or name not in _ALWAYS)
            for heading, name, rank in _FIGURES
        ),
    )


def _reads_column(rows: Sequence[FoldedRow], blank: int) -> Column:
    cells = [*map(_reads, rows), *[""] * blank]
    brief = [cut_middle(cell, _BRIEF) for cell in cells]
    return Column(_READS, cells, short_cells=brief, rank=3, optional=True)


def _reads(row: FoldedRow) -> str:
    """Return what a row reads besides the line above, names without the blocks that both are in."""
    own = row.name.split(".")[:-1]
    return listing([_from(own, name) for name in row.reads], MAX_ORIGINS, last=", ")


def _from(own: Sequence[str], name: str) -> str:
    parts = name.split(".")
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(own, parts[:-1], strict=False)))
    return ".".join(parts[shared:])


def _folds(graph: Graph, costs: Costs, columns: Any) -> list[Fold]:
    """Return the blocks and other groups of layers with the cells of their sums."""
    found = list(stretches(costs.rows, graph.groups))
    cells = zip(*(column.cells for column in columns([each.row for each in found], [])), strict=True)
    return [Fold(each.first, each.end, row) for each, row in zip(found, cells, strict=True)]


def _sums(graph: Graph, costs: Costs) -> Iterator[tuple[str, Figures]]:
    """Yield the rows of totals."""
    yield "total", costs.totals
    if graph.has_training_only:
        yield f"{_MARK} with training heads", costs.training_totals
    if graph.has_unused:
        yield f"{_UNUSED} without output", costs.unused_totals


def _summary(graph: Graph, costs: Costs, views: Sequence[View]) -> Iterator[str]:
    """Yield the notes below the table."""
    totals = costs.totals
    yield f"trainable parameters {exact(totals.params)}   buffers {exact(totals.buffers)}"
    yield f"FLOPs {exact(totals.flops)}   weights {weights_text(totals)}"
    if graph.has_training_only:
        yield f"{_MARK} exists in training only; not part of the total"
    if graph.has_unused:
        yield f"{_UNUSED} leads to no output; part of the total: it runs and is stored with the network"
    if list(graph.outputs) != [OUTPUT]:
        outputs = (f"{name} {shape_text(output.shape)}" for name, output in graph.outputs.items())
        yield f"outputs: {', '.join(outputs)}"
    for view in views:
        yield from view.notes()


def _dense_table(comparisons: Sequence[Comparison]) -> Table:
    """Return a table of the weights of each layer and of a fully connected one."""
    shapes = [
        f"{shape_text(each.node.input_shapes[0])} -> {shape_text(each.node.output_shape)}"
        for each in comparisons
    ]
    weights = [each.weights for each in comparisons]
    dense = [each.dense_weights for each in comparisons]
    columns = (
        Column("name", [each.node.name for each in comparisons], cut=True),
        Column("from -> to", shapes, cut=True),
        Column(
            "weights",
            [exact(n) for n in weights],
            right=True,
            short_cells=[short(n) for n in weights],
            rank=2,
        ),
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


def _name(row: FoldedRow) -> str:
    if row.training_only or row.unused:
        return f"{row.name} {_MARK if row.training_only else _UNUSED}"
    return row.name


def figure_column(heading: str, figures: Sequence[Figures], name: str, rank: int) -> Column:
    """Return one figure of every row, in full or, on a narrow screen, in three digits."""
    values: list[Dim] = [getattr(each, name) for each in figures]
    cells = [exact(value) for value in values]
    brief = [
        short(value) if isinstance(value, int) else cell for value, cell in zip(values, cells, strict=True)
    ]
    return Column(heading, cells, right=True, short_cells=brief, rank=rank)


def weights_text(figures: Figures) -> str:
    """Return the size of the weights, for a person."""
    size = figures.weights_size
    return megabytes(size) if isinstance(size, int) else f"{size} bytes"


def _factor(factor: float) -> str:
    return f"{factor:,.0f}x" if factor >= 10 else f"{factor:.3g}x"


# -- data ------------------------------------------------------------------------------------------


def _document(graph: Graph, costs: Costs, batch: int, asked: Asked) -> dict[str, Any]:
    """Return the JSON document. Figures are for ``batch`` samples, shapes for one."""
    outputs = {name: shape_numbers(output.shape) for name, output in graph.outputs.items()}
    whole = {"schema": SCHEMA} | summary_data(graph, costs, batch)
    if asked.formulas is not None:
        from cnncli.report.pages import formulas  # noqa: PLC0415

        whole |= formulas.document(graph, asked.formulas)
    if asked.verification is not None:
        from cnncli.report.pages import verify  # noqa: PLC0415

        whole["verify"] = verify.document(asked.verification)
    rows = layers_data(costs, asked.comparisons or (), asked.views)
    return whole | {"layers": rows, "outputs": outputs}


def summary_data(graph: Graph, costs: Costs, batch: int) -> dict[str, Any]:
    """Return the keys of a document that describe the whole network."""
    from cnncli.analysis.limited import layers  # noqa: PLC0415 - tables do not need it

    totals = {"totals": {"layers": layers(graph)} | _totals_data(costs.totals)}
    if graph.has_training_only:
        totals["training_totals"] = _totals_data(costs.training_totals)
    if graph.has_unused:
        totals["unused_totals"] = _totals_data(costs.unused_totals)
    return {
        "name": graph.name,
        "spec": graph.source.name,
        "input": shape_numbers(graph.input),
        "batch": batch,
        "notes": notes.document(graph.notes),
        **totals,
    }


def layers_data(
    costs: Costs, comparisons: Sequence[Comparison] = (), views: Sequence[View] = ()
) -> list[dict[str, Any]]:
    """Return the values of a document that describe the layers."""
    dense = {each.node.name: each for each in comparisons}
    return [_layer_data(row, dense, views) for row in costs.rows]


def _totals_data(figures: Figures) -> dict[str, int | str]:
    return {
        "params": number(figures.params),
        "trainable_params": number(figures.params),
        "buffers": number(figures.buffers),
        "macs": number(figures.macs),
        "flops": number(figures.flops),
        "neurons": number(figures.neurons),
        "values": number(figures.values),
        "connections": number(figures.connections),
        "weights_size": number(figures.weights_size),
    }


def _layer_data(row: Row, dense: Mapping[str, Comparison], views: Sequence[View]) -> dict[str, Any]:
    node, figures = row
    layer: dict[str, Any] = {
        "name": node.name,
        "kind": node.kind,
        "line": node.location.line,
        "inputs": list(node.inputs),
        "output": shape_numbers(node.output_shape),
        **{name: number(value) for name, value in figures._asdict().items()},
    }
    if node.training_only:
        layer["training_only"] = True
    if node.unused:
        layer["unused"] = True
    compared = dense.get(node.name)
    if compared is not None:
        layer["fully_connected"] = {
            "weights": compared.weights,
            "dense_weights": compared.dense_weights,
            "factor": compared.factor,
        }
    for view in views:
        layer |= view.document(node.name)
    return layer
