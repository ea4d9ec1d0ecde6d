"""``cnncli layers``: the kinds there are, and the page of each."""

from __future__ import annotations

from typing import Annotated

import typer

from cnncli.cli.common import Form, Format, Plugins, load_plugins
from cnncli.diagnostics import did_you_mean, usage_error
from cnncli.layers import KINDS
from cnncli.report.pages import layers as reference
from cnncli.report.show import show


def command(
    kind: Annotated[
        str | None, typer.Argument(metavar="KIND", help="A kind, for its page.", show_default=False)
    ] = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """List the kinds of layers. With KIND: its formula, arguments and examples."""
    load_plugins(plugin)
    if kind is None:
        show(reference.overview(KINDS), form)
        return
    if kind not in KINDS:
        raise usage_error(f"there is no kind '{kind}'", hint=did_you_mean(kind, KINDS))
    show(reference.page(kind, KINDS[kind]), form)
