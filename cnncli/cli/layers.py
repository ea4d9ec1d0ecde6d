"""``cnncli layers``: the kinds of layers, and the page of each."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.api import kinds, load_installed_plugins, load_plugins
from cnncli.cli.common import Form, Format, Plugins
from cnncli.diagnostics import CnncliError, Diagnostic, did_you_mean
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
    notes = load_installed_plugins() if kind is None or kind not in kinds() else ()
    known = kinds()
    if kind is None:
        show(pages.overview(known, notes), form)
        return
    if kind not in known:
        hint = did_you_mean(kind, known, "kinds")
        raise CnncliError((Diagnostic("usage", f"unknown kind '{kind}'", hint=hint), *notes))
    show(pages.page(kind, known[kind]), form)
