"""The variables of a spec from the shapes of its tensors: each size of a shape is an equation.

>>> from cnncli.algebra import symbol
>>> width, classes = symbol("width"), symbol("classes")
>>> solved([(2 * width, 48), (classes, 7), (width, 24)])
{'width': 24, 'classes': 7}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from cnncli.algebra import Condition, Dim, same, symbol, symbols_of
from cnncli.algebra.deciding import solve
from cnncli.algebra.size_sets import TooFineError
from cnncli.diagnostics import CnncliError
from cnncli.graph import Graph, open_spec
from cnncli.language.tree import Entries, Scalar
from cnncli.layers import Shape

CHANNELS: Final = "input_channels"
"""The symbol for the channels of the input."""

Variables: TypeAlias = Mapping[str, int | bool]


class Named(NamedTuple):
    """A spec with a file, and the plain values of its variables: whole numbers, and true or false."""

    name: str
    path: Path
    graph: Graph
    variables: Variables


def named_spec(name: str, path: Path) -> Named:
    """Read a spec.

    Raises:
        CnncliError: it is wrong.
    """
    opened = open_spec(path)
    section = opened.document.section("vars")
    found: dict[str, int | bool] = {}
    for key, value in section.items() if isinstance(section, Entries) else ():
        if isinstance(value, Scalar) and value.plain:
            if value.text in {"true", "false"}:
                found[key] = value.text == "true"
            elif value.text.isdecimal():
                found[key] = int(value.text)
    return Named(name, path, opened.graph, found)


def with_variables(spec: Named, variables: Variables, channels: int | None = None) -> Graph:
    """Return the graph of a spec with other variables, and another number of input channels.

    Raises:
        CnncliError: its layers do not fit together with them.
    """
    size = None if channels is None else (channels, *spec.graph.input[1:])
    texts = [f"{name}={str(value).lower()}" for name, value in variables.items()]
    return open_spec(spec.path, size=size, overrides=texts).graph


def symbolic(spec: Named, fixed: Variables) -> Graph:
    """Return the graph of a spec with symbols for the whole numbers that shapes are computed from.

    What says how often a block is repeated, for one, has no formula and stays as it is.
    """
    numbers = [name for name, value in spec.variables.items() if type(value) is int and name not in fixed]
    texts = [f"{name}={str(value).lower()}" for name, value in fixed.items()]

    def opened(unknown: Sequence[str], *, channels: bool) -> Graph | None:
        size = (symbol(CHANNELS), *spec.graph.input[1:]) if channels else None
        try:
            return open_spec(spec.path, size=size, overrides=texts, unknown=unknown).graph
        except (CnncliError, ArithmeticError):
            return None

    is_free = len(spec.graph.input) > 1
    possible = [name for name in numbers if opened([name], channels=False) is not None]
    attempts: tuple[tuple[list[str], bool], ...] = ((possible, is_free), (possible, False), ([], is_free))
    found = (opened(names, channels=channels) for names, channels in attempts)
    return next((graph for graph in found if graph is not None), spec.graph)


def equations(pairs: Iterable[tuple[Shape, Shape]]) -> list[tuple[Dim, int]]:
    """Return what the sizes of shapes with symbols are in numbers; of shapes with as many axes."""
    return [
        (left, right)
        for before, after in pairs
        if len(before) == len(after)
        for left, right in zip(before, after, strict=True)
        if isinstance(right, int)
    ]


def solved(known: Iterable[tuple[Dim, int]]) -> dict[str, int]:
    """Return the symbols that equations on one of them determine, each as most of its equations have it.

    A file may differ in some layers only, so one equation that does not agree decides nothing.
    """
    votes: dict[str, Counter[int]] = {}
    for (formula, number), count in Counter(known).items():
        names = [*symbols_of(formula)]
        value = _only(formula, number) if len(names) == 1 else None
        if value is not None:
            votes.setdefault(names[0], Counter())[value] += count
    return {name: values.most_common(1)[0][0] for name, values in votes.items()}


def _only(formula: Dim, number: int) -> int | None:
    """Return the only size for which a formula has a value, or None."""
    equal = same(formula, number)
    if not isinstance(equal, Condition):
        return None
    try:
        sizes = [*islice(solve(equal).upwards(), 2)]
    except (TooFineError, ArithmeticError):
        return None
    return sizes[0] if len(sizes) == 1 else None
