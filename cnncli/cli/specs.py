"""``cnncli specs``: the specs that ship."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.cli.common import TableOrJson
from cnncli.report.terminal import output


def command(
    form: Annotated[TableOrJson, typer.Option("--format", help="How to show it.")] = TableOrJson.table,
) -> None:
    """List the specs that ship, with their papers. Their names stand for their files in every command."""
    from cnncli.analysis.specs import catalog
    from cnncli.report.pages import specs as report

    entries = catalog()
    if form is TableOrJson.json:
        typer.echo(report.document(entries))
        return
    screen = output()
    screen.table(report.table(entries))
    screen.line()
    screen.line("cnncli inspect vgg16 shows one of them, cnncli inspect vgg compares a family.", "note")
