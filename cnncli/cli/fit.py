"""``cnncli fit``: the largest value of a variable with which a network keeps to a budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cnncli.cli.common import (
    Form,
    Format,
    InputSize,
    Overrides,
    Plugins,
    SpecPath,
    load_plugins,
    setting_changes,
)
from cnncli.cli.input_size import parse_size
from cnncli.diagnostics import Faults, SpecError, UsageError, did_you_mean, listing, usage_error
from cnncli.graph import Opened, open_spec, open_text
from cnncli.language.sections import Budget, Quantity
from cnncli.report.show import show

if TYPE_CHECKING:
    from cnncli.algebra.deciding import Domain
    from cnncli.analysis.fit import Candidate, Fitted, Task
    from cnncli.language.document import Document
    from cnncli.report.pages.fit import Step


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
    form: Form = Format.table,
    plugin: Plugins = None,
) -> None:
    """Find the largest value of a variable with which a network keeps to a budget.

    It is solved from formulas, exactly; where those cannot stand, values are tried. A budget of memory is for
    the fullest moment of a step of training in 32-bit numbers.
    """
    from cnncli.analysis.fit import MEMORY, Task
    from cnncli.report.pages import fit as report

    load_plugins(plugin)
    given = overrides or []
    _check_names(vary, given)
    _check_new(new, input_size)
    limits = _limits(budget or ())
    varied = _Varied(spec, parse_size(input_size), given, own_budget=not limits)
    own = varied({})
    task = Task(varied, limits or _own_limits(spec, own.budget), setting_changes(batch=batch))
    if batch is not None and MEMORY not in task.limits:
        raise usage_error("--batch is for budgets of memory", expected="--budget memory=8GiB beside it")
    steps = _steps(task, own, vary)
    found = {step.name: step.value for step in steps}
    written = None
    if new is not None:
        written = report.Written(new, _write(new, spec, [*given, *_overrides(found)]))
    show(report.page(report.Report(own.graph, task.limits, steps, written)), form)


class _Varied:
    """The spec, as often as it is opened with other values for its variables."""

    def __init__(
        self, spec: str, size: tuple[int, ...] | None, overrides: Sequence[str], *, own_budget: bool
    ) -> None:
        self._spec = spec
        self._size = size
        self._overrides = overrides
        self._own_budget = own_budget
        self._budget: Budget | None = None

    def __call__(
        self, values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Opened:
        changed = [*self._overrides, *_overrides(values)]
        opened = open_spec(self._spec, size=self._size, overrides=changed, unknown=unknown, domain=domain)
        if self._own_budget:
            self._refuse_another(opened)
        return opened

    def _refuse_another(self, opened: Opened) -> None:
        """Refuse a budget of the spec that is another one for other values: which would it be?"""
        self._budget = self._budget or opened.budget
        if opened.budget != self._budget or Budget.keyword in opened.in_numbers:
            raise usage_error("the spec's budget depends on what is varied", hint="give one with --budget")


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
    from cnncli.analysis.fit import FIGURES, MEMORY

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


def _own_limits(spec: str, budget: Budget) -> Mapping[str, int]:
    """The spec's own limits.

    Raises:
        UsageError: it has none.
    """
    own = {name: getattr(budget, name) for name in Budget.arguments}
    limits = {name: most for name, most in own.items() if most is not None}
    if not limits:
        raise usage_error(f"'{spec}' has no budget", hint="give one: --budget params=1M")
    return limits


def _steps(task: Task, own: Opened, vary: Sequence[str]) -> tuple[Step, ...]:
    """The variables one after another, each beside those before it at the values that were found."""
    from cnncli.analysis.fit import fit
    from cnncli.report.pages.fit import Step

    values: dict[str, int] = {}
    steps: list[Step] = []
    for name in vary:
        before = _own_value(own, name)
        fitted = fit(task, name, values, before)
        if fitted.value is None:
            raise _nothing(task, name, fitted, values)
        found = _found(task, name, fitted.value, values)
        assert not found.over(task.limits), (name, fitted)
        around = {value for value in (fitted.below, fitted.above, before) if value is not None}
        candidates = [found, *_accepted(task, name, around - {found.value}, values)]
        candidates.sort(key=lambda each: each.value)
        steps.append(Step(name, before, fitted, fitted.value, tuple(candidates)))
        values[name] = fitted.value
    return tuple(steps)


def _own_value(own: Opened, name: str) -> int:
    """The whole number that the spec gives a variable; 1 where it gives none, which ``fit`` tells of."""
    try:
        value = own.document.numbers.result(name)
    except (KeyError, SpecError):
        return 1
    return int(value) if isinstance(value, int | float) else 1


def _found(task: Task, name: str, value: int, values: Mapping[str, int]) -> Candidate:
    """What the value that was found makes of the network.

    Raises:
        UsageError: numbers may not be as large as formulas.
    """
    from cnncli.analysis.fit import candidate

    try:
        return candidate(task, name, value, values)
    except SpecError as error:
        message = f"the largest value of '{name}' that fits is {value}, but numbers may not be so large"
        came = error.diagnostics[0].message
        raise usage_error(message, expected="a smaller budget", received=came) from None


def _accepted(task: Task, name: str, around: Iterable[int], values: Mapping[str, int]) -> Iterator[Candidate]:
    """Those of some values that the network accepts in numbers too.

    Numbers have limits that formulas do not know, and the spec's own value may be out of bounds.
    """
    from cnncli.analysis.fit import candidate

    for value in around:
        with suppress(SpecError):
            yield candidate(task, name, value, values)


def _nothing(task: Task, name: str, fitted: Fitted, values: Mapping[str, int]) -> UsageError:
    """The error where there is no largest value."""
    from cnncli.analysis.fit import candidate
    from cnncli.report.pages.fit import amount

    if fitted.endless:
        message = f"there is no largest value of '{name}': values without end stay within the budget"
        constant = all(isinstance(each, int) for found in (fitted.formulas or {}).values() for each in found)
        hint = f"'{name}' has no part in what is limited" if fitted.formulas and constant else ""
        return usage_error(message, expected="a smaller budget, or one for what grows with it", hint=hint)
    assert fitted.above is not None, name
    least = candidate(task, name, fitted.above, values)
    over = least.over(task.limits)
    excess = listing([f"{figure} {amount(figure, least.figures[figure])}" for figure in over])
    of = f" from 1 to {fitted.tried}" if fitted.tried is not None else ""
    return usage_error(
        f"no value of '{name}'{of} keeps within the budget",
        expected="a larger budget",
        received=f"{excess} with {name}={least.value}, the smallest that the network accepts",
    )


def _check_new(path: str | None, input_size: str | None) -> None:
    """Refuse a file that cannot be written, before anything is computed.

    Raises:
        UsageError: it exists, is no name of a file, or its folder is not there.
    """
    if path is None:
        return
    if input_size is not None:
        hint = "'input:' in the spec is what the new one will have"
        raise usage_error("--output cannot go with --input", expected="one of them", hint=hint)
    file = Path(path)
    if not file.name or path == "-":
        raise usage_error(f"--output '{path}' is no file", expected="a new file, such as narrow.yaml")
    if file.exists() or file.is_symlink():
        raise usage_error(f"'{path}' exists already", expected="a new file: nothing is overwritten")
    if not file.parent.is_dir():
        raise usage_error(f"there is no folder '{file.parent}'", expected="a folder for the new file")


def _write(path: str, spec: str, overrides: Sequence[str]) -> bool:
    """Write the spec with these overrides; whether its text, comments included, could be kept.

    That cannot be where the file does not say all by itself, or not in words of its own.

    Raises:
        UsageError: it cannot be written.
    """
    from cnncli.language.document import load
    from cnncli.language.rewriting import with_values
    from cnncli.language.tree import same_value
    from cnncli.language.writer import to_yaml

    wanted = open_spec(spec, overrides=overrides).document
    # Only its text: without the overrides its layers need not fit.
    document = load(spec, (), Faults())
    words = (text.partition("=") for text in overrides)
    text = with_values(document, {name.strip(): word.strip() for name, _, word in words})
    again = _document(text, document.source.name) if text is not None else None
    kept = again is not None and same_value(again.entries, wanted.entries)
    try:
        with Path(path).open("x", encoding="utf-8", newline="") as file:
            file.write(text if text is not None and kept else to_yaml(wanted))
    except OSError as error:
        raise usage_error(f"'{path}' cannot be written: {error.strerror}") from None
    return kept


def _document(text: str, name: str) -> Document | None:
    """What a text says as a spec, or None where it is none by itself: it extends another one."""
    try:
        return open_text(text, name=name).document
    except SpecError:
        return None
