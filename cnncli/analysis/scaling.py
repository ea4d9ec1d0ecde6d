"""The largest value of a variable with which a network keeps to its limits.

With the variable as a symbol every figure is a polynomial in it and in floor divisions of it, so that
``limit - figure >= 0`` is a condition that is decided exactly (:mod:`cnncli.algebra.deciding`). Where a rule
has no one formula, as a shortcut that is the identity for one width only, the values are split at that
condition, and each part has its own. Where a variable stands for what no formula can carry, such as the
number of copies of a block, its values are tried instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import and_
from typing import Final, NamedTuple, Protocol, TypeAlias

from cnncli.algebra import Condition, Dim, Undecidable, whole
from cnncli.algebra.deciding import Domain, solve
from cnncli.algebra.size_sets import ALL, SizeSet, TooFineError
from cnncli.analysis.costs import costs
from cnncli.analysis.memory import memory
from cnncli.diagnostics import NO_FORMULA, Diagnostic, LimitError, ShapeError, SpecError
from cnncli.graph import Graph
from cnncli.spec.sections import Budget, Train

MEMORY: Final = "memory"
FIGURES: Final = (*(name for name in Budget.arguments if name != "layers"), MEMORY)
"""What a limit can be set to: ``memory`` is that of the fullest moment of training, the others are costs."""

MAX_TRIED: Final = 256
_SHOWN: Final = ("params", "macs")
_ITEMSIZE: Final = 4  # 32-bit floating point, as weights_size has it
_MAX_PARTS: Final = 256

Amounts: TypeAlias = Mapping[str, tuple[Dim, ...]]
"""For each figure the formulas of which it is the largest."""


class Network(Protocol):
    """A network with some of its variables given, and others unknown."""

    def __call__(
        self, values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Graph:
        """The graph; ``domain`` says which values the unknown ones may have."""


class Task(NamedTuple):
    """A network, the most that each of some of :data:`FIGURES` may be, and how it is trained."""

    network: Network
    limits: Mapping[str, int]
    settings: Train


class Candidate(NamedTuple):
    """A value that the network accepts, and its figures, computed in numbers."""

    value: int
    figures: Mapping[str, int]

    def over(self, limits: Mapping[str, int]) -> Mapping[str, int]:
        """By how much each limit is passed that is passed."""
        return {name: self.figures[name] - most for name, most in limits.items() if self.figures[name] > most}


class Fitted(NamedTuple):
    """The largest value of a variable that fits, and the nearest values that the network accepts.

    ``value`` is None where none fits, ``below`` and ``above`` where there is none; without a value that fits,
    ``above`` is the smallest that is accepted. ``unbounded``: there is no largest. ``formulas`` are those of
    the figures: none where several hold in turn, None where values were tried.
    """

    value: int | None
    below: int | None
    above: int | None
    unbounded: bool
    formulas: Amounts | None


class _Part(NamedTuple):
    """Values for which one graph of formulas holds: those its layers accept, and those within all limits."""

    accepted: SizeSet
    fitting: SizeSet
    amounts: Amounts


def fit(task: Task, variable: str, values: Mapping[str, int]) -> Fitted:
    """The largest value of a variable within the limits, where other variables have these values.

    Raises:
        SpecError: the network accepts none of its values.
        LimitError: its conditions are past deciding.
        UsageError: there is no such variable.
    """
    try:
        parts = list(_parts(task, variable, values))
    except TooFineError as error:
        raise _undecidable(variable, str(error)) from None
    except SpecError as error:
        if not _needs_number(error):
            raise
        return _tried(task, variable, values)
    fitting = [part.fitting for part in parts]
    unbounded = any(each.tails for each in fitting)
    found = max((each.isolated[-1] for each in fitting if each.isolated), default=None)
    value = None if unbounded else found
    below = [part.accepted.at_most(value - 1) for part in parts] if value is not None else []
    above = [part.accepted.at_least(value + 1 if value is not None else 1) for part in parts]
    return Fitted(
        value,
        max((each for each in below if each is not None), default=None),
        min((each for each in above if each is not None), default=None),
        unbounded,
        parts[0].amounts if len(parts) == 1 else {},
    )


def candidate(task: Task, variable: str, value: int, values: Mapping[str, int]) -> Candidate:
    """What a value makes of the network: the figures that are limited, parameters and MACs.

    Raises:
        SpecError, LimitError: the network does not accept it.
    """
    graph = task.network({**values, variable: value})
    names = dict.fromkeys((*_SHOWN, *task.limits))
    amounts = _amounts(graph, tuple(names), task.settings)
    return Candidate(value, {name: max(map(whole, each)) for name, each in amounts.items()})


def _amounts(graph: Graph, figures: Sequence[str], settings: Train) -> Amounts:
    totals = costs(graph).totals
    found: dict[str, tuple[Dim, ...]] = {}
    for name in figures:
        if name == MEMORY:
            moments = memory(graph, _ITEMSIZE, settings).training
            found[name] = tuple(dict.fromkeys(moment.held.at(settings.batch) for moment in moments))
        else:
            found[name] = (getattr(totals, name),)
    return found


def _parts(task: Task, variable: str, values: Mapping[str, int]) -> Iterator[_Part]:
    """The parts into which rules with several formulas divide the values, but those that accept none.

    Raises:
        SpecError: in a part where nothing is undecided, or where no part accepts anything.
        TooFineError: what is accepted cannot be written down.
    """
    pending, made = [ALL], 0
    refused: ShapeError | None = None
    while pending:
        sizes = pending.pop()
        domain = Domain({variable: sizes})
        try:
            with domain.applied():
                graph = task.network(values, (variable,), domain)
                found = _amounts(graph, tuple(task.limits), task.settings)
        except (SpecError, Undecidable) as error:
            if domain.undecided and not _needs_number(error):
                own = solve(domain.undecided[0])
                pending += [sizes - own, sizes & own]
            elif isinstance(error, ShapeError):
                refused = refused or error
            else:
                raise
            continue
        made += 1
        if made + len(pending) > _MAX_PARTS:
            raise TooFineError(f"more than {_MAX_PARTS} parts with a formula each")
        if any(bound.sizes is None for bound in graph.bounds):
            raise TooFineError("what a layer asks for")
        accepted = domain.sizes(variable)
        yield _Part(accepted, reduce(and_, _within(found, task.limits), accepted), found)
    if not made:
        assert refused is not None, variable
        raise refused


def _within(found: Amounts, limits: Mapping[str, int]) -> Iterator[SizeSet]:
    """For each formula the values with which it is within its limit."""
    for name, most in limits.items():
        for formula in found[name]:
            holds = formula <= most
            if isinstance(holds, Condition):
                yield solve(holds)
            elif not holds:
                yield ALL - ALL


def _needs_number(error: Exception) -> bool:
    """Whether it says that a variable stands where no formula can."""
    return isinstance(error, SpecError) and any(fault.code == NO_FORMULA for fault in error.diagnostics)


def _tried(task: Task, variable: str, values: Mapping[str, int]) -> Fitted:
    """The largest accepted value before the first that passes a limit, one after another from 1 on."""
    value = below = None
    for number in range(1, MAX_TRIED + 1):
        try:
            found = candidate(task, variable, number, values)
        except (SpecError, LimitError):
            continue  # shapes that do not fit, an argument out of bounds, too many layers
        if found.over(task.limits):
            return Fitted(value, below, number, unbounded=False, formulas=None)
        value, below = number, value
    return Fitted(None, None, None, unbounded=True, formulas=None)


def _undecidable(variable: str, what: str) -> LimitError:
    message = f"which values of '{variable}' fit is past deciding: {what}"
    return LimitError(Diagnostic("limit", message, hint="cnncli check --set tells of one value"))
