"""Fitting the variables of a spec, one after another, to limits or to the spec's own budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Protocol

from cnncli.algebra import Dim
from cnncli.analysis.check import LIMITS, read_limits
from cnncli.analysis.fit.solving import MEMORY, Candidate, Fitted, Task, candidate, fit
from cnncli.analysis.fit.writing import check_new, write_with
from cnncli.diagnostics import SpecError, UsageError, listing, readable_bytes, usage_error
from cnncli.graph import Graph, Opened
from cnncli.language.sections import Budget, Quantity

if TYPE_CHECKING:
    from cnncli.algebra.deciding import Domain


class Step(NamedTuple):
    """A variable, its value in the spec, what was found, and candidates around it."""

    name: str
    before: int
    fitted: Fitted
    value: int
    candidates: tuple[Candidate, ...]


class Written(NamedTuple):
    """The file that the changed spec was written to, and whether it keeps the text of the old one."""

    path: str
    kept: bool


class Search(NamedTuple):
    """The network as the spec has it, the limits, and what was found for every variable."""

    graph: Graph
    limits: Mapping[str, int]
    steps: tuple[Step, ...]
    written: Written | None = None

    @property
    def values(self) -> Mapping[str, int]:
        """The value that was found for every variable."""
        return {step.name: step.value for step in self.steps}


class Reopen(Protocol):
    """Opens the spec again with more settings, and with some variables unknown."""

    def __call__(
        self, settings: Sequence[str], *, unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Opened: ...


def search(
    reopen: Reopen,
    spec: str,
    variables: Sequence[str],
    limits: Mapping[str, int | str],
    settings: Sequence[str],
    output: str | None,
    size: Sequence[Dim] | None,
) -> Search:
    """Fit variables one after another; a budget of memory is for the peak of a training step in float32.

    Args:
        reopen: opens the spec with ``settings`` and more.
        spec: its path or name, for messages, and to be written to ``output``.
        variables: what to fit.
        limits: the most that figures may be; the spec's own budget if there are none.
        settings: what ``reopen`` sets already.
        output: a new file for the changed spec.
        size: the input size that was asked for, which no file can keep.

    Raises:
        UsageError: no value fits, all do, or an argument is wrong.
    """
    _check_names(variables, settings)
    if output is not None:
        check_new(output, size)
    wanted = read_limits(limits, {**LIMITS, MEMORY: Quantity(of_bytes=True)})
    varied = _Varied(reopen, own_budget=not wanted)
    own = varied({})
    task = Task(varied, wanted or _own_limits(spec, own.budget))
    found = Search(own.graph, task.limits, _fit_all(task, own, variables))
    if output is None:
        return found
    kept = write_with(output, spec, [*settings, *_set_texts(found.values)])
    return found._replace(written=Written(output, kept))


class _Varied:
    """The spec, as often as it is opened with other values for its variables."""

    def __init__(self, reopen: Reopen, *, own_budget: bool) -> None:
        self._reopen = reopen
        self._own_budget = own_budget
        self._budget: Budget | None = None

    def __call__(
        self, values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Opened:
        opened = self._reopen(_set_texts(values), unknown=unknown, domain=domain)
        if self._own_budget:
            self._refuse_another(opened)
        return opened

    def _refuse_another(self, opened: Opened) -> None:
        """Refuse a budget of the spec that is another one for other values: which would it be?"""
        self._budget = self._budget or opened.budget
        if opened.budget != self._budget or Budget.keyword in opened.in_numbers:
            raise usage_error("the spec's budget depends on what is varied", hint="give one with --limit")


def _set_texts(values: Mapping[str, int]) -> list[str]:
    """Return the values as ``--set`` takes them."""
    return [f"{name}={value}" for name, value in values.items()]


def _check_names(vary: Sequence[str], overrides: Sequence[str]) -> None:
    """Refuse a variable that is named twice, or that has a value from the command line.

    Raises:
        UsageError: there is one.
    """
    fixed = {text.partition("=")[0].strip() for text in overrides}
    for index, name in enumerate(vary):
        if name in vary[:index]:
            raise usage_error(f"'{name}' is given twice", expected="each variable once")
        if name in fixed:
            raise usage_error(f"'{name}' cannot have a value and be varied", expected="one of them")


def _own_limits(spec: str, budget: Budget) -> Mapping[str, int]:
    """The spec's own limits.

    Raises:
        UsageError: it has none.
    """
    own = {name: getattr(budget, name) for name in Budget.arguments}
    limits = {name: most for name, most in own.items() if most is not None}
    if not limits:
        raise usage_error(f"'{spec}' has no budget", hint="give one: --limit params=1M")
    return limits


def _fit_all(task: Task, own: Opened, vary: Sequence[str]) -> tuple[Step, ...]:
    """The variables one after another, each beside those before it at the values that were found."""
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
    for value in around:
        with suppress(SpecError):
            yield candidate(task, name, value, values)


def _nothing(task: Task, name: str, fitted: Fitted, values: Mapping[str, int]) -> UsageError:
    """The error where there is no largest value."""
    if fitted.endless:
        message = f"there is no largest value of '{name}': values without end stay within the budget"
        constant = all(isinstance(each, int) for found in (fitted.formulas or {}).values() for each in found)
        hint = f"'{name}' has no part in what is limited" if fitted.formulas and constant else ""
        return usage_error(message, expected="a smaller budget, or one for what grows with it", hint=hint)
    assert fitted.above is not None, name
    least = candidate(task, name, fitted.above, values)
    over = least.over(task.limits)
    excess = listing([f"{figure} {_amount(figure, least.figures[figure])}" for figure in over])
    of = f" from 1 to {fitted.tried}" if fitted.tried is not None else ""
    return usage_error(
        f"no value of '{name}'{of} keeps within the budget",
        expected="a larger budget",
        received=f"{excess} with {name}={least.value}, the smallest that the network accepts",
    )


def _amount(figure: str, value: int) -> str:
    return readable_bytes(value) if figure in (MEMORY, "weights_size") else f"{value:,}"
