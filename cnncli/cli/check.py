"""``cnncli check``: hold networks to a budget, in CI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from cnncli.analysis import check as budgets
from cnncli.analysis.costs.figures import costs
from cnncli.cli.common import Form, Format, InputSize, Overrides, Plugins, SpecWords, for_each, load_plugins
from cnncli.cli.input_size import parse_size
from cnncli.diagnostics import usage_error
from cnncli.graph import open_spec, read_budget
from cnncli.language.sections import Budget
from cnncli.language.selection import select
from cnncli.report.pages import check as report
from cnncli.report.show import show

OVER = 1
"""Exit code for a network that is over its budget."""


def command(
    specs: SpecWords,
    budget: Annotated[
        str | None, typer.Option(metavar="FILE", help="A YAML file of limits, in place of the specs' own.")
    ] = None,
    input_size: InputSize = None,
    overrides: Overrides = None,
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Hold networks to their budgets. Exits with 0 if all are within, 1 if one is over, 2 if one is wrong."""
    load_plugins(plugin)
    size = parse_size(input_size)
    shared = read_budget(budget) if budget is not None else None
    checked, wrong = for_each(select(specs).files, lambda file: _check(file, shared, size, overrides or ()))
    if checked:
        show(report.page(checked), form)
    code = max(wrong, OVER if any(each.over for each in checked) else 0)
    if code:
        raise typer.Exit(code)


def _check(
    path: str, shared: Budget | None, size: Sequence[int] | None, overrides: Sequence[str]
) -> report.Checked:
    opened = open_spec(path, size=size, overrides=overrides)
    verdicts = budgets.check(costs(opened.graph), shared if shared is not None else opened.budget)
    if not verdicts:
        raise usage_error(
            f"'{path}' has no budget", hint="write limits under 'budget:', or give a file with --budget"
        )
    return report.Checked(path, verdicts)
