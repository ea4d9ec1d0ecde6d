"""Several networks in one table: a row a network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cnncli.analysis.costs.overview import Overview
from cnncli.layers import shape_text
from cnncli.report.markdown import markdown_table
from cnncli.report.pages import side_by_side
from cnncli.report.pages.inspect import figure_column, weights_text
from cnncli.report.pages.inspect_data import summary
from cnncli.report.terminal import Screen, printable
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.json_values import text
from cnncli.report.text.numbers import exact

SCHEMA: Final = "cnncli.compare/1"


def show(screen: Screen, networks: Sequence[Overview], batch: int, *, layers: bool) -> None:
    """Show the table; with ``layers`` the networks' layers side by side before it."""
    for drawn in side_by_side.tables(networks, _names(networks), screen.width) if layers else ():
        screen.table(drawn)
        screen.line()
    screen.table(table(networks))
    for note in _notes(batch):
        screen.line()
        screen.line(note, "note")


def markdown(networks: Sequence[Overview], batch: int, *, layers: bool) -> Iterator[str]:
    """The same as Markdown."""
    for drawn in side_by_side.tables(networks, _names(networks), None) if layers else ():
        yield from markdown_table(drawn)
        yield ""
    yield from markdown_table(table(networks))
    for note in _notes(batch):
        yield ""
        yield note


def document(networks: Sequence[Overview], batch: int) -> str:
    """The same for machines. Figures are for ``batch`` samples, shapes for one."""
    return text({"schema": SCHEMA, "networks": [row(each, batch) for each in networks]})


def row(network: Overview, batch: int) -> dict[str, Any]:
    """What a document says of one of several networks."""
    return summary(network.graph, network.costs, batch) | {"depth": network.depth}


def table(networks: Sequence[Overview]) -> Table:
    """Name, input, parameters, MACs, neurons, depth and weights of every network."""
    figures = [each.costs.totals for each in networks]
    return Table(
        (
            Column("name", _names(networks), cut=True),
            Column("input", [shape_text(each.graph.input) for each in networks]),
            figure_column("parameters", figures, "params", rank=3),
            figure_column("MACs", figures, "macs", rank=2),
            figure_column("neurons", figures, "neurons", rank=1),
            Column("depth", [exact(each.depth) for each in networks], right=True),
            Column("weights", [weights_text(each) for each in figures], right=True),
        )
    )


def _names(networks: Sequence[Overview]) -> list[str]:
    """What to call each network: by its name, and by its file where others have that name too."""
    count = Counter(each.graph.name for each in networks)
    return [
        printable(name if count[name] == 1 else f"{name} ({source.name})")
        for name, source in ((each.graph.name, each.graph.source) for each in networks)
    ]


def _notes(batch: int) -> Iterator[str]:
    if batch > 1:
        yield f"MACs and neurons of a batch of {exact(batch)}"
