"""``cnncli identify``: which network a file of weights is one of."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import identify, load_plugins
from cnncli.cli.common import Form, Format, Plugins
from cnncli.report.show import show


def command(
    weights: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE",
            help="The folder of a run, or a .safetensors or .pth file.",
            show_default=False,
        ),
    ],
    spec: Annotated[
        str | None, typer.Option("--spec", metavar="SPEC", help="Compare with this spec alone.")
    ] = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Say which shipped network a file of weights is one of, and with which variables.

    Names and shapes of the tensors are compared, and variables such as a width are solved from them. Layers
    with other names are matched by their shapes. If no network has all of the tensors, the nearest one is
    shown, and what differs.

    Example: cnncli identify weights.safetensors
    """
    from cnncli.report.pages.identify import page

    load_plugins(plugin or ())
    show(page(identify(weights, spec)), form)
