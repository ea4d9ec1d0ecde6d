"""``cnncli fit``: the largest value of a variable within a budget."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import load
from cnncli.cli.common import Form, Format, InputSize, Overrides, Plugins, SpecPath
from cnncli.cli.limits import limits_of
from cnncli.report.show import show


def command(
    spec: SpecPath,
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="VAR", help="The variable to change; several are fitted in turn."),
    ],
    limit: Annotated[
        list[str] | None,
        typer.Option(
            "--limit",
            metavar="FIGURE=LIMIT",
            help="params=1M, macs=2G, training_memory=8GiB; default: the spec's budget.",
        ),
    ] = None,
    input_size: InputSize = None,
    overrides: Overrides = None,
    new: Annotated[
        str | None, typer.Option("--output", metavar="FILE", help="Write the changed spec to a new file.")
    ] = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Find the largest value of a variable within a budget.

    Solved exactly where figures are polynomials, otherwise by search. A limit on memory applies to the peak
    of inference in 32-bit numbers with a batch of 1, a limit on training_memory to that of a training step
    with the spec's batch size or that of --set train.batch=64.
    """
    from cnncli.report.pages.fit import page

    limits = limits_of("--limit", limit or ())
    network = load(spec, input=input_size, overrides=overrides or (), plugins=plugin or ())
    show(page(network.fit(*vary, output=new, **limits)), form)
