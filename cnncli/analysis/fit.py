"""The largest value of a variable with which a network keeps to its limits.

With the variable as a symbol every figure is a polynomial in it and in floor divisions of it, so that
``limit - figure >= 0`` is a condition that is decided exactly (:mod:`cnncli.algebra.deciding`). Where a rule
has no one formula, as a shortcut that is the identity for one width only, the values are split at that
condition, and each part has its own. Where a variable stands for what no formula can carry, such as the
number of copies of a block, or formulas are past deciding, values are tried instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from cnncli.algebra import Condition, Dim, Undecidable, whole
from cnncli.algebra.deciding import Domain, Stretches, solve, stretches
from cnncli.algebra.size_sets import ALL, SizeSet, TooFineError
from cnncli.analysis.costs.figures import BYTES_PER_NUMBER, costs
from cnncli.analysis.memory.peaks import Peaks
from cnncli.analysis.memory.usage import memory
from cnncli.diagnostics import NO_FORMULA, SpecError, usage_error
from cnncli.graph import Opened
from cnncli.language.sections import Budget

LAYERS: Final = "layers"
MEMORY: Final = "memory"
FIGURES: Final = (*Budget.arguments, MEMORY)
"""What a limit can be set to: those of a budget, and the memory of the fullest moment of training."""

MAX_TRIED: Final = 2048
_MAX_LAYERS_TRIED: Final = 20_000  # of all networks together: a few seconds
_MAX_REFUSED: Final = 100  # in a row: larger values, as of a kernel, will not be accepted either
_SHOWN: Final = ("params", "macs")
_MAX_PARTS: Final = 64
_MAX_STEPS: Final = 100_000

Amounts: TypeAlias = Mapping[str, tuple[Dim, ...]]
"""For each figure the formulas of which it is the largest."""


class Network(Protocol):
    """A network with some of its variables given, and others unknown."""

    def __call__(
        self, values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Opened:
        """The network; ``domain`` says which values the unknown ones may have."""


class Task(NamedTuple):
    """A network, the most that some of :data:`FIGURES` may be, and changes to its training settings."""

    network: Network
    limits: Mapping[str, int]
    changes: Mapping[str, Any]


class Candidate(NamedTuple):
    """A value that the network accepts, its figures in numbers, and the batch that memory is for."""

    value: int
    figures: Mapping[str, int]
    batch: int

    def over(self, limits: Mapping[str, int]) -> Mapping[str, int]:
        """By how much each limit is passed that is passed."""
        return {name: self.figures[name] - most for name, most in limits.items() if self.figures[name] > most}


class Fitted(NamedTuple):
    """The largest value of a variable that fits, and the nearest values that the network accepts.

    ``value`` is None where none fits, ``below`` and ``above`` where there is none; without a value that fits,
    ``above`` is the smallest that is accepted. ``endless``: values without end fit. ``formulas`` are those of
    the figures, none where several hold in turn. ``tried`` is the last of the values from 1 on that were
    tried, where that had to be; nothing is said of larger ones then.
    """

    value: int | None
    below: int | None
    above: int | None
    endless: bool = False
    formulas: Amounts | None = None
    tried: int | None = None


class _Part(NamedTuple):
    """Values that the layers accept and that have formulas in common; what the limits ask of them."""

    accepted: SizeSet
    conditions: tuple[Stretches, ...]
    amounts: Amounts


class _NeedsNumberError(ValueError):
    """The variable stands where no formula can."""


def fit(task: Task, variable: str, values: Mapping[str, int], own: int = 1) -> Fitted:
    """The largest value of a variable within the limits, where other variables have these values.

    ``own`` is the one that the spec gives it.

    Raises:
        SpecError, UsageError: the network accepts none of its values, or there is no such variable.
    """
    try:
        parts = list(_parts(task, variable, values))
        found = [_largest(part) for part in parts]
    except (_NeedsNumberError, TooFineError):
        return _tried(task, variable, values, own)
    endless = None in found
    value = None if endless else max((each for each in found if each), default=None)
    below = [part.accepted.at_most(value - 1) for part in parts] if value is not None else []
    above = [part.accepted.at_least(value + 1 if value is not None else 1) for part in parts]
    return Fitted(
        value,
        max((each for each in below if each is not None), default=None),
        min((each for each in above if each is not None), default=None),
        endless,
        parts[0].amounts if len(parts) == 1 else {},
    )


def candidate(task: Task, variable: str, value: int, values: Mapping[str, int]) -> Candidate:
    """What a value makes of the network: the figures that are limited, parameters and MACs.

    Raises:
        SpecError: the network does not accept it.
    """
    opened = task.network({**values, variable: value})
    amounts = _amounts(opened, task, tuple(dict.fromkeys((*_SHOWN, *task.limits))))
    figures = {name: max(map(whole, each)) for name, each in amounts.items()}
    return Candidate(value, figures, opened.train.replaced(task.changes).batch)


def _amounts(opened: Opened, task: Task, figures: Sequence[str]) -> Amounts:
    """The figures of a network.

    Raises:
        _NeedsNumberError: they depend on settings that need numbers for what is unknown.
    """
    graph, settings = opened.graph, opened.train.replaced(task.changes)
    totals = costs(graph).totals
    found: dict[str, tuple[Dim, ...]] = {}
    for name in figures:
        if name == LAYERS:
            found[name] = (sum(not node.training_only for node in graph.nodes),)
        elif name != MEMORY:
            found[name] = (getattr(totals, name),)
        elif settings.keyword in opened.in_numbers:
            raise _NeedsNumberError
        else:
            moments = memory(graph, BYTES_PER_NUMBER, settings).training
            found[name] = Peaks(graph, settings.batch).of(moments).amounts
    return found


def _parts(task: Task, variable: str, values: Mapping[str, int]) -> Iterator[_Part]:
    """The parts into which rules with several formulas divide the values, but those that accept none.

    Raises:
        SpecError: no part accepts anything.
        TooFineError: what is accepted cannot be written down.
        _NeedsNumberError: in a part no formula can stand for the variable.
    """
    pending, looked = [ALL], 0
    refused: list[SpecError] = []
    made = False
    while pending:
        sizes = pending.pop()
        looked += 1
        if looked > _MAX_PARTS:
            raise TooFineError(f"more than {_MAX_PARTS} parts with a formula each")
        domain = Domain({variable: sizes})
        try:
            with domain.applied():
                opened = task.network(values, (variable,), domain)
                found = _amounts(opened, task, tuple(task.limits))
        except (SpecError, Undecidable) as error:
            if isinstance(error, SpecError) and any(fault.code == NO_FORMULA for fault in error.diagnostics):
                raise _NeedsNumberError from None
            if domain.undecided:
                own = solve(domain.undecided[0])
                pending += [each for each in (sizes - own, sizes & own) if each]
            elif isinstance(error, SpecError):
                refused.append(error)
            else:
                raise
            continue
        if any(bound.sizes is None for bound in opened.graph.bounds):
            raise TooFineError("what a layer asks for")
        made = True
        yield _Part(domain.sizes(variable), tuple(_conditions(found, task.limits)), found)
    if not made:
        raise refused[0]


def _conditions(found: Amounts, limits: Mapping[str, int]) -> Iterator[Stretches]:
    """For each formula the values with which it is within its limit, where those are not all."""
    for name, most in limits.items():
        for formula in found[name]:
            holds = formula <= most
            if isinstance(holds, Condition):
                yield stretches(holds)
            elif not holds:
                yield Stretches(1, ())


def _largest(part: _Part) -> int | None:
    """The largest value of a part that meets all conditions: 0 where none does, None where there is no end.

    Where values without end do, they do so with a period. Where not, all are below the last beginning of
    what goes on in any of the sets; from there it is one step down after another, to what each set allows.
    """
    endless = part.accepted.endless()
    for each in part.conditions:
        endless = endless & each.endless() if endless else endless
    if endless:
        return None
    value = part.accepted.at_most(max([part.accepted.last(), *(each.last() for each in part.conditions)]))
    for _ in range(_MAX_STEPS):
        if value is None:
            return 0
        lower: int | None = value
        for each in part.conditions:
            lower = each.at_most(lower) if lower is not None else None
        if lower == value:
            return value
        value = part.accepted.at_most(lower) if lower is not None else None
    raise TooFineError("what the limits allow")


def _tried(task: Task, variable: str, values: Mapping[str, int], own: int) -> Fitted:
    """The largest of the values from 1 on that fits, of as many as can be tried, the spec's own included.

    Raises:
        UsageError: none of them is accepted.
    """
    accepted: list[int] = []
    fitting: list[int] = []
    layers = number = refused = 0
    reason = ""
    while number < MAX_TRIED and layers < _MAX_LAYERS_TRIED and (refused < _MAX_REFUSED or number < own):
        number += 1
        try:
            opened = task.network({**values, variable: number})
            layers += len(opened.graph.nodes)
            amounts = _amounts(opened, task, tuple(task.limits))
        except SpecError as error:
            # Shapes that do not fit, an argument out of bounds, too many layers.
            reason = reason or f"with {variable}={number}: {error.diagnostics[0].message}"
            refused += 1
            continue
        refused = 0
        accepted.append(number)
        if all(max(map(whole, amounts[name])) <= most for name, most in task.limits.items()):
            fitting.append(number)
    if not accepted:
        message = f"the network accepts none of the values of '{variable}' from 1 to {number}"
        raise usage_error(message, expected="one that fits its layers", received=reason)
    value = max(fitting, default=None)
    return Fitted(
        value,
        max((each for each in accepted if value is not None and each < value), default=None),
        min((each for each in accepted if value is None or each > value), default=None),
        tried=number,
    )
