"""``cnncli fit``: the largest value of a variable with which a network keeps to a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnncli.cli.common import (
    InputSize,
    Overrides,
    Plugins,
    SpecPath,
    TableOrJson,
    changed_settings,
    load_plugins,
    setting_changes,
)
from cnncli.cli.input_size import parse_size
from cnncli.diagnostics import SpecError, UsageError, did_you_mean, listing, usage_error
from cnncli.graph import Opened, open_spec, open_text
from cnncli.report.screen import output
from cnncli.spec.sections import Budget, Quantity

if TYPE_CHECKING:
    from cnncli.algebra.deciding import Domain
    from cnncli.analysis.scaling import Fitted, Task
    from cnncli.graph import Graph
    from cnncli.report.scaling import Step


def command(
    spec: SpecPath,
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="VAR", help="The variable; several are fitted one after another."),
    ],
    budget: Annotated[
        list[str] | None,
        typer.Option(
            "--budget", metavar="FIGURE=LIMIT", help="params=1M, macs=2G, memory=8GiB; else the spec's own."
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(metavar="N", help="Samples in a step of training, for memory; else the spec's own."),
    ] = None,
    input_size: InputSize = None,
    overrides: Overrides = None,
    new: Annotated[
        str | None, typer.Option("--output", metavar="FILE", help="Write the changed spec to a new file.")
    ] = None,
    form: Annotated[TableOrJson, typer.Option("--format", help="How to show it.")] = TableOrJson.table,
    plugin: Plugins = None,
) -> None:
    """Find the largest value of a variable with which a network keeps to a budget.

    It is solved from formulas, exactly. A budget of memory is for the fullest moment of a step of training in
    32-bit numbers.
    """
    from cnncli.analysis.scaling import Task
    from cnncli.report import scaling as report

    load_plugins(plugin)
    given = overrides or []
    _check_names(vary, given)
    _refuse_existing(new)
    size = parse_size(input_size)
    own = open_spec(spec, size=size, overrides=given)
    limits = _limits(budget) if budget else _own_limits(own.budget, spec)
    settings = changed_settings(own.train, setting_changes(batch=batch))

    def network(
        values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Graph:
        changed = [*given, *_overrides(values)]
        return open_spec(spec, size=size, overrides=changed, unknown=unknown, domain=domain).graph

    task = Task(network, limits, settings)
    made = report.Report(own.graph, limits, settings.batch, _steps(task, own, vary))
    if form is TableOrJson.json:
        typer.echo(report.document(made))
    else:
        report.show(output(), made)
    if new is not None:
        _write(new, spec, [*given, *_overrides({step.name: step.value for step in made.steps})])


def _overrides(values: Mapping[str, int]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]


def _check_names(vary: Sequence[str], overrides: Sequence[str]) -> None:
    """Refuse a variable that is named twice, or that has a value from the command line.

    Raises:
        UsageError: there is one.
    """
    fixed = {text.partition("=")[0].strip() for text in overrides}
    for index, name in enumerate(vary):
        if name in vary[:index]:
            raise usage_error(f"--vary {name} stands there twice", expected="every variable once")
        if name in fixed:
            raise usage_error(f"'{name}' cannot be given with --set and be varied", expected="one of them")


def _limits(budget: Sequence[str]) -> Mapping[str, int]:
    """The limits that ``--budget`` sets.

    Raises:
        UsageError: one of them is none.
    """
    from cnncli.analysis.scaling import FIGURES, MEMORY

    limits: dict[str, int] = {}
    for text in budget:
        name, _, written = (part.strip() for part in text.partition("="))
        if name not in FIGURES:
            hint = did_you_mean(name, FIGURES)
            message = f"--budget {text}: this sets no limit"
            raise usage_error(message, expected="a figure and its limit, such as params=1M", hint=hint)
        reader = Quantity(of_bytes=True) if name == MEMORY else Budget.arguments[name].reader
        assert isinstance(reader, Quantity)
        amount = reader.amount(written)
        if amount is None:
            raise usage_error(f"--budget {text}", expected=reader.expected, received=f"'{written}'")
        if name in limits:
            raise usage_error(f"--budget {text}: {name} has a limit already", expected="one limit for each")
        limits[name] = amount
    return limits


def _own_limits(budget: Budget, spec: str) -> Mapping[str, int]:
    """The spec's own limits.

    Raises:
        UsageError: it has none.
    """
    from cnncli.analysis.scaling import FIGURES

    own = {name: getattr(budget, name) for name in Budget.arguments if name in FIGURES}
    limits = {name: most for name, most in own.items() if most is not None}
    if not limits:
        raise usage_error(f"'{spec}' has no budget", hint="give one: --budget params=1M")
    return limits


def _steps(task: Task, own: Opened, vary: Sequence[str]) -> tuple[Step, ...]:
    """The variables one after another, each beside those before it at the values that were found."""
    from cnncli.analysis.scaling import candidate, fit
    from cnncli.report.scaling import Step

    values: dict[str, int] = {}
    steps: list[Step] = []
    for name in vary:
        fitted = fit(task, name, values)
        before = own.document.scope.result(name)
        assert isinstance(before, int), name
        if fitted.value is None:
            raise _nothing(task, name, fitted, values)
        around = (fitted.below, fitted.value, fitted.above, before)
        shown = sorted({value for value in around if value is not None})
        candidates = tuple(candidate(task, name, value, values) for value in shown)
        steps.append(Step(name, before, fitted.value, fitted.formulas, candidates))
        values[name] = fitted.value
    return tuple(steps)


def _nothing(task: Task, name: str, fitted: Fitted, values: Mapping[str, int]) -> UsageError:
    """The error where there is no largest value."""
    from cnncli.analysis.scaling import MAX_TRIED, candidate

    limited = listing(list(task.limits))
    if fitted.unbounded:
        to = f" to {MAX_TRIED}" if fitted.formulas is None else ""
        message = f"no limit stops '{name}': with all its values from 1{to} {limited} stay within the budget"
        return usage_error(message, expected="a budget for what grows with it, and is smaller")
    assert fitted.above is not None, name
    least = candidate(task, name, fitted.above, values)
    needed = [f"{figure}={least.figures[figure]}" for figure in least.over(task.limits)]
    message = f"no value of '{name}' keeps within the budget"
    return usage_error(
        message,
        expected=f"at least {listing(needed)}, as it is with {name}={least.value}" if needed else "",
        received=listing([f"{figure}={most}" for figure, most in task.limits.items()]),
    )


def _refuse_existing(path: str | None) -> None:
    if path is not None and Path(path).exists():
        raise usage_error(f"'{path}' exists already", expected="a new file: nothing is overwritten")


def _write(path: str, spec: str, overrides: Sequence[str]) -> None:
    """Write the spec with these overrides, its comments kept where it is one file that says all.

    Raises:
        UsageError: it cannot be written.
    """
    from cnncli.spec.rewriting import with_values
    from cnncli.spec.writer import to_yaml

    whole = to_yaml(open_spec(spec, overrides=overrides).document)
    document = open_spec(spec).document
    words = dict(text.split("=", 1) for text in overrides)
    text = with_values(document, {name.strip(): word.strip() for name, word in words.items()})
    if text is None or _as_yaml(text, document.source.name) != whole:
        text = whole
    try:
        with Path(path).open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except OSError as error:
        raise usage_error(f"'{path}' cannot be written: {error.strerror}") from None


def _as_yaml(text: str, name: str) -> str | None:
    """What a text says as a spec, or None where it is none by itself: it extends another one."""
    from cnncli.spec.writer import to_yaml

    try:
        return to_yaml(open_text(text, name=name).document)
    except SpecError:
        return None
