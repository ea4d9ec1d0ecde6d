"""``cnncli export``: write a network with its weights as a file for other programs."""

from __future__ import annotations

import gc
from typing import Annotated, Any

import typer

from cnncli.api import load_plugins
from cnncli.api_export import export
from cnncli.cli.common import Device, Form, Format, InputSize, Overrides, Plugins
from cnncli.exporting.formats import FORMATS
from cnncli.interrupts import EndingAtOnce
from cnncli.recipe.devices import AUTO
from cnncli.report.show import show


def command(
    network: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SPEC",
            help="The folder of a run, or a spec file or its name, with --weights.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str, typer.Option(metavar="FORMAT", help=f"One of {', '.join(FORMATS)}.", show_default=False)
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="A new file.", show_default=False)
    ],
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|WHICH",
            help="For a spec a .safetensors file; of a run best or last, by default what evaluate measures.",
        ),
    ] = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="onnx: take normalized inputs, not images, also of a run.")
    ] = False,
    input_size: InputSize = None,
    overrides: Overrides = None,
    device: Device = AUTO,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Write a network with its weights as a file for other programs.

    After writing, the file is read again and compared with the network.
    """
    load_plugins(plugin or ())
    gc.enable()
    how: dict[str, Any] = {"input": input_size, "overrides": tuple(overrides or ())}
    with EndingAtOnce():
        from cnncli.report.pages.export import page

        given = {name: value for name, value in how.items() if value}
        found = export(network, to, output, weights=weights, raw=raw, device=device, **given)
    show(page(found), form)
