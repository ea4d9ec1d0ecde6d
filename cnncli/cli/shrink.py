"""``cnncli shrink``: fewer channels, within a budget."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Annotated

import typer

from cnncli.api import load_plugins, need_training, shrink
from cnncli.cli.common import Form, Format, Plugins, Weights
from cnncli.cli.limits import limits_of
from cnncli.cli.watched import watched
from cnncli.interrupts import EndingAtOnce
from cnncli.report.show import show

if TYPE_CHECKING:
    from cnncli.training.launch.launch import Launch


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of the run.", show_default=False)],
    budget: Annotated[
        list[str],
        typer.Option(
            "--budget",
            metavar="FIGURE=LIMIT",
            help="params=1M, macs=2G, memory=8MiB; several hold together.",
            show_default=False,
        ),
    ],
    new: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="A new spec; the weights are written beside it, as .safetensors.",
            show_default=False,
        ),
    ],
    tuned: Annotated[
        str | None, typer.Option("--run", metavar="DIR", help="Fine-tune the smaller network in a new run.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(metavar="N", help="Epochs of fine-tuning; by default those of the run.")
    ] = None,
    weights: Weights = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Remove the least important channels of a trained network, exactly to a budget.

    Channels that must be as many as others, such as those of the branches of a residual unit, are removed
    together. Importance is the norm of the weights that compute a channel, relative to its layer. What is
    measured on held-out images before and after is shown, and with --run after fine-tuning by the recipe of
    the run.

    Example: cnncli shrink digits --budget params=4k -o small.yaml --run small --epochs 1
    """
    limits = limits_of("--budget", budget)
    load_plugins(plugin or ())
    need_training()
    gc.enable()
    with EndingAtOnce() as ending:
        from cnncli.report.pages.shrink import page

        def shown(launch: Launch) -> None:
            watched(lambda **_: launch, ending, "display")

        found = shrink(
            run,
            limits,
            new,
            weights=weights,
            tuned=tuned,
            epochs=epochs,
            training=None if form is not Format.table else shown,
        )
    show(page(found), form)
