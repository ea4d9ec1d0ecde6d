"""``cnncli probe``: what a shift of the input does, measured on a real forward pass."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import load
from cnncli.cli.common import Form, Format, InputSize, Overrides, Plugins, SpecPath
from cnncli.cli.exit_codes import NOT_MET
from cnncli.diagnostics import usage_error
from cnncli.report.show import show


def command(
    spec: SpecPath,
    pixels: Annotated[
        int, typer.Option(min=1, metavar="K", help="Measure how far outputs change under 1 to K pixels.")
    ] = 4,
    input_size: InputSize = None,
    overrides: Overrides = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Use the weights of this run instead of random ones."),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Random images to average over.")] = 4,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the random weights and images.")] = 0,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Measure what shifts of the input do to every map.

    Two shifted views of a random image are run through the network. Away from the borders, the maps must be
    shifted as 'inspect --shifts' predicts.
    """
    from cnncli.report.pages.probe import page

    network = load(spec, input=input_size, overrides=overrides or (), plugins=plugin or ())
    found = network.probe(pixels, samples=samples, seed=seed, weights=weights)
    show(page(network.graph, found, {"seed": seed, "samples": samples, "weights": weights}), form)
    if found.holds is None:
        raise usage_error(
            "nothing was measured, so nothing is confirmed",
            expected="a map whose shift is predicted and has room; 'inspect --shifts' lists them",
        )
    if not found.holds:
        raise typer.Exit(NOT_MET)
