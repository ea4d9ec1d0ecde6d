"""``cnncli similar``: the images that a trained network takes for the most similar ones."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from cnncli.api import load_plugins, need_training, similar
from cnncli.cli.common import Device, Form, Format, Plugins, Split, Weights
from cnncli.interrupts import EndingAtOnce
from cnncli.recipe.devices import AUTO
from cnncli.report.show import show
from cnncli.report.terminal import errors


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of the run.", show_default=False)],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help="Image files, folders and patterns; test:17 is an image of the run's own data.",
            show_default=False,
        ),
    ],
    among: Annotated[
        list[str],
        typer.Option(
            "--in",
            metavar="DATA",
            help="Where to search: a source, image files, or what 'cnncli features' wrote; repeatable.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Draw them to a new .png or .svg.")
    ] = None,
    neighbors: Annotated[int, typer.Option(min=1, metavar="N", help="Neighbors of each image.")] = 6,
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
    """Find the images that are nearest to others.

    By the Euclidean distance of what the last hidden layer computes of them, as in figure 4 (right) of
    Krizhevsky, Sutskever and Hinton (2012). The search is exact. Of a source without --split the training
    images are searched.

    Example: cnncli similar runs/toy_classifier-1 test:0 test:5 --in digits -o fig4.png
    """
    load_plugins(plugin or ())
    need_training()
    gc.enable()
    with EndingAtOnce():
        from cnncli.report.pages.similar import page
        from cnncli.report.pages.train import reading

        with reading(errors()) as progress:
            found = similar(
                run,
                images,
                among,
                split=split,
                layer=layer,
                pool=pool,
                neighbors=neighbors,
                weights=weights,
                output=output,
                device=device,
                reading=progress,
            )
    show(page(found), form)
