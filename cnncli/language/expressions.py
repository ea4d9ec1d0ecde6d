"""Small arithmetic over the variables of a spec: ``width*2``, ``depths[0]``, ``64 if deep else 32``.

Python's own parser turns the text into a syntax tree, which is then walked: only the node types handled here
are allowed, so an expression can compute a value and nothing else. No code is ever executed.
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, TypeAlias, TypeVar

from cnncli.algebra import Condition, Expr, Undecidable, degree, same
from cnncli.diagnostics import NO_FORMULA, Location
from cnncli.limits import MAX_DEGREE, MAX_EXPONENT, MAX_EXPRESSION, MAX_LIST, MAX_MAGNITUDE, MAX_TERMS, VALUES
from cnncli.work import spend

T = TypeVar("T")
Result: TypeAlias = "int | float | bool | str | Expr | list[Result]"


def _equal(left: Result, right: Result) -> bool | Condition:
    """Return whether two values are equal; for formulas this may be a condition on the symbols.

    Raises TypeError for a formula and a fraction, Undecidable for lists of formulas.
    """
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, int | Expr) and isinstance(right, int | Expr):
        return same(left, right)
    if isinstance(left, Expr | float) and isinstance(right, Expr | float) and type(left) is not type(right):
        raise TypeError("the values of a formula are whole numbers")
    return left == right


def _differ(left: Result, right: Result) -> bool:
    return not _equal(left, right)


_ARITHMETIC: Final[Mapping[type, Callable[..., Result]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS: Final[Mapping[type, Callable[..., bool | Condition]]] = {
    ast.Eq: _equal,
    ast.NotEq: _differ,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_FUNCTIONS: Final[Mapping[str, Callable[..., Result]]] = {"min": min, "max": max}
_FORMULA: Final = "sums and products of whole numbers, and divisions by a number"
_SYNTAX: Final = "+ - * // % **, comparisons, 'a if c else b', min, max and indexing"


class ExpressionError(ValueError):
    """An error in an expression, at ``start``..``start + width`` of its text."""

    code = "expression"

    def __init__(
        self, message: str, start: int, width: int, *, expected: str = "", unknown_name: str | None = None
    ) -> None:
        super().__init__(message)
        self.start = start
        self.width = width
        self.expected = expected
        self.unknown_name = unknown_name


class NoFormulaHereError(ExpressionError):
    """The expression has a value for numbers, but no formula in the symbolic variables."""

    code = NO_FORMULA


class Names(Protocol):
    """The values of the names in an expression. Both methods raise :class:`KeyError` for an unknown name."""

    def result(self, name: str) -> Result:
        """Return the value of a name."""

    def text(self, name: str) -> str:
        """Return the text of a name, for a comparison with a word."""


def too_long(results: list[Result]) -> bool:
    """Return whether a list, together with the lists in it, has more values than allowed."""
    return _values(results) > MAX_LIST


def _values(results: list[Result]) -> int:
    """Return how many values a list has, together with the lists in it; of a list that is too long, some."""
    pending: list[list[Result]] = [results]
    count = 0
    while pending and count <= MAX_LIST:
        current = pending.pop()
        count += len(current)
        pending.extend(each for each in current if isinstance(each, list))
    return count


def evaluate(text: str, names: Names, where: Location | None = None) -> Result:
    """Return the value of an expression; ``where`` is its place.

    Raises:
        ExpressionError: the text is not an expression, uses syntax that is not allowed or an unknown name,
            or has no value (division by zero, too large).
        WorkError: too much has been computed for this spec.
    """
    if len(text) > MAX_EXPRESSION:
        expected = f"at most {MAX_EXPRESSION} characters"
        raise ExpressionError("the expression is too long", 0, len(text), expected=expected)
    stripped = text.strip()
    shift = len(text) - len(text.lstrip())
    tree = _parse(stripped, shift)
    try:
        return _Evaluator(names, stripped, shift, where).value(tree.body)
    except RecursionError:
        raise ExpressionError("the expression is nested too deeply", 0, len(text)) from None


def _parse(text: str, shift: int) -> ast.Expression:
    try:
        with warnings.catch_warnings():
            # Python warns about valid but suspicious code ("1if x else 2") on standard error.
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval")
    except SyntaxError as error:
        start = min(max((error.offset or 1) - 1, 0), max(len(text) - 1, 0))
        width = 1
    except (ValueError, RecursionError, MemoryError):
        start, width = 0, len(text)
    raise ExpressionError("not an expression", shift + start, width, expected=_SYNTAX)


class _Evaluator:
    def __init__(self, names: Names, text: str, shift: int, where: Location | None) -> None:
        self._names = names
        self._where = where
        self._text = text
        self._shift = shift

    def value(self, node: ast.expr) -> Result:
        rule = getattr(self, f"_{type(node).__name__}", None)
        if rule is None:
            raise self._unsupported(node)
        result: Result = rule(node)
        if isinstance(result, Expr) and (len(result.terms) > MAX_TERMS or degree(result) > MAX_DEGREE):
            raise self._too_long(node)
        if isinstance(result, int | float) and not -MAX_MAGNITUDE <= result <= MAX_MAGNITUDE:
            raise self._error(node, "the result is too large", f"at most {MAX_MAGNITUDE:.0e}")
        return result

    def _Constant(self, node: ast.Constant) -> Result:
        if isinstance(node.value, bool | int | float | str):
            return node.value
        raise self._error(node, "this constant is not allowed", "a number, a quoted word, True or False")

    def _Name(self, node: ast.Name) -> Result:
        return self._looked_up(self._names.result, node)

    def _looked_up(self, rule: Callable[[str], T], node: ast.Name) -> T:
        try:
            return rule(node.id)
        except KeyError:
            message = f"unknown name '{node.id}'"
            raise ExpressionError(message, *self._span(node), unknown_name=node.id) from None

    def _List(self, node: ast.List) -> Result:
        results = [self.value(each) for each in node.elts]
        if too_long(results):
            raise self._error(node, "this list becomes too long", f"at most {MAX_LIST:,} values")
        return results

    def _UnaryOp(self, node: ast.UnaryOp) -> Result:
        operand = self.value(node.operand)
        if isinstance(node.op, ast.Not):
            return not operand
        number = self._number(node.operand, operand)
        signed: Result = -number if isinstance(node.op, ast.USub) else number
        if isinstance(node.op, ast.USub | ast.UAdd):
            return signed
        raise self._unsupported(node)

    def _BinOp(self, node: ast.BinOp) -> Result:
        rule = _ARITHMETIC.get(type(node.op))
        if rule is None:
            if isinstance(node.op, ast.Div):
                raise self._error(node, "'/' is not supported", "'//', which divides and rounds down")
            raise self._unsupported(node)
        left = self._number(node.left, self.value(node.left))
        right = self._number(node.right, self.value(node.right))
        self._check_operands(node, left, right)
        try:
            result = rule(left, right)
        except (ZeroDivisionError, OverflowError):
            raise self._error(node, "division by zero, or a result that is too large") from None
        except (TypeError, ValueError):
            # A formula and a fraction, a division by a symbol, or a negative power.
            raise self._no_formula(node) from None
        if isinstance(result, complex):
            raise self._error(node, "the result is not a real number")
        return result

    def _check_operands(self, node: ast.BinOp, left: Result, right: Result) -> None:
        """Refuse powers that would be too large, and a divisor that is 0 for all values of the symbols.

        Raises Undecidable for a divisor that is 0 for some.
        """
        if isinstance(node.op, ast.FloorDiv | ast.Mod) and isinstance(right, Expr) and same(right, 0):
            raise self._error(node, "division by zero")
        if not isinstance(node.op, ast.Pow) or not isinstance(right, int | float):
            return
        if not -MAX_EXPONENT <= right <= MAX_EXPONENT:
            raise self._error(node.right, "the exponent is too large", f"at most {MAX_EXPONENT}")
        if isinstance(left, Expr) and degree(left) * right > MAX_DEGREE:
            raise self._too_long(node)

    def _BoolOp(self, node: ast.BoolOp) -> Result:
        values = [bool(self.value(each)) for each in node.values]
        return all(values) if isinstance(node.op, ast.And) else any(values)

    def _Compare(self, node: ast.Compare) -> Result:
        sides = [node.left, *node.comparators]
        with_word = any(isinstance(side, ast.Constant) and isinstance(side.value, str) for side in sides)
        values = [self._compared(side, with_word=with_word) for side in sides]
        return all(
            self._holds(node, op, left, right)
            for op, left, right in zip(node.ops, values, values[1:], strict=False)
        )

    def _compared(self, side: ast.expr, *, with_word: bool) -> Result:
        """Return a side of a comparison; next to a quoted word, a name means its text: ``mode == 'deep'``."""
        if with_word and isinstance(side, ast.Name):
            return self._looked_up(self._names.text, side)
        return self.value(side)

    def _holds(self, node: ast.Compare, op: ast.cmpop, left: Result, right: Result) -> bool:
        rule = _COMPARISONS.get(type(op))
        if rule is None:
            raise self._unsupported(node)
        if isinstance(left, list) and isinstance(right, list):
            spend(VALUES, min(_values(left), _values(right)), self._where)
        try:
            return bool(rule(left, right))
        except Undecidable:
            raise
        except TypeError:
            if isinstance(left, Expr) or isinstance(right, Expr):
                raise self._no_formula(node) from None
            raise self._error(node, "these two values cannot be compared") from None

    def _IfExp(self, node: ast.IfExp) -> Result:
        return self.value(node.body if self.value(node.test) else node.orelse)

    def _Call(self, node: ast.Call) -> Result:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        rule = _FUNCTIONS.get(name)
        if rule is None or node.keywords or not node.args:
            raise self._error(node, "only min(...) and max(...) can be called")
        numbers = [self._number(each, self.value(each)) for each in self._arguments(node)]
        try:
            return rule(numbers)
        except Undecidable:
            raise
        except TypeError:
            raise self._no_formula(node) from None

    def _arguments(self, node: ast.Call) -> list[ast.expr]:
        if any(isinstance(each, ast.Starred) for each in node.args):
            raise self._error(node, "only min(...) and max(...) can be called")
        return node.args

    def _Subscript(self, node: ast.Subscript) -> Result:
        items = self.value(node.value)
        index = self.value(node.slice)
        if not isinstance(items, list):
            raise self._error(node.value, "only a list can be indexed")
        if isinstance(index, Expr):
            raise self._no_formula(node.slice)
        if not isinstance(index, int) or isinstance(index, bool):
            raise self._error(node.slice, "an index must be a whole number")
        if not -len(items) <= index < len(items):
            expected = f"an index from 0 to {len(items) - 1}" if items else "a list that is not empty"
            raise self._error(node.slice, "the index is out of range", expected)
        return items[index]

    def _number(self, node: ast.expr, value: Result) -> Any:
        if isinstance(value, int | float | Expr):
            return value
        came = "a list" if isinstance(value, list) else f"the word '{value}'"
        raise self._error(node, f"{came} is used as a number", "a number")

    def _unsupported(self, node: ast.expr) -> ExpressionError:
        return self._error(node, "not allowed in an expression", _SYNTAX)

    def _no_formula(self, node: ast.expr) -> NoFormulaHereError:
        message = "cannot be expressed in the symbolic variables"
        return NoFormulaHereError(message, *self._span(node), expected=_FORMULA)

    def _too_long(self, node: ast.expr) -> NoFormulaHereError:
        expected = f"at most {MAX_TERMS} terms, and powers up to {MAX_DEGREE}"
        return NoFormulaHereError("the formula is too long", *self._span(node), expected=expected)

    def _error(self, node: ast.expr, message: str, expected: str = "") -> ExpressionError:
        return ExpressionError(message, *self._span(node), expected=expected)

    def _span(self, node: ast.expr) -> tuple[int, int]:
        """Return start and width in characters; the syntax tree counts bytes."""
        if node.lineno != 1 or node.end_lineno != 1 or node.end_col_offset is None:
            return 0, len(self._text) + self._shift
        data = self._text.encode()
        start = len(data[: node.col_offset].decode())
        end = len(data[: node.end_col_offset].decode())
        return self._shift + start, max(end - start, 1)
