"""``cnncli mirror``: a decoder from the layers of a spec."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import load
from cnncli.cli.common import Form, Format, InputSize, Overrides, Plugins, SpecPath
from cnncli.report.show import show


def command(
    spec: SpecPath,
    until: Annotated[
        str,
        typer.Option(
            "--until", metavar="NODE", help="The last layer or block of the encoder.", show_default=False
        ),
    ],
    new: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write encoder and decoder to a new spec."),
    ] = None,
    input_size: InputSize = None,
    overrides: Overrides = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Make a decoder of a network's layers, to learn from images without labels.

    Every layer up to NODE is followed by its mirror image, in the reverse order, so that the output has the
    shape of the input at every size that is accepted. The new spec learns to remove noise from its input;
    'cnncli train SPEC --from RUN' then begins with the weights of its encoder.

    Example: cnncli mirror lenet5 --until avgpool2 -o decoder.yaml
    """
    from cnncli.report.pages.mirror import page

    network = load(spec, input=input_size, overrides=overrides or (), plugins=plugin or ())
    show(page(network.mirror(until, new)), form)
