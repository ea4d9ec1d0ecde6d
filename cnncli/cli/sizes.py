"""``cnncli sizes``: which inputs a network accepts."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.cli.common import Form, Format, Overrides, Plugins, SpecPath, load_plugins
from cnncli.cli.input_size import parse_shape
from cnncli.diagnostics import usage_error
from cnncli.graph import all_sizes, open_spec
from cnncli.report.show import show


def command(
    spec: SpecPath,
    near: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Show the accepted sizes nearest to this one.")
    ] = None,
    input_size: Annotated[
        str | None,
        typer.Option(
            "--input", metavar="SIZE", help="What is unknown: 3xHxW unless given, or 3xHxH, 3xHx224."
        ),
    ] = None,
    overrides: Overrides = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Show which input sizes a network accepts, exactly, and which layers say so."""
    from cnncli.analysis.costs.figures import costs
    from cnncli.analysis.sizes import near as nearest_to
    from cnncli.analysis.sizes import valid_sizes
    from cnncli.report.pages import sizes as report

    load_plugins(plugin)
    graph = open_spec(spec, size=parse_shape(input_size) or all_sizes, overrides=overrides or ()).graph
    found = valid_sizes(graph)
    if not found.axes:
        raise usage_error(
            f"there is no size to look for in {'x'.join(map(str, graph.input))}",
            expected="an input with spatial axes, of which one is a symbol, such as 3xHxW",
        )
    nearest = nearest_to(found.axes, near) if near is not None else {}
    show(report.page(graph, found, costs(graph).totals.params, nearest), form)
