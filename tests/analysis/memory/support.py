"""The memory of a network as formulas, compared with the memory of the same spec in numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random

from cnncli.algebra import Dim, evaluate
from cnncli.analysis.memory.liveness import Bytes
from cnncli.analysis.memory.peaks import Moment, Peak, Peaks
from cnncli.analysis.memory.usage import Memory, bytes_at, memory, peak_moment
from cnncli.diagnostics import CnncliError, Diagnostic, SpecError
from cnncli.graph import Graph, Opened

BATCHES = (1, 3)

Values = Mapping[str, int]
Open = Callable[[Values], Opened]
"""Opens the same spec in numbers; raises CnncliError where these are refused."""


def compare(text: str, symbolic: Opened, in_numbers: Open, values: Sequence[Values]) -> str:
    """``held``; ``none`` where all values are refused; the code of the fault where there is no formula.

    Raises AssertionError with the spec to paste.
    """
    graph = symbolic.graph
    faults: tuple[Diagnostic, ...] = ()
    try:
        formulas = memory(graph, 4, symbolic.train)
    except SpecError as error:
        faults = error.diagnostics
    if faults:
        assert all(fault.location is not None for fault in faults), text
        assert {fault.code for fault in faults} <= {"undecided", "no-formula"}, text
        return faults[0].code
    peaks = [_Peaks(graph, formulas, batch) for batch in BATCHES]
    held = False
    for each in values:
        try:
            opened = in_numbers(each)
        except CnncliError:
            continue
        held = True
        numbers = memory(opened.graph, 4, opened.train)
        _compare_parts(text, each, formulas, numbers)
        for batch, peak in zip(BATCHES, peaks, strict=True):
            peak.compare(text, each, numbers, batch)
    return "held" if held else "none"


def _compare_parts(text: str, values: Values, formulas: Memory, numbers: Memory) -> None:
    """Everything except the peaks, once and for each sample, so for all batches."""
    for name in ("weights", "buffers", "gradients", "state"):
        mine, theirs = getattr(formulas, name), getattr(numbers, name)
        assert evaluate(mine, values) == theirs, (text, values, name)
    for name in ("image", "saved"):
        assert _number(getattr(formulas, name), values) == getattr(numbers, name), (text, values, name)
    for ours, others in zip(formulas.rows, numbers.rows, strict=True):
        assert evaluate(ours.weights, values) == others.weights, (text, values, ours.node.name)
        assert _number(ours.saved, values) == others.saved, (text, values, ours.node.name)


class _Peaks:
    """The peaks for a batch, of the network and of every row."""

    def __init__(self, graph: Graph, formulas: Memory, batch: int) -> None:
        peaks = Peaks(graph, batch)
        self._phases = [peaks.of(moments) for moments in (formulas.inference, formulas.training)]
        self._rows = [peaks.of(row.inference) if row.inference else None for row in formulas.rows]

    def compare(self, text: str, values: Values, numbers: Memory, batch: int) -> None:
        moments = (numbers.inference, numbers.training, *(row.inference for row in numbers.rows))
        for peak, theirs in zip((*self._phases, *self._rows), moments, strict=True):
            assert (peak is None) == (not theirs), (text, values)
            if peak is not None:
                assert _largest(peak, values) == _most(theirs, batch), (text, values, batch, theirs[0].node)


def _largest(peak: Peak, values: Values) -> int:
    return max(evaluate(amount, values) for amount in peak.amounts)


def _most(moments: Sequence[Moment], batch: int) -> int:
    return bytes_at(peak_moment(moments, batch).live, batch)


def _number(amount: Bytes, values: Values) -> tuple[int, ...]:
    return tuple(evaluate(each, values) for each in amount)


def some_values(graph: Graph, draw: Random, count: int) -> Iterator[Values]:
    """The least values that the requirements leave, then some above: nearby, far off, and mixed."""
    domain = graph.domain
    assert domain is not None

    def at_least(name: str, start: int) -> int:
        return domain.sizes(name).at_least(start) or domain.sizes(name).at_most(start) or 1

    yield {name: at_least(name, 1) for name in graph.unknowns}
    for number in range(count - 1):
        reach = (6, 40, 300)[number % 3]
        yield {
            name: at_least(name, at_least(name, 1) + draw.randint(0, reach if name != "width" else 12))
            for name in graph.unknowns
        }


def evaluated(shape: Sequence[Dim], values: Values) -> tuple[int, ...]:
    """A shape at these values."""
    return tuple(evaluate(dim, values) for dim in shape)
