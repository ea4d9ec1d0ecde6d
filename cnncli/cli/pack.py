"""``cnncli pack``: decode data once, into files that trainings map into memory."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from cnncli.api import load, load_plugins, need_training, pack
from cnncli.cli.common import InputSize, Overrides, Plugins
from cnncli.diagnostics import usage_error
from cnncli.interrupts import EndingAtOnce
from cnncli.recipe.data import SOURCE_FORMS
from cnncli.recipe.origins import SOURCE, check_once
from cnncli.report.terminal import output


def command(
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help=f"The data: {SOURCE_FORMS}.", show_default=False)
    ],
    folder: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="A new folder.", show_default=False)
    ],
    spec: Annotated[
        str | None,
        typer.Argument(metavar="SPEC", help="The spec whose input the images get.", show_default=False),
    ] = None,
    input_size: InputSize = None,
    overrides: Overrides = None,
    plugin: Plugins = None,
) -> None:
    """Decode data once, for trainings on more than fits into memory.

    Images get the shape of the input of SPEC, or that of --input. Train with --data packed:DIR.
    """
    load_plugins(plugin or ())
    need_training()
    gc.enable()
    with EndingAtOnce():
        from cnncli.report.pages.pack import packed
        from cnncli.report.pages.train import reading

        screen = output()
        with reading(screen) as progress:
            if spec is not None:
                network = load(spec, input=input_size, overrides=overrides or ())
                check_once(network.recipe(), f"SOURCE {source}", SOURCE)
                found = network.pack(folder, source, reading=progress)
            elif input_size is not None:
                found = pack(source, folder, input_size, overrides=overrides or (), reading=progress)
            else:
                expected = "a spec, or --input SIZE"
                raise usage_error("it is not known which shape the images get", expected=expected)
    packed(screen, found)
