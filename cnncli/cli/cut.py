"""``cnncli cut``: a part of a spec as a spec of its own."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import load
from cnncli.cli.common import Form, Format, InputSize, Overrides, Plugins, SpecPath
from cnncli.report.show import show


def command(
    spec: SpecPath,
    until: Annotated[
        str | None, typer.Option("--until", metavar="NODE", help="The last layer or block of the part.")
    ] = None,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="NODE", help="The layer or block whose output the part reads."),
    ] = None,
    new: Annotated[
        str | None, typer.Option("--output", "-o", metavar="FILE", help="Write the part to a new spec.")
    ] = None,
    input_size: InputSize = None,
    overrides: Overrides = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Cut a network at a layer: the part up to it, or the part after it.

    Names stay as they are, so 'cnncli train PART --from RUN' begins with the weights of the whole network. A
    part after a layer has that layer's output as its input.

    Example: cnncli cut lenet5 --until avgpool2 -o trunk.yaml
    """
    from cnncli.report.pages.cut import page

    network = load(spec, input=input_size, overrides=overrides or (), plugins=plugin or ())
    show(page(network.cut(until=until, after=after, output=new)), form)
