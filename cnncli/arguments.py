"""Arguments of the Python API: what may be passed, and the message for what may not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import index
from pathlib import Path
from typing import Any

from cnncli.algebra import Dim, Expr
from cnncli.diagnostics import usage_error
from cnncli.language.input_size import parse_shape
from cnncli.language.overrides import Keyword


def device(value: Any, default: str) -> str:
    """Return the name of a device, given as a name or a ``torch.device``; ``default`` for None.

    Raises:
        UsageError: it is something else.
    """
    named = str(value) if type(value).__name__ == "device" else value
    return default if value is None else text("device", named)


def whole(name: str, value: Any, least: int = 1, most: int = 10**12) -> int:
    """Return a whole number, also from NumPy, as an int.

    Raises:
        UsageError: it is not a whole number from ``least`` to ``most``.
    """
    try:
        number = _index(value)
    except TypeError:
        number = least - 1
    if not least <= number <= most:
        expected = f"a whole number from {least} to {most}"
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


def budget(value: Any) -> Any:
    """Return a budget: a mapping as it is, or the path of a file.

    Raises:
        UsageError: it is something else.
    """
    return value if isinstance(value, Mapping) else path("budget", value)


def path(name: str, value: Any) -> Path:
    """Return a path.

    Raises:
        UsageError: it is not one.
    """
    if not text(name, value) or "\0" in str(value):
        raise usage_error(f"'{name}' cannot be {value!r}", expected="a path")
    return Path(value)


def input_shape(size: Any) -> tuple[Dim, ...]:
    """Return an input size, with whole numbers of NumPy as ints.

    Raises:
        UsageError: it is not a sequence of whole numbers and formulas.
    """
    try:
        if isinstance(size, bytes) or not (isinstance(size, Sequence) or hasattr(size, "__array__")):
            raise TypeError
        return tuple(dim if isinstance(dim, Expr) else _index(dim) for dim in size)
    except TypeError:
        expected = "whole numbers and formulas, such as (3, 224, 224), or a text such as '3xHxW'"
        raise usage_error("not an input size", expected=expected, received=repr(size)) from None


def size(value: Any) -> tuple[Dim, ...] | None:
    """Return an input size, also from a text such as "3xHxW"; None for None.

    Raises:
        UsageError: it is neither.
    """
    if value is None:
        return None
    return parse_shape(value) if isinstance(value, str) else input_shape(value)


def _index(dim: Any) -> int:
    """Return a whole number as an int; a truth value is not a size.

    Raises:
        TypeError: it is not a whole number.
    """
    if isinstance(dim, bool):
        raise TypeError
    return index(dim)


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
        return f"[{', '.join(map(_inner, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_inner(key)}: {_inner(each)}' for key, each in value.items())}}}"
    return str(value)


def _inner(value: Any) -> str:
    """Return the text of a value inside of braces, where a comma in a path would end it."""
    if not isinstance(value, str | Path):
        return _text(value)
    import json  # noqa: PLC0415 - few settings contain a text

    return str(value) if str(value).isidentifier() else json.dumps(str(value), allow_nan=False)
