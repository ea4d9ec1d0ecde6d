"""``cnncli import``: a network of another program as a spec."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from cnncli.api import import_network
from cnncli.cli.common import Form, Format
from cnncli.cli.words import permit_plugins
from cnncli.report.show import show
from cnncli.report.terminal import errors


def command(
    source: Annotated[
        str,
        typer.Argument(
            metavar="MODEL.onnx|FILE.py:FUNCTION",
            help="An ONNX file, or a Python file and its function that returns a module.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="FILE", help="A new spec; weights are beside it.", show_default=False
        ),
    ],
    input_size: Annotated[
        str | None,
        typer.Option("--input", metavar="SIZE", help="The shape of one input, such as 3x224x224."),
    ] = None,
    form: Form = Format.table,
) -> None:
    """Write the spec and the weights of a network from ONNX or PyTorch.

    Layers that repeat become blocks, and tensors keep their names. Shapes, tensors and outputs are compared
    with the source. What no kind of layer expresses is an error with its place. Of a Python file, FUNCTION is
    called without arguments: this runs the file.

    Example: cnncli import model.py:make_model --input 1x8x8 -o net.yaml
    """
    from cnncli.report.pages.import_ import page

    gc.enable()
    file, colon, function = source.rpartition(":")
    if colon and file.endswith(".py"):
        permit_plugins(file)
        errors().line(f"note: this runs {file} and calls {function}()", "note")
    show(page(import_network(source, output, input=input_size)), form)
