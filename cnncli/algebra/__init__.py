"""Exact integers with unknowns: the arithmetic behind every size and cost.

A rule such as ``(n + b + a - k)//s + 1`` is written once, for :data:`Dim`. Given integers it returns
an integer; given symbols it returns a formula in canonical form. A comparison that depends on the
unknowns becomes a :class:`Condition`, whose truth is never guessed.
"""

from __future__ import annotations

from cnncli.algebra.expression import Condition, Dim, Expr, NoFormulaError, Undecidable, same, symbol
from cnncli.algebra.sizes import (
    Sum,
    ceil_div,
    degree,
    evaluate,
    known,
    largest,
    largest_number,
    product,
    smallest,
    summed,
    symbols_of,
    whole,
    whole_shape,
)
from cnncli.algebra.terms import is_symbol

__all__ = [
    "Condition",
    "Dim",
    "Expr",
    "NoFormulaError",
    "Sum",
    "Undecidable",
    "ceil_div",
    "degree",
    "evaluate",
    "is_symbol",
    "known",
    "largest",
    "largest_number",
    "product",
    "same",
    "smallest",
    "summed",
    "symbol",
    "symbols_of",
    "whole",
    "whole_shape",
]
