"""``cnncli pretrain``: learn the first layers without labels."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from cnncli.api import load, need_training
from cnncli.cli.common import Device, Overrides, Plugins, SpecPath
from cnncli.interrupts import EndingAtOnce
from cnncli.recipe.data import SOURCE_FORMS
from cnncli.recipe.devices import AUTO
from cnncli.report.terminal import output


def command(
    spec: SpecPath,
    run: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="The folder: a new one, or one to continue in.", show_default=False),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help=f"Other images: {SOURCE_FORMS}."),
    ] = None,
    overrides: Overrides = None,
    device: Device = AUTO,
    plugin: Plugins = None,
) -> None:
    """Learn the first layers one by one, without labels.

    Each 'linear' with 'activation: sigmoid', from the input on, is a restricted Boltzmann machine that learns
    by contrastive divergence (Hinton, Osindero and Teh, 2006). Settings are those of 'pretrain:' in the spec.
    The same command continues what was stopped; 'cnncli train SPEC --from DIR' begins with the result.

    Example: cnncli pretrain deep_belief_net --run layers --set pretrain.epochs=1
    """
    need_training()
    gc.enable()
    with EndingAtOnce():
        from cnncli.report.pages.pretrain import Shown
        from cnncli.report.pages.train import reading

        screen = output()
        shown = Shown(screen, spec)
        network = load(spec, overrides=overrides or (), plugins=plugin or ())
        with reading(screen) as progress:
            found = network.pretrain(
                run, data=data, device=device, begun=shown.begun, ended=shown.ended, reading=progress
            )
        shown.finished(found)
