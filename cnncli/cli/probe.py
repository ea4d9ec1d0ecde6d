"""``cnncli probe``: what a shift of the input does, measured on a real forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnncli.cli.common import WRONG, Form, Format, InputSize, Overrides, Plugins, load_plugins
from cnncli.cli.input_size import parse_size
from cnncli.diagnostics import usage_error
from cnncli.graph import open_spec
from cnncli.report.show import show

if TYPE_CHECKING:
    from cnncli.graph import Graph
    from cnncli.network import Network

DEVIATES = 1
"""Exit code where a map does not move as predicted."""


def command(
    spec: Annotated[
        str,
        typer.Argument(
            metavar="SPEC", help="A spec file, or a name that 'cnncli specs' lists.", show_default=False
        ),
    ],
    shift: Annotated[
        int,
        typer.Option("--shift", min=1, metavar="K", help="How far outputs change under 1 to K pixels."),
    ] = 4,
    input_size: InputSize = None,
    overrides: Overrides = None,
    weights: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="The folder of a run, for its weights; random ones unless given."),
    ] = None,
    samples: Annotated[int, typer.Option(min=1, metavar="N", help="Random images to take the mean of.")] = 4,
    seed: Annotated[int, typer.Option(metavar="N", help="Where random weights and images start.")] = 0,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Measure what a shift of the input does. Every map is held against what 'inspect --shifts' predicts.

    Two views of one random image go through the network; away from the borders one map must be the other,
    moved.
    """
    from cnncli.training.extras import need

    load_plugins(plugin)
    size = parse_size(input_size)
    graph = open_spec(spec, size=size, overrides=overrides or ()).graph
    if len(graph.input) == 1:
        message = f"{spec}: there is nothing to shift"
        raise usage_error(message, expected="an input with positions, such as 3x224x224", received="a vector")
    need("torch", purpose="probe")
    from cnncli.network.probe import probe
    from cnncli.report.pages import probe as probing

    found = probe(graph, _network(graph, seed, weights), shift, samples)
    settings = {"seed": seed, "samples": samples, "weights": weights}
    show(probing.page(graph, found, settings), form)
    if not found.holds:
        # What was not measured is not confirmed.
        raise typer.Exit(WRONG if found.holds is None else DEVIATES)


def _network(graph: Graph, seed: int, weights: str | None) -> Network:
    """The network with the weights of a run, or with random ones."""
    from cnncli.network.probe import seeded

    network = seeded(graph, seed)
    if weights is not None:
        from cnncli.training.extras import need

        need("safetensors", purpose="--weights")
        from cnncli.training.runs.run import open_run
        from cnncli.training.runs.weights import load_weights

        load_weights(network, open_run(Path(weights)).weights)
    return network
