"""``cnncli features``: what a layer of a trained network computes of images, in a file."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from cnncli.api import features, load_plugins, need_training
from cnncli.cli.common import Device, Form, Format, Plugins, Split, Weights
from cnncli.cli.exit_codes import WRONG
from cnncli.diagnostics import UsageError
from cnncli.interrupts import EndingAtOnce
from cnncli.recipe.devices import AUTO
from cnncli.report.messages import show_error
from cnncli.report.show import show
from cnncli.report.terminal import errors


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of the run.", show_default=False)],
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA...",
            help="A source such as digits or folder:DIR, or image files, folders and patterns.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="A new .npz or .parquet file.", show_default=False
        ),
    ],
    layer: Annotated[
        str | None, typer.Option(metavar="NAME", help="A layer; by default the last hidden one.")
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(metavar="HOW", help="mean or max over the positions of maps; by default all values."),
    ] = None,
    split: Split = None,
    weights: Weights = None,
    device: Device = AUTO,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Write what a layer computes of images.

    A vector for each image, in the order of the data, with its number, its class and its file. Of a source
    without --split those images that 'cnncli evaluate' measures. Memory does not grow with the number of
    images. Files that cannot be read are reported and left out; the exit code is 2 then.

    Example: cnncli features runs/toy_classifier-1 digits -o features.npz
    """
    load_plugins(plugin or ())
    need_training()
    gc.enable()
    screen = errors()
    with EndingAtOnce():
        from cnncli.report.pages.features import page
        from cnncli.report.pages.train import reading

        with reading(screen) as progress:
            found = features(
                run,
                data,
                output,
                split=split,
                layer=layer,
                pool=pool,
                weights=weights,
                device=device,
                reading=progress,
            )
    show(page(found), form)
    if found.unreadable:
        show_error(screen, UsageError(found.unreadable))
        raise typer.Exit(WRONG)
