"""``cnncli sizes``: which input sizes a network accepts."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import load
from cnncli.cli.common import Form, Format, Overrides, Plugins, SpecPath
from cnncli.diagnostics import usage_error
from cnncli.report.show import show


def command(
    spec: SpecPath,
    near: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Show the accepted sizes nearest to this one.")
    ] = None,
    input_size: Annotated[
        str | None,
        typer.Option("--input", metavar="SIZE", help="Unknown sizes: 3xHxW by default; also 3xHxH, 3xHx224."),
    ] = None,
    overrides: Overrides = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Show exactly which input sizes a network accepts, and why."""
    from cnncli.report.pages.sizes import page

    network = load(
        spec, input=input_size, symbolic=input_size is None, overrides=overrides or (), plugins=plugin or ()
    )
    found = network.sizes() if network.graph.unknowns else None
    if found is None or not found.axes:
        raise usage_error(
            f"the input {'x'.join(map(str, network.input_shape))} has no unknown size",
            expected="an input with spatial axes, at least one of them a symbol, such as 3xHxW",
        )
    nearest = network.nearest_sizes(near) if near is not None else {}
    show(page(network.graph, found, network.costs().totals.params, nearest), form)
