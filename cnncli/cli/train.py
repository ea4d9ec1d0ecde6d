"""``cnncli train``: train the network of a spec, in a run folder that survives interruptions."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from cnncli.api import load, load_plugins, need_training, resume
from cnncli.cli.common import Device, Overrides, Plugins
from cnncli.diagnostics import usage_error
from cnncli.report.terminal import output


def command(
    spec: Annotated[
        str | None,
        typer.Argument(
            metavar="SPEC",
            help="A spec file, or a name that 'cnncli specs' lists (not with --resume).",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="digits, idx:DIR, folder:DIR or npz:FILE.")
    ] = None,
    device: Device = "auto",
    run: Annotated[
        str | None, typer.Option(metavar="DIR", help="The folder of the run; runs/NAME-N by default.")
    ] = None,
    resumed: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Resume the run in this folder.")
    ] = None,
    settings: Annotated[
        str | None, typer.Option(metavar="FILE", help="A YAML file of settings that replaces the spec's own.")
    ] = None,
    overrides: Overrides = None,
    plugin: Plugins = None,
) -> None:
    """Train a network as the spec's 'train' section says; --set train.lr=0.1 changes any of its settings."""
    load_plugins(plugin or ())
    gc.enable()
    if resumed is not None:
        if any((spec, run, settings)):
            hint = f"cnncli train --resume {resumed}"
            raise usage_error("--resume takes spec, settings and folder from the run", hint=hint)
    elif spec is None:
        raise usage_error("nothing to train", expected="a spec, or --resume RUN")
    network = load(spec, settings=overrides or ()) if spec is not None else None
    need_training()
    from cnncli.report.pages.train import TrainingView, conclude, introduce, reading

    screen = output()
    with reading(screen) as progress:
        if network is not None:
            launch = network.begin(data, run=run, device=device, settings_file=settings, reading=progress)
        else:
            launch = resume(
                str(resumed), settings=overrides or (), data=data, device=device, reading=progress
            )
    introduce(screen, launch.introduction)
    with TrainingView(screen) as view:
        trained = launch.start(view)
    conclude(screen, trained)
    if trained.signal is not None:
        raise typer.Exit(128 + trained.signal)
