"""Arguments of the Python API: what may be passed, and the message for what may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import index
from pathlib import Path
from typing import Any

from cnncli.algebra import Dim, Expr
from cnncli.diagnostics import usage_error
from cnncli.language.overrides import Keyword


def whole(name: str, value: Any, least: int = 1) -> int:
    """Return a whole number, also from NumPy, as an int.

    Raises:
        UsageError: it is not a whole number of ``least`` or more.
    """
    try:
        number = index(value)
    except TypeError:
        number = least - 1
    if number < least or isinstance(value, bool):
        expected = f"a whole number of {least} or more"
        raise usage_error(f"'{name}' cannot be {value!r}", expected=expected)
    return number


def words(name: str, values: Any) -> tuple[str, ...]:
    """Return several paths or texts as strings; a single one may be passed without a list.

    Raises:
        UsageError: they are something else.
    """
    if isinstance(values, str | Path):
        return (str(values),)
    listed = [*values] if isinstance(values, Iterable) else [values]
    if not all(isinstance(each, str | Path) for each in listed):
        raise usage_error(f"'{name}' cannot be {values!r}", expected="strings or paths")
    return tuple(map(str, listed))


def text(name: str, value: Any) -> str:
    """Return a string or path as a string.

    Raises:
        UsageError: it is something else.
    """
    if not isinstance(value, str | Path):
        raise usage_error(f"'{name}' cannot be {value!r}", expected="a string")
    return str(value)


def input_shape(size: Any) -> tuple[Dim, ...]:
    """Return an input size, with whole numbers of NumPy as ints.

    Raises:
        UsageError: it is not a sequence of whole numbers and formulas.
    """
    try:
        return tuple(dim if isinstance(dim, Expr) else index(dim) for dim in size)
    except TypeError:
        expected = "whole numbers and formulas, such as (3, 224, 224), or a text such as '3xHxW'"
        raise usage_error("not an input size", expected=expected, received=repr(size)) from None


def overrides(name: str, values: Any) -> tuple[str, ...]:
    """Return overrides, texts such as ``width=32`` or a mapping, in the form of ``--set``.

    Raises:
        UsageError: they are something else.
    """
    return keywords(values) if isinstance(values, Mapping) else words(name, values)


def keywords(values: Mapping[str, Any], section: str = "") -> tuple[str, ...]:
    """Return keyword arguments in the form of ``--set``: variables, or the settings of a section."""
    return tuple(Keyword(f"{section}{name}={_text(value)}") for name, value in values.items())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_text, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_text(each)}' for key, each in value.items())}}}"
    return str(value)
