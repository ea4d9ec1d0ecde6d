"""The registry of emitters, and what several of them need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, TypeVar

from cnncli.exporting.python.expressions import Arg, Call
from cnncli.layers import Kind
from cnncli.layers.geometry.window import Window

Sizes: TypeAlias = tuple[int, ...]
Emitter: TypeAlias = Callable[[Any, Sizes], Call]

CALLS: Final[dict[type[Kind[Any]], Emitter]] = {}
"""For each kind with one input the function ``(layer, input_shape) -> call of a constructor``."""

E = TypeVar("E", bound=Emitter)


def emitter(*kinds: type[Kind[Any]]) -> Callable[[E], E]:
    """Register a function ``(layer, input_shape) -> call`` for layers of these kinds."""

    def register(emit: E) -> E:
        for kind in kinds:
            assert kind not in CALLS, kind
            CALLS[kind] = emit
        return emit

    return register


def first(name: str, value: Any) -> Arg:
    """Return an argument that is written without its name."""
    return Arg(name, value, positional=True)


def each(values: Sequence[Any]) -> Any:
    """Return one value for all axes if they are equal."""
    return values[0] if len({*values}) == 1 else tuple(values)


def pads_of(windows: Sequence[Window]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """Return for each axis the pads of one period: those for size n are entry n modulo its length."""
    return tuple(_period([window.pads(n) for n in _sizes(window)]) for window in windows)


def frames_of(windows: Sequence[Window]) -> tuple[tuple[tuple[int, int], ...], ...]:
    """As :func:`pads_of`, but up to the end of the last window."""
    return tuple(_period([window.frame(n) for n in _sizes(window)]) for window in windows)


def _sizes(window: Window) -> range:
    return range(window.stride, 2 * window.stride)


def _period(amounts: list[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    return tuple(amounts if len(set(amounts)) > 1 else amounts[:1])
