"""``cnncli data``: what there is in a data source."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from cnncli.api import need_training, survey
from cnncli.cli.common import Form, Format
from cnncli.interrupts import EndingAtOnce
from cnncli.recipe.data import SOURCE_FORMS
from cnncli.report.show import show
from cnncli.report.terminal import errors


def command(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help=f"{SOURCE_FORMS}.", show_default=False)],
    sheet: Annotated[
        str | None,
        typer.Option("-o", metavar="PNG", help="Write a contact sheet: some images of each class."),
    ] = None,
    form: Form = Format.table,
) -> None:
    """Show what there is in a data source: classes, sizes, values, duplicates.

    Every image is read in its own size; no spec is needed.
    """
    need_training()
    gc.enable()
    with EndingAtOnce():
        from cnncli.report.pages.data import page
        from cnncli.report.pages.train import reading

        with reading(errors()) as progress:
            found = survey(source, sheet=sheet, reading=progress)
    show(page(found), form)
