"""``cnncli check``: check networks against their budgets, in CI."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import load, load_plugins, select
from cnncli.cli.common import Form, Format, InputSize, Overrides, Plugins, SpecWords, for_each
from cnncli.cli.exit_codes import NOT_MET
from cnncli.report.pages import check as pages
from cnncli.report.show import show


def command(
    specs: SpecWords,
    budget: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="A YAML file of limits, instead of the specs' budgets."),
    ] = None,
    input_size: InputSize = None,
    overrides: Overrides = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Check networks against their budgets.

    Limits: params, macs, flops, neurons, values, buffers, layers (all rows of the table), depth (as papers
    count), weights_size, memory (of inference, batch of 1), training_memory; docs/counting.md defines them.

    Exits with 0 if all are within their budgets, 1 if one is over, 2 on errors.
    """
    load_plugins(plugin or ())

    def checked(file: str) -> pages.Checked:
        network = load(file, input=input_size, overrides=overrides or ())
        return pages.Checked(file, network.check(budget), network.graph.notes)

    found, wrong = for_each(select(specs).files, checked)
    if found:
        show(pages.page(found), form)
    code = max(wrong, NOT_MET if any(each.over for each in found) else 0)
    if code:
        raise typer.Exit(code)
