"""The page of ``cnncli inspect`` for several networks: a row for each, and their layers side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from cnncli.analysis.costs.overview import Overview
from cnncli.layers import shape_text
from cnncli.report.page import Page, Section, Text
from cnncli.report.pages import notes
from cnncli.report.pages.inspect import figure_column, layers_data, summary_data, weights_text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import exact

SCHEMA: Final = "cnncli.compare/1"


def page(networks: Sequence[Overview], batch: int = 1, *, layers: bool = False) -> Page:
    """Return the page; with ``layers`` it also has the networks' layers side by side."""
    sections = partial(_sections, networks, batch, layers)
    return Page("", sections, partial(_document, networks, batch, layers))


def _sections(networks: Sequence[Overview], batch: int, layers: bool, width: int | None) -> Iterator[Section]:
    if layers:
        from cnncli.report.pages import side_by_side  # noqa: PLC0415 - few comparisons need it

        yield from ((drawn,) for drawn in side_by_side.tables(networks, _names(networks), width))
    drawn = _table(networks)
    if any(each.graph.unknowns for each in networks):
        from cnncli.report.text.continuation import folded  # noqa: PLC0415 - few comparisons need it

        yield from ((part,) for part in folded(drawn, width))
    else:
        yield (drawn,)
    if batch > 1:
        yield (Text((f"MACs and neurons of a batch of {exact(batch)}",), "note"),)
    yield from notes.sections([note for each in networks for note in each.graph.notes])


def _table(networks: Sequence[Overview]) -> Table:
    """Return name, input, parameters, MACs, neurons, depth and weights of every network.

    On a narrow screen numbers are rounded, and formulas left out.
    """
    figures = [each.costs.totals for each in networks]
    weights = [weights_text(each) for each in figures]
    symbolic = any(each.graph.unknowns for each in networks)
    return Table(
        (
            Column("name", _names(networks), cut=True),
            Column("input", [shape_text(each.graph.input) for each in networks]),
            figure_column("parameters", figures, "params", rank=3)._replace(optional=symbolic),
            figure_column("MACs", figures, "macs", rank=2)._replace(optional=symbolic),
            figure_column("neurons", figures, "neurons", rank=1)._replace(optional=True),
            Column("depth", [exact(each.depth) for each in networks], right=True),
            Column("weights", weights, right=True, rank=4, optional=symbolic),
        )
    )


def _names(networks: Sequence[Overview]) -> list[str]:
    """Return a label for each network: its name, and also its file if another one has the same name."""
    count = Counter(each.graph.name for each in networks)
    return [
        printable(name if count[name] == 1 else f"{name} ({source.name})")
        for name, source in ((each.graph.name, each.graph.source) for each in networks)
    ]


def _document(networks: Sequence[Overview], batch: int, layers: bool) -> dict[str, Any]:
    """Return the document. Figures are for ``batch`` samples, shapes for one."""
    rows = [row_data(each, batch) for each in networks]
    if layers:
        rows = [row | {"layers": layers_data(each.costs)} for row, each in zip(rows, networks, strict=True)]
    return {"schema": SCHEMA, "networks": rows}


def row_data(network: Overview, batch: int) -> dict[str, Any]:
    """Return the keys of a document that describe one of several networks."""
    return summary_data(network.graph, network.costs, batch) | {"depth": network.depth}
