"""``cnncli specs``: the specs that ship."""

from __future__ import annotations

from cnncli.api import specs
from cnncli.cli.common import Form, Format
from cnncli.report.show import show


def command(form: Form = Format.table) -> None:
    """List the shipped specs with their papers.

    Every command accepts their names in place of files.
    """
    from cnncli.report.pages.specs import page

    show(page(specs()), form)
