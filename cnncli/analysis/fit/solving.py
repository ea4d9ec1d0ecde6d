"""Find the largest value of a variable for which a network stays within its limits.

With the variable as a symbol every figure is a polynomial in it and in floor divisions of it, so that ``limit
- figure >= 0`` is a condition that is decided exactly (:mod:`cnncli.algebra.deciding`). If a rule has no
single formula, as with a shortcut that is the identity for one width only, the values are split at that
condition and each part has its own formula. If the variable cannot be symbolic, as the number of copies of a
block, or if the formulas cannot be decided, values are searched one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias

from cnncli.algebra import Condition, Dim, Undecidable, whole
from cnncli.algebra.deciding import Domain, Stretches, solve, stretches
from cnncli.algebra.size_sets import ALL, SizeSet, TooFineError
from cnncli.analysis.costs.figures import costs
from cnncli.analysis.limited import MEMORY, TRAINING_MEMORY, amounts
from cnncli.diagnostics import NO_FORMULA, SpecError, usage_error
from cnncli.graph import Opened
from cnncli.limits import MAX_LAYERS_TRIED, MAX_PARTS, MAX_REFUSED, MAX_STEPS, MAX_TRIED

_SHOWN: Final = ("params", "macs")

Amounts: TypeAlias = Mapping[str, tuple[Dim, ...]]
"""For each figure the formulas whose maximum it is."""


class MakeNetwork(Protocol):
    """Makes a network with values for some of its variables; others may be symbolic."""

    def __call__(
        self, values: Mapping[str, int], unknown: Sequence[str] = (), domain: Domain | None = None
    ) -> Opened:
        """Return the network; ``domain`` restricts the values of the unknown variables."""


class Task(NamedTuple):
    """A network, and limits on figures of a budget.

    ``reading`` is how long it takes to read its spec once more, and ``trying`` how long all values of a
    variable that are tried one by one may take, both in layers that would take as long.
    """

    network: MakeNetwork
    limits: Mapping[str, int]
    reading: int = 0
    trying: int = MAX_LAYERS_TRIED


class Candidate(NamedTuple):
    """A value that the network accepts, its figures as numbers, and the batch size that memory is for."""

    value: int
    figures: Mapping[str, int]
    batch: int

    def over(self, limits: Mapping[str, int]) -> Mapping[str, int]:
        """Return by how much each exceeded limit is exceeded."""
        return {name: self.figures[name] - most for name, most in limits.items() if self.figures[name] > most}


class Fitted(NamedTuple):
    """The largest value of a variable that fits, and the nearest values that the network accepts.

    ``value`` is None if none fits, ``below`` and ``above`` if there is no such value; without a value that
    fits, ``above`` is the smallest that is accepted. ``endless`` is whether arbitrarily large values fit.
    ``formulas`` are those of the figures, empty if different values have different formulas. If values were
    searched one by one, ``tried`` is the last of them, and nothing is known about larger ones.
    """

    value: int | None
    below: int | None
    above: int | None
    endless: bool = False
    formulas: Amounts | None = None
    tried: int | None = None


class _Part(NamedTuple):
    """Values that the layers accept and that share their formulas, and the limits' conditions on them."""

    accepted: SizeSet
    conditions: tuple[Stretches, ...]
    amounts: Amounts


class _NeedsNumberError(ValueError):
    """The variable is used where only a number is allowed."""


def fit(task: Task, variable: str, values: Mapping[str, int], own: int = 1) -> Fitted:
    """Find the largest value of a variable within the limits, when other variables have these values.

    ``own`` is the value that the spec gives it.

    Raises:
        SpecError, UsageError: the network accepts none of its values, or has no such variable.
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
    """Compute the network's limited figures, its parameters and its MACs for a value of the variable.

    Raises:
        SpecError: the network does not accept it.
    """
    opened = task.network({**values, variable: value})
    found = _amounts(opened, tuple(dict.fromkeys((*_SHOWN, *task.limits))))
    figures = {name: max(map(whole, each)) for name, each in found.items()}
    return Candidate(value, figures, opened.train.batch)


def _amounts(opened: Opened, figures: Sequence[str]) -> Amounts:
    """Compute figures of a network.

    Raises:
        _NeedsNumberError: they depend on settings that cannot be symbolic.
    """
    graph, settings = opened.graph, opened.train
    if TRAINING_MEMORY in figures and settings.keyword in opened.in_numbers:
        raise _NeedsNumberError
    found = costs(graph)
    return {name: amounts(name, graph, found, settings) for name in figures}


def _parts(task: Task, variable: str, values: Mapping[str, int]) -> Iterator[_Part]:
    """Yield the parts into which rules with several formulas divide the values, except parts without a value.

    Raises:
        SpecError: no part accepts any value.
        TooFineError: the accepted values cannot be written down.
        _NeedsNumberError: in some part the variable cannot be symbolic.
    """
    pending, looked = [ALL], 0
    refused: list[SpecError] = []
    made = False
    while pending:
        sizes = pending.pop()
        looked += 1
        if looked > MAX_PARTS:
            raise TooFineError(f"more than {MAX_PARTS} parts with different formulas")
        domain = Domain({variable: sizes})
        try:
            with domain.applied():
                opened = task.network(values, (variable,), domain)
                found = _amounts(opened, tuple(task.limits))
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
            raise TooFineError("the requirement of a layer")
        made = True
        yield _Part(domain.sizes(variable), tuple(_conditions(found, task.limits)), found)
    if not made:
        raise refused[0]


def _conditions(found: Amounts, limits: Mapping[str, int]) -> Iterator[Stretches]:
    """Yield for each formula the values for which it is within its limit, unless all are."""
    for name, most in limits.items():
        for formula in found[name]:
            holds = formula <= most
            if isinstance(holds, Condition):
                yield stretches(holds)
            elif not holds:
                yield Stretches(1, ())


def _largest(part: _Part) -> int | None:
    """Return the largest value of a part that meets all conditions: 0 if none, None if unbounded.

    If arbitrarily large values meet them, they do so periodically. Otherwise all such values are below the
    largest start of an unbounded part of any set; from there the search steps down to what every set allows.
    """
    endless = part.accepted.endless()
    for each in part.conditions:
        endless = endless & each.endless() if endless else endless
    if endless:
        return None
    value = part.accepted.at_most(max([part.accepted.last(), *(each.last() for each in part.conditions)]))
    for _ in range(MAX_STEPS):
        if value is None:
            return 0
        lower: int | None = value
        for each in part.conditions:
            lower = each.at_most(lower) if lower is not None else None
        if lower == value:
            return value
        value = part.accepted.at_most(lower) if lower is not None else None
    raise TooFineError("the values within the limits")


def _tried(task: Task, variable: str, values: Mapping[str, int], own: int) -> Fitted:
    """Try as many values from 1 on as is affordable, the spec's own included; return the largest that fits.

    Raises:
        UsageError: none of them is accepted.
    """
    accepted: list[int] = []
    fitting: list[int] = []
    # A graph is walked once more for each limit of memory, which takes about as long as building it.
    walks = 1 + sum(name in (MEMORY, TRAINING_MEMORY) for name in task.limits)
    layers = number = refused = 0
    reason = ""
    while number < MAX_TRIED and layers < task.trying and (refused < MAX_REFUSED or number < own):
        number += 1
        layers += task.reading
        try:
            opened = task.network({**values, variable: number})
            layers += walks * len(opened.graph.nodes)
            found = _amounts(opened, tuple(task.limits))
        except SpecError as error:
            # Shapes that do not fit, an argument out of bounds, too many layers.
            reason = reason or f"with {variable}={number}: {error.diagnostics[0].message}"
            refused += 1
            continue
        refused = 0
        accepted.append(number)
        if all(max(map(whole, found[name])) <= most for name, most in task.limits.items()):
            fitting.append(number)
    if not accepted:
        message = f"the network accepts no value of '{variable}' from 1 to {number}"
        raise usage_error(message, expected="a value that its layers accept", received=reason)
    value = max(fitting, default=None)
    return Fitted(
        value,
        max((each for each in accepted if value is not None and each < value), default=None),
        min((each for each in accepted if value is None or each > value), default=None),
        tried=number,
    )
