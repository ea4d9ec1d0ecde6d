"""``cnncli layers``: the kinds of layers, and the page of each."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import kinds, load_plugins
from cnncli.cli.common import Form, Format, Plugins
from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.report.pages import layers as pages
from cnncli.report.show import show


def command(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="The kind to describe.", show_default=False)
    ] = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """List the kinds of layers, or describe one.

    A description has the formula, arguments and examples of a kind.
    """
    load_plugins(plugin or ())
    known = kinds()
    if kind is None:
        show(pages.overview(known), form)
        return
    if kind not in known:
        raise usage_error(f"unknown kind '{kind}'", hint=did_you_mean(kind, known, "kinds"))
    show(pages.page(kind, known[kind]), form)
