"""``cnncli memory``: the memory of inference and training, and the largest batch that fits."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import load
from cnncli.cli.common import Depth, Form, Format, InputShape, Overrides, Plugins, SpecPath
from cnncli.recipe.dtypes import DEFAULT_DTYPE, DTYPE_NAMES
from cnncli.report.show import show


def command(
    spec: SpecPath,
    batch: Annotated[int, typer.Option(min=1, metavar="N", help="Batch size.")] = 1,
    fit_into: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Find the largest batch that fits into a size such as 16GiB."),
    ] = None,
    dtype: Annotated[
        str, typer.Option(metavar="DTYPE", help=f"The type of all numbers: {DTYPE_NAMES}.")
    ] = DEFAULT_DTYPE,
    depth: Depth = None,
    input_size: InputShape = None,
    overrides: Overrides = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Show the memory of every layer in inference and training.

    The optimizer is the spec's, or that of --set train.optimizer=adamw. Symbols in --input, such as
    3xHxW, give formulas.
    """
    from cnncli.report.pages.memory import page

    network = load(spec, input=input_size, overrides=overrides or (), plugins=plugin or ())
    show(page(network.memory(batch, dtype=dtype, fit_into=fit_into), depth), form)
