"""Random Python arithmetic as text, and its value for numbers or symbols: the tests' oracle.

The same text is computed twice, on ``int`` (Python's own arithmetic is the oracle) and on symbols.
A failure shows the text, which can be pasted into a Python prompt.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

from hypothesis import strategies as st

from cnncli.algebra import Dim, Expr, evaluate, symbol

SYMBOLS: dict[str, Dim] = {"H": symbol("H"), "W": symbol("W")}

_BINARY: dict[type[ast.operator], Callable[[Dim, Dim], Dim]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}


def compute(text: str, values: Mapping[str, Dim]) -> Dim:
    """The value of Python arithmetic over + - * // % **, names and whole numbers."""
    return _value(ast.parse(text, mode="eval").body, values)


def _value(node: ast.expr, values: Mapping[str, Dim]) -> Dim:
    match node:
        case ast.BinOp(left, op, right):
            return _BINARY[type(op)](_value(left, values), _value(right, values))
        case ast.UnaryOp(ast.USub(), operand):
            return -_value(operand, values)
        case ast.Name(name):
            return values[name]
        case ast.Constant(int(number)):
            return number
    raise AssertionError(ast.dump(node))


_NAMES = st.sampled_from(["H", "W"])
_NUMBERS = st.one_of(st.integers(-4, 9), st.integers(-40, 40))
_DIVISORS = st.one_of(st.integers(2, 8), st.integers(-6, 40).filter(bool))

_LEAVES = st.one_of(
    _NAMES,
    st.builds("({}*{} + {})".format, _NUMBERS, _NAMES, _NUMBERS),
    st.builds("(({}*{} + {})//{})".format, st.integers(-3, 3), _NAMES, _NUMBERS, _DIVISORS),
    st.builds("(({}*H + {}*W)//{})".format, st.integers(-3, 3), st.integers(-3, 3), _DIVISORS),
)


def _grown(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), inner),
        st.builds("({} {} {})".format, inner, st.sampled_from("+-*"), _NUMBERS),
        st.builds("({} - {})".format, _NUMBERS, inner),
        st.builds("({} {} {})".format, inner, st.sampled_from(["//", "//", "%"]), _DIVISORS),
        st.builds("(({} + {})//{})".format, inner, inner, _DIVISORS),
        st.builds("({}**{})".format, inner, st.integers(0, 3)),
        st.builds("(-{})".format, inner),
    )


formulas = st.recursive(_LEAVES, _grown, max_leaves=7)
"""Arithmetic over H and W, with floor divisions inside floor divisions."""

_EDGES = [0, 1, 2, 3, 7, 8, 31, 32, 33, 223, 224, 4096, -1, -2, -33]

sizes = st.fixed_dictionaries(
    {
        name: st.one_of(st.sampled_from(_EDGES), st.integers(-300, 300), st.integers(0, 10**9))
        for name in SYMBOLS
    }
)
"""A value for each of H and W: the edges of the usual powers of two, negative ones, huge ones."""


def assert_means(value: Dim, text: str, at: Mapping[str, int]) -> None:
    """``value``, a formula or a number, is what Python makes of ``text`` for these sizes."""
    expected = compute(text, at)
    assert isinstance(expected, int)
    got = evaluate(value, at)
    assert got == expected, "\n".join(
        [
            "paste:",
            *(f"{name} = {size}" for name, size in at.items()),
            f"{text}  # {expected}",
            f"{value}  # {got}",
        ]
    )


def formula(text: str) -> Expr:
    """What ``text`` gives for symbols, where that is not a number."""
    value = compute(text, SYMBOLS)
    assert isinstance(value, Expr), f"{text} is the number {value}"
    return value
