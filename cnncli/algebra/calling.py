"""Formulas as functions: exact values at whole numbers and at NumPy arrays of them."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import TYPE_CHECKING, Any, Final

from cnncli.algebra.sizes import evaluate, symbols_of

if TYPE_CHECKING:
    from cnncli.algebra.expression import Expr

_LIMIT: Final = 2**63
"""The smallest number that does not fit into a signed 64-bit integer."""


def call(formula: Expr, sizes: Mapping[str, Any]) -> Any:
    """Return the value of a formula; see :meth:`cnncli.algebra.Expr.__call__`.

    Raises:
        TypeError: a symbol is given no size, or a size is not a whole number.
    """
    missing = sorted(symbols_of(formula) - sizes.keys())
    if missing:
        raise TypeError(f"no size for {', '.join(missing)} in {formula}")
    exact = {name: _exact(name, size) for name, size in sizes.items()}
    value: Any = evaluate(formula, exact)
    return value if isinstance(value, int) else _narrow(value)


def _exact(name: str, size: Any) -> Any:
    """Return a size as Python's integers: a number, or an array of dtype object."""
    kind = getattr(getattr(size, "dtype", None), "kind", None)
    if kind is not None and getattr(size, "shape", ()) != ():
        if kind not in "iuO":
            raise TypeError(f"{name} must be whole numbers, not {size.dtype}")
        return size.astype(object)
    try:
        return index(size)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {size!r}") from None


def _narrow(values: Any) -> Any:
    """Return an array of Python's integers with dtype int64 if all of them fit."""
    fits = values.size == 0 or (values.max() < _LIMIT and values.min() >= -_LIMIT)
    return values.astype("int64") if fits else values
