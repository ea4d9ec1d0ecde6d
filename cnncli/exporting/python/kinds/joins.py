"""Joins, which are expressions and no modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cnncli.layers import Kind
from cnncli.layers.joins import Add, Concat, MatchSize, Multiply


def _join(operator: str) -> Callable[[Any], tuple[str, str]]:
    return lambda layer: (operator, "" if layer.align == "exact" else layer.align)


JOINS: Final[dict[type[Kind[Any]], Callable[[Any], tuple[str, str]]]] = {
    Concat: _join("concat"),
    Add: _join("+"),
    Multiply: _join("*"),
    MatchSize: lambda layer: ("matched", layer.mode),
}
"""For each join the function ``(layer) -> (operator, how sizes are made equal)``."""
