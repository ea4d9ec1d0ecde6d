"""``cnncli runs``: the runs in a folder, or several of them compared."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from cnncli.api import compare_runs, draw_runs, runs
from cnncli.cli.common import Form, Format
from cnncli.report.show import show


def command(
    folders: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DIR | RUN RUN...]",
            help="A folder with runs, 'runs' by default; or several runs to compare.",
            show_default=False,
        ),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option("-o", metavar="FILE", help="Draw their curves into a new .svg or .png file."),
    ] = None,
    form: Form = Format.table,
) -> None:
    """List runs, or compare several: recipes, curves and results."""
    from cnncli.report.pages.runs import comparison, page

    now = time.time()
    if len(folders or ()) > 1:
        compared = compare_runs(*(folders or ()))
        drawn = None if picture is None else draw_runs(picture, compared.runs)
        show(comparison(compared, now, drawn), form)
        return
    found = runs(*(folders or ()))
    drawn = None if picture is None else draw_runs(picture, found.runs)
    show(page(found, now, drawn), form)
