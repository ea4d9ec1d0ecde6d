"""``cnncli look``: pictures of what is inside of a trained network."""

from __future__ import annotations

import gc
from typing import Annotated

import typer

from cnncli.api import load_plugins, look, need_training
from cnncli.cli.common import Device, Form, Format, Plugins, Split, Weights
from cnncli.interrupts import EndingAtOnce
from cnncli.recipe.devices import AUTO
from cnncli.report.show import show
from cnncli.report.terminal import errors


def command(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="filters, maps, patches, occlusion, gradcam or gradient.",
            show_default=False,
        ),
    ],
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of the run.", show_default=False)],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="FILE", help="A new .png or .svg file.", show_default=False),
    ],
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE...",
            help="Image files; test:17 is an image of the run's own data.",
            show_default=False,
        ),
    ] = None,
    layer: Annotated[str | None, typer.Option(metavar="NAME", help="The layer to look at.")] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--in", metavar="DATA", help="Where patches are searched; by default the run's data."),
    ] = None,
    split: Split = None,
    channels: Annotated[
        list[int] | None,
        typer.Option("--channel", metavar="N", help="A channel whose patches are shown; repeatable."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--class", metavar="NAME", help="Another class, tag or number than the predicted one."),
    ] = None,
    head: Annotated[str | None, typer.Option(metavar="NAME", help="Another head than the first.")] = None,
    window: Annotated[
        int | None, typer.Option(min=1, metavar="PIXELS", help="The side of what is hidden.")
    ] = None,
    stride: Annotated[
        int | None, typer.Option(min=1, metavar="PIXELS", help="The distance to the next window.")
    ] = None,
    weights: Weights = None,
    device: Device = AUTO,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Draw what is inside of a network.

    filters: the kernels of a layer. maps: what channels compute of an image, layer by layer. patches: the
    parts of images that excite a channel most, as large as its receptive field. occlusion: the probability
    of a class where a part of the image is hidden. gradcam: the places of a layer that speak for a class.
    gradient: how much the score of a class depends on each pixel.

    Example: cnncli look gradcam runs/toy_classifier-1 test:0 test:5 -o gradcam.png
    """
    load_plugins(plugin or ())
    need_training()
    gc.enable()
    with EndingAtOnce():
        from cnncli.report.pages.look import page
        from cnncli.report.pages.train import reading

        with reading(errors()) as progress:
            found = look(
                what,
                run,
                output,
                images or (),
                data=data or (),
                split=split,
                layer=layer,
                channels=channels or (),
                target=target,
                head=head,
                window=window,
                stride=stride,
                weights=weights,
                device=device,
                reading=progress,
            )
    show(page(found), form)
