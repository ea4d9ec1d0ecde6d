"""``cnncli check``: hold networks to a budget, in CI."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cnncli.analysis import budgets
from cnncli.analysis.costs import costs
from cnncli.cli.common import WRONG, InputSize, Overrides, Plugins, load_plugins, parse_size
from cnncli.diagnostics import CnncliError, usage_error
from cnncli.graph import open_spec, read_budget
from cnncli.report import checks
from cnncli.report.messages import show_error
from cnncli.report.screen import errors, output
from cnncli.spec.sections import Budget

OVER = 1
"""Exit code for a network that is over its budget."""


def command(
    specs: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC...", help="Spec files, or patterns such as 'specs/*.yaml'.", show_default=False
        ),
    ],
    budget: Annotated[
        str | None, typer.Option(metavar="FILE", help="A YAML file of limits, in place of the specs' own.")
    ] = None,
    input_size: InputSize = None,
    overrides: Overrides = None,
    plugin: Plugins = None,
) -> None:
    """Hold networks to their budgets. Exits with 0 if all are within, 1 if one is over, 2 if one is wrong."""
    load_plugins(plugin)
    size = parse_size(input_size)
    shared = read_budget(budget) if budget is not None else None
    code = 0
    for path in _matching(specs):
        try:
            code = max(code, _check(path, shared, size, overrides or ()))
        except CnncliError as error:
            show_error(errors(), error)
            code = WRONG
    if code:
        raise typer.Exit(code)


def _check(path: str, shared: Budget | None, size: Sequence[int] | None, overrides: Sequence[str]) -> int:
    opened = open_spec(path, size=size, overrides=overrides)
    verdicts = budgets.check(costs(opened.graph), shared if shared is not None else opened.budget)
    if not verdicts:
        raise usage_error(
            f"'{path}' has no budget", hint="write limits under 'budget:', or give a file with --budget"
        )
    checks.show(output(), path, verdicts)
    return 0 if all(verdict.within for verdict in verdicts) else OVER


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except OSError:
        return False  # such as a name that is too long


def _matching(patterns: Sequence[str]) -> list[str]:
    """The files that paths and patterns name, each once.

    Raises:
        UsageError: a pattern matches none, so that a check cannot pass by missing its target.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = [pattern] if _exists(pattern) else _glob(pattern)
        if not matches:
            raise usage_error(f"no file matches '{pattern}'", expected="at least one spec file")
        found |= dict.fromkeys(matches)
    return list(found)


def _glob(pattern: str) -> list[str]:
    """What a pattern matches but folders, as ``specs/**`` does."""
    return sorted(match for match in glob.glob(pattern, recursive=True) if not Path(match).is_dir())  # noqa: PTH207 - also absolute patterns
