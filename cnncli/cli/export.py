"""``cnncli export``: write a network with its weights as a file for other programs."""

from __future__ import annotations

import gc
from typing import Annotated, Any

import typer

from cnncli.api import export, load_plugins
from cnncli.cli.common import Form, Format, InputSize, Overrides, Plugins
from cnncli.cli.exit_codes import NOT_MET
from cnncli.diagnostics import usage_error
from cnncli.exporting.formats import FORMATS
from cnncli.interrupts import EndingAtOnce
from cnncli.report.show import show
from cnncli.report.terminal import errors


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
    int8: Annotated[
        bool,
        typer.Option("--int8", help="onnx: weights of 8 bits, with ranges from training images of the run."),
    ] = False,
    max_drop: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="With --int8, fail if accuracy drops by more, such as 1%."),
    ] = None,
    input_size: InputSize = None,
    overrides: Overrides = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Write a network with its weights as a file for other programs.

    What is written is compared with the network first. onnx, of a run, takes images of any size and does with
    them what the run does. int8 that loses more than is allowed is not written, and the exit code is 1.

    Example: cnncli export digits --to onnx -o digits.onnx
    """
    load_plugins(plugin or ())
    gc.enable()
    how: dict[str, Any] = {"input": input_size, "overrides": tuple(overrides or ())}
    with EndingAtOnce():
        from cnncli.report.pages.export import page
        from cnncli.report.pages.train import reading

        most = None if max_drop is None else _share(max_drop)
        given = {name: value for name, value in how.items() if value}
        with reading(errors()) as progress:
            found = export(
                network,
                to,
                output,
                weights=weights,
                raw=raw,
                int8=int8,
                max_drop=most,
                reading=progress,
                **given,
            )
    show(page(found), form)
    if not found.is_written:
        raise typer.Exit(NOT_MET)


def _share(text: str) -> float:
    """Return a share as a number from 0 to 1.

    Raises:
        UsageError: it is not one.
    """
    number = text.removesuffix("%")
    try:
        value = float(number) / (100 if number != text else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise usage_error("not a share for --max-drop", expected="a share such as 1% or 0.01", received=text)
    return value
