"""``cnncli specs``: the specs that ship."""

from __future__ import annotations

from cnncli.cli.common import Form, Format
from cnncli.report.show import show


def command(
    form: Form = Format.table,
) -> None:
    """List the specs that ship, with their papers. Their names stand for their files in every command."""
    from cnncli.analysis.specs import catalog
    from cnncli.report.pages import specs as report

    show(report.page(catalog()), form)
