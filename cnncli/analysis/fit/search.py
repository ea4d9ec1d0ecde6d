"""Fitting the variables of a spec, one after another, to limits or to the spec's own budget."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from cnncli.algebra import Dim
from cnncli.analysis.check import read_limits
from cnncli.analysis.fit.solving import Candidate, Fitted, Task, candidate, fit
from cnncli.analysis.fit.writing import check_new, write_with
from cnncli.analysis.limited import LIMITS
from cnncli.diagnostics import SpecError, UsageError, listing, readable_bytes, usage_error
from cnncli.graph import Graph, Opened
from cnncli.language.sections import Budget
from cnncli.limits import MAX_LAYERS_TRIED

if TYPE_CHECKING:
    from cnncli.algebra.deciding import Domain


_VALUES_PER_LAYER: Final = 200
"""Values of a spec that are read in the time in which a layer is added."""


class Step(NamedTuple):
    """The result for one variable: its value in the spec, the value found, and candidates around it."""

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
    """The network with the spec's own values, the limits, and the result for every variable."""

    graph: Graph
    limits: Mapping[str, int]
    steps: tuple[Step, ...]
    written: Written | None = None

    @property
    def values(self) -> Mapping[str, int]:
        """The values found, by variable."""
        return {step.name: step.value for step in self.steps}


class Reopen(Protocol):
    """Opens the spec again with more settings, and with some variables symbolic."""

    def __call__(
        self, overrides: Sequence[str], *, unknown: Sequence[str] = (), domain: Domain | None = None
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
    """Fit variables one after another; a limit on memory applies to the peak of a training step in float32.

    Args:
        reopen: opens the spec with ``settings`` and more.
        spec: its path or name.
        variables: the variables to fit, in this order.
        limits: the limits of figures; if empty, the spec's own budget.
        settings: the settings that ``reopen`` already applies.
        output: a new file for the changed spec.
        size: the requested input size, if any; a spec cannot be written with it.

    Raises:
        UsageError: no value fits, all do, or an argument is wrong.
    """
    _check_names(variables, settings)
    if output is not None:
        check_new(output, size)
    wanted = read_limits(limits, LIMITS)
    varied = _Varied(reopen, own_budget=not wanted)
    own = varied({})
    reading = own.document.entries.size // _VALUES_PER_LAYER
    trying = MAX_LAYERS_TRIED // max(len(variables), 1)
    task = Task(varied, wanted or _own_limits(spec, own.budget), reading, trying)
    found = Search(own.graph, task.limits, _fit_all(task, own, variables))
    if output is None:
        return found
    kept = write_with(output, spec, [*settings, *_set_texts(found.values)])
    return found._replace(written=Written(output, kept))


class _Varied:
    """Opens the spec with other values for its variables."""

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
        """Refuse a budget that depends on the variables: it is unclear which of its values would apply."""
        self._budget = self._budget or opened.budget
        if opened.budget != self._budget or Budget.keyword in opened.in_numbers:
            raise usage_error(
                "the spec's budget depends on the variables to fit", hint="give limits, such as params=1M"
            )


def _set_texts(values: Mapping[str, int]) -> list[str]:
    """Return the values in the form of ``--set``."""
    return [f"{name}={value}" for name, value in values.items()]


def _check_names(vary: Sequence[str], overrides: Sequence[str]) -> None:
    """Check that each variable is named once and has no value from the command line.

    Raises:
        UsageError: one does not.
    """
    fixed = {text.partition("=")[0].strip() for text in overrides}
    for index, name in enumerate(vary):
        if name in vary[:index]:
            raise usage_error(f"'{name}' is given twice", expected="each variable once")
        if name in fixed:
            raise usage_error(f"'{name}' cannot be both set and varied", expected="one of them")


def _own_limits(spec: str, budget: Budget) -> Mapping[str, int]:
    """Return the spec's own limits.

    Raises:
        UsageError: it has none.
    """
    own = {name: getattr(budget, name) for name in Budget.arguments}
    limits = {name: most for name, most in own.items() if most is not None}
    if not limits:
        raise usage_error(f"'{spec}' has no budget", hint="give a limit, such as params=1M")
    return limits


def _fit_all(task: Task, own: Opened, vary: Sequence[str]) -> tuple[Step, ...]:
    """Return the results for the variables, each with those before it at the values found."""
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
    """Return the spec's whole number for a variable, or 1 if it has none, which ``fit`` reports."""
    try:
        value = own.document.numbers.result(name)
    except (KeyError, SpecError):
        return 1
    return int(value) if isinstance(value, int | float) else 1


def _found(task: Task, name: str, value: int, values: Mapping[str, int]) -> Candidate:
    """Return the figures of the network with the value found.

    Raises:
        UsageError: the value exceeds the largest number that a spec may contain; formulas have no such limit.
    """
    try:
        return candidate(task, name, value, values)
    except SpecError as error:
        message = f"the largest value of '{name}' within the budget is {value}, which a spec cannot contain"
        came = error.diagnostics[0].message
        raise usage_error(message, expected="a smaller budget", received=came) from None


def _accepted(task: Task, name: str, around: Iterable[int], values: Mapping[str, int]) -> Iterator[Candidate]:
    """Yield the candidates with those of the values that the network accepts.

    Numbers have limits that formulas do not have, and the spec's own value may be out of bounds.
    """
    for value in around:
        with suppress(SpecError):
            yield candidate(task, name, value, values)


def _nothing(task: Task, name: str, fitted: Fitted, values: Mapping[str, int]) -> UsageError:
    """Return the error if no value fits, or if all do."""
    if fitted.endless:
        message = f"'{name}' has no largest value: arbitrarily large values stay within the budget"
        constant = all(isinstance(each, int) for found in (fitted.formulas or {}).values() for each in found)
        hint = f"the limited figures do not depend on '{name}'" if fitted.formulas and constant else ""
        return usage_error(
            message, expected="a smaller budget, or a limit on a figure that grows with it", hint=hint
        )
    assert fitted.above is not None, name
    least = candidate(task, name, fitted.above, values)
    over = least.over(task.limits)
    excess = listing([f"{figure} {_amount(figure, least.figures[figure])}" for figure in over])
    of = f" from 1 to {fitted.tried}" if fitted.tried is not None else ""
    return usage_error(
        f"no value of '{name}'{of} stays within the budget",
        expected="a larger budget",
        received=f"{excess} with {name}={least.value}, the smallest that the network accepts",
    )


def _amount(figure: str, value: int) -> str:
    return readable_bytes(value) if LIMITS[figure].of_bytes else f"{value:,}"
