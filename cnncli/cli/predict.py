"""``cnncli predict``: what a trained network says of images."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from cnncli.api import load_plugins, need_training, predict
from cnncli.cli.common import Device, Form, Format, Plugins, Weights
from cnncli.cli.exit_codes import WRONG
from cnncli.diagnostics import UsageError
from cnncli.interrupts import EndingAtOnce
from cnncli.recipe.devices import AUTO
from cnncli.report.messages import show_error
from cnncli.report.show import show
from cnncli.report.terminal import errors

_STDIN = "-"


def command(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The folder of the run.", show_default=False)],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE...",
            help="Image files, folders, patterns such as 'photos/*.jpg'; - reads names, one a line.",
            show_default=False,
        ),
    ],
    weights: Weights = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write a table to a .csv, bars below each image to a .png, masks and pictures to a folder.",
        ),
    ] = None,
    device: Device = AUTO,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Show what a trained network says of images.

    Of classes and tags that are the five most probable ones. Images that cannot be read, and folders without
    any, are reported, and all others are predicted; the exit code is 2 then.
    """
    load_plugins(plugin or ())
    need_training()
    gc.enable()
    screen = errors()
    with EndingAtOnce():
        from cnncli.report.pages.predict import page
        from cnncli.report.pages.train import reading

        with reading(screen) as progress:
            words = [*_named(images)]
            found = predict(run, words, weights=weights, output=output, device=device, reading=progress)
    show(page(found), form)
    if found.unreadable:
        show_error(screen, UsageError(found.unreadable))
        raise typer.Exit(WRONG)


def _named(words: list[str]) -> Iterator[str]:
    """Yield the words, with the lines of standard input in place of ``-``."""
    for word in words:
        if word == _STDIN:
            yield from filter(None, (line.rstrip("\r\n") for line in sys.stdin or ()))
        else:
            yield word
