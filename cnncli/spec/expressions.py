"""Small arithmetic over the variables of a spec: ``width*2``, ``depths[0]``, ``64 if deep else 32``.

The text is parsed by Python's own parser into a syntax tree and then walked: only the node types
named here mean anything, so an expression can compute a number and nothing else. Nothing is ever
executed.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

Result: TypeAlias = "int | float | bool | str | list[Result]"

MAX_LENGTH: Final = 500
MAX_MAGNITUDE: Final = 2**63

_ARITHMETIC: Final[Mapping[type, Callable[..., Result]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS: Final[Mapping[type, Callable[..., bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: Final[Mapping[str, Callable[..., Result]]] = {"min": min, "max": max}
_SYNTAX: Final = "+ - * // % **, comparisons, 'a if c else b', min, max and indexing"


class ExpressionError(ValueError):
    """What is wrong with an expression, and the stretch ``start``..``start + width`` of its text."""

    def __init__(self, message: str, start: int, width: int, *, unknown_name: str | None = None) -> None:
        super().__init__(message)
        self.start = start
        self.width = width
        self.unknown_name = unknown_name


def evaluate(text: str, lookup: Callable[[str], Result]) -> Result:
    """The value of an expression.

    ``lookup`` gives the value of a name and raises :class:`KeyError` where there is none.

    Raises:
        ExpressionError: the text is no expression, uses something outside the whitelist, names
            something unknown, or computes something that has no value (division by zero, too large).
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"the expression is longer than {MAX_LENGTH} characters", 0, len(text))
    stripped = text.strip()
    shift = len(text) - len(text.lstrip())
    try:
        tree = ast.parse(stripped, mode="eval")
    except SyntaxError as error:
        start = shift + max((error.offset or 1) - 1, 0)
        raise ExpressionError("this is no expression", min(start, max(len(text) - 1, 0)), 1) from None
    except (ValueError, RecursionError, MemoryError):
        raise ExpressionError("this is no expression", 0, len(text)) from None
    try:
        return _Evaluator(lookup, shift).value(tree.body)
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply", 0, len(text)) from None


class _Evaluator:
    def __init__(self, lookup: Callable[[str], Result], shift: int) -> None:
        self._lookup = lookup
        self._shift = shift

    def value(self, node: ast.expr) -> Result:
        rule = getattr(self, f"_{type(node).__name__}", None)
        if rule is None:
            raise self._error(node, f"this has no meaning here; an expression may use {_SYNTAX}")
        result: Result = rule(node)
        if isinstance(result, int | float) and not -MAX_MAGNITUDE <= result <= MAX_MAGNITUDE:
            raise self._error(node, "the result is too large")
        return result

    def _Constant(self, node: ast.Constant) -> Result:
        if isinstance(node.value, bool | int | float | str):
            return node.value
        raise self._error(node, "only numbers, words and truth values are constants here")

    def _Name(self, node: ast.Name) -> Result:
        try:
            return self._lookup(node.id)
        except KeyError:
            start, width = self._span(node)
            raise ExpressionError(f"unknown name '{node.id}'", start, width, unknown_name=node.id) from None

    def _List(self, node: ast.List) -> Result:
        return [self.value(each) for each in node.elts]

    def _UnaryOp(self, node: ast.UnaryOp) -> Result:
        operand = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not operand
        number = self._number(node.operand, operand)
        if isinstance(node.op, ast.USub):
            return -number
        if isinstance(node.op, ast.UAdd):
            return number
        raise self._error(node, f"an expression may use {_SYNTAX}")

    def _BinOp(self, node: ast.BinOp) -> Result:
        rule = _ARITHMETIC.get(type(node.op))
        if rule is None:
            hint = "; '//' divides and rounds down" if isinstance(node.op, ast.Div) else ""
            raise self._error(node, f"an expression may use {_SYNTAX}{hint}")
        left = self._number(node.left, self.value(node.left))
        right = self._number(node.right, self.value(node.right))
        if isinstance(node.op, ast.Pow) and not (-64 <= right <= 64):
            raise self._error(node.right, "the exponent is too large")
        try:
            result = rule(left, right)
        except (ZeroDivisionError, OverflowError):
            raise self._error(node, "this divides by zero or is too large") from None
        if isinstance(result, complex):
            raise self._error(node, "this has no real value")
        return result

    def _BoolOp(self, node: ast.BoolOp) -> Result:
        values = [bool(self.value(each)) for each in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)

    def _Compare(self, node: ast.Compare) -> Result:
        left = self.value(node.left)
        for op, side in zip(node.ops, node.comparators, strict=True):
            rule = _COMPARISONS.get(type(op))
            if rule is None:
                raise self._error(node, f"an expression may use {_SYNTAX}")
            right = self.value(side)
            try:
                holds = rule(left, right)
            except TypeError:
                raise self._error(node, "these two cannot be compared") from None
            if not holds:
                return False
            left = right
        return True

    def _IfExp(self, node: ast.IfExp) -> Result:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _Call(self, node: ast.Call) -> Result:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        rule = _FUNCTIONS.get(name)
        if rule is None or node.keywords or not node.args:
            raise self._error(node, "only min(...) and max(...) can be called")
        numbers = [self._number(each, self.value(each)) for each in self._arguments(node)]
        return rule(numbers)

    def _arguments(self, node: ast.Call) -> list[ast.expr]:
        if any(isinstance(each, ast.Starred) for each in node.args):
            raise self._error(node, "only min(...) and max(...) can be called")
        return node.args

    def _Subscript(self, node: ast.Subscript) -> Result:
        items = self.value(node.value)
        index = self.value(node.slice)
        if not isinstance(items, list):
            raise self._error(node.value, "only a list can be indexed")
        if not isinstance(index, int) or isinstance(index, bool):
            raise self._error(node.slice, "an index must be a whole number")
        if not -len(items) <= index < len(items):
            raise self._error(node.slice, f"the list has {len(items)} entries, 0 to {len(items) - 1}")
        return items[index]

    def _number(self, node: ast.expr, value: Result) -> int | float:
        if isinstance(value, int | float):
            return value
        raise self._error(node, f"a number was expected, {value!r} came")

    def _error(self, node: ast.expr, message: str) -> ExpressionError:
        return ExpressionError(message, *self._span(node))

    def _span(self, node: ast.expr) -> tuple[int, int]:
        """Start and width in characters (the syntax tree counts bytes; names here are ASCII)."""
        end = node.end_col_offset if node.end_col_offset is not None else node.col_offset + 1
        return self._shift + node.col_offset, max(end - node.col_offset, 1)
