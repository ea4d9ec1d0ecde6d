"""Input sizes as text: numbers, and symbols for sizes that are not known."""

from __future__ import annotations

import re
from typing import Final

from cnncli.algebra import Dim, is_symbol, symbol
from cnncli.diagnostics import UsageError, shortened, usage_error
from cnncli.limits import MAX_AXES, MAX_SIZE, MAX_SIZE_TEXT

_SYMBOL: Final = re.compile("[A-WYZa-wyz]")
"""The beginning of a symbol; 'x' separates sizes."""
_FORMULA: Final = re.compile(r"(?P<factor>\d*)\*?(?P<name>[A-WYZa-wyz]\w*)(?P<more>\+\d+)?\Z", re.ASCII)


def parse_shape(text: str | None) -> tuple[Dim, ...] | None:
    """Return the input size in a text, None for None.

    Sizes may be symbols or multiples of symbols: ``3xHxW``, ``3xHxH``, ``1x(16k)x(16k)``.

    Raises:
        UsageError: the text is not an input size, or its channels are not a number.
    """
    if text is None:
        return None
    first, *sizes = re.split("[xX,]", text.strip().replace("×", "x").replace(" ", ""))
    if len(sizes) > MAX_AXES or not (sizes or first.isdecimal()):
        raise _wrong(text, "channels and one to three sizes, such as 3x224x224 or 3xHxW; 784 for a vector")
    if _SYMBOL.match(first):
        raise _wrong(text, "a number of channels before the sizes, such as 3x224x224 or 3xHxW")
    return (_number(first, text), *(_size(part, text) for part in sizes))


def _size(part: str, text: str) -> Dim:
    if not _SYMBOL.search(part):
        return _number(part, text)
    inner = part[1:-1] if part.startswith("(") and part.endswith(")") else part
    match = _FORMULA.match(inner)
    if match is None or len(part) > MAX_SIZE_TEXT:
        raise _wrong(text, "a number, a symbol such as H, or a form such as 16k or (16k+4)", part)
    if not is_symbol(match["name"]):
        raise _wrong(text, "a symbol that is not a Python keyword, such as H", match["name"])
    return int(match["factor"] or 1) * symbol(match["name"]) + int(match["more"] or 0)


def _number(part: str, text: str) -> int:
    if part.isdecimal() and len(part) <= MAX_SIZE_TEXT and 1 <= int(part) <= MAX_SIZE:
        return int(part)
    if not part:
        raise _wrong(text, "sizes with one x between them, such as 3x224x224 or 3xHxW; x cannot be a symbol")
    raise _wrong(
        text, f"whole numbers from 1 to {MAX_SIZE:,}, such as 3x224x224, or symbols, such as 3xHxW", part
    )


def _wrong(text: str, expected: str, part: str = "") -> UsageError:
    received = f"'{shortened(part)}'" if part else ""
    return usage_error(f"'{shortened(text)}' is not an input size", expected=expected, received=received)
