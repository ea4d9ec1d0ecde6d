"""Formulas as functions: exact values at whole numbers and at NumPy arrays of them."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import TYPE_CHECKING, Any, Final

from cnncli.algebra.sizes import evaluate, symbols_of
from cnncli.limits import MAX_EXACT

if TYPE_CHECKING:
    from cnncli.algebra.expression import Expr

_INT64_END: Final = 2**63
"""The smallest number that does not fit into a signed 64-bit integer."""


def call(formula: Expr, sizes: Mapping[str, Any]) -> Any:
    """Return the value of a formula; see :meth:`cnncli.algebra.Expr.__call__`.

    Raises:
        TypeError: a symbol is given no size, or a size is not a whole number.
        ValueError: a size is less than 1.
    """
    missing = sorted(symbols_of(formula) - sizes.keys())
    if missing:
        raise TypeError(f"no size for {', '.join(missing)} in {formula}")
    exact = {name: _exact(name, size) for name, size in sizes.items()}
    value: Any = evaluate(formula, exact)
    return value if isinstance(value, int) else _narrow(value)


def _exact(name: str, size: Any) -> Any:
    """Return a size as Python's integers: a number, or an array of dtype object."""
    # Without their labels, by which pandas would align the values of two symbols.
    size = size.to_numpy() if hasattr(size, "to_numpy") else size
    if getattr(size, "shape", ()) == ():
        return _whole(name, size)
    if size.dtype.kind not in "iuO":
        raise TypeError(f"{name} must be whole numbers, not {size.dtype}")
    exact = size.astype(object)
    for place, number in enumerate(exact.flat):
        exact.flat[place] = _whole(name, number)
    return exact


def _whole(name: str, number: Any) -> int:
    """Return a size as an int.

    Raises:
        TypeError: it is not a whole number.
        ValueError: it is less than 1, or has too many digits.
    """
    try:
        exact = index(number)
    except TypeError:
        exact = None
    if exact is None or isinstance(number, bool):
        raise TypeError(f"{name} must be a whole number, not {number!r}")
    if abs(exact) > MAX_EXACT:
        # Python does not write numbers of thousands of digits.
        raise ValueError(f"{name} must have at most {len(str(MAX_EXACT)) - 1} digits")
    if exact < 1:
        raise ValueError(f"{name} must be at least 1, not {exact}")
    return exact


def _narrow(values: Any) -> Any:
    """Return an array of Python's integers with dtype int64 if all of them fit."""
    fits = values.size == 0 or (values.max() < _INT64_END and values.min() >= -_INT64_END)
    return values.astype("int64") if fits else values
