"""``cnncli evaluate``: measure what a run has learned."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import evaluate, load_plugins, need_training
from cnncli.cli.common import Device, Form, Format, Plugins, Weights
from cnncli.interrupts import EndingAtOnce
from cnncli.recipe.data import SOURCE_FORMS
from cnncli.recipe.devices import AUTO
from cnncli.recipe.metrics import TEST
from cnncli.report.show import show
from cnncli.report.terminal import errors


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of the run.", show_default=False)],
    data: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help=f"Other data, all of it or its test part: {SOURCE_FORMS}."),
    ] = None,
    split: Annotated[
        str,
        typer.Option(metavar="PART", help="The part of the run's own data: test or val."),
    ] = TEST,
    weights: Weights = None,
    tta: Annotated[
        str | None,
        typer.Option(metavar="flip", help="Average over each image and its mirror image, left to right."),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="CSV", help="Write what is predicted of each image."),
    ] = None,
    device: Device = AUTO,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Measure a run on held-out data.

    Shows the figures of each head, of classes those of each class and how they are confused.
    """
    load_plugins(plugin or ())
    need_training()
    with EndingAtOnce():
        from cnncli.report.pages.evaluate import page
        from cnncli.report.pages.train import reading

        with reading(errors()) as progress:
            found = evaluate(
                run,
                data,
                split=split,
                weights=weights,
                tta=tta,
                output=output,
                device=device,
                reading=progress,
            )
    show(page(found), form)
