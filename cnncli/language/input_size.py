"""``--input``: numbers, and symbols for sizes that are not known."""

from __future__ import annotations

import re
from typing import Final

from cnncli.algebra import Dim, symbol
from cnncli.diagnostics import usage_error

_SIZE: Final = re.compile(r"\d+([x,]\d+){0,3}\Z")
_UNKNOWN: Final = re.compile(r"(?P<factor>\d*)\*?(?P<name>[A-WYZa-wyz]\w*)(?P<more>\+\d+)?\Z", re.ASCII)
_MAX_DIGITS: Final = 12


def parse_size(text: str | None) -> tuple[int, ...] | None:
    """The size that ``--input`` gives in numbers.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    folded = _folded(text).lower()
    parts = re.split("[x,]", folded)
    if not _SIZE.match(folded) or any(len(part) > _MAX_DIGITS or int(part) == 0 for part in parts):
        raise usage_error(
            f"--input {text}: this is no size",
            expected="channels and sizes, such as 3x224x224, or features, such as 784",
        )
    return tuple(int(part) for part in parts)


def parse_shape(text: str | None) -> tuple[Dim, ...] | None:
    """The size that ``--input`` gives, in which some may be unknown: ``3xHxW``, ``3xHxH``, ``1x(16k)x(16k)``.

    Raises:
        UsageError: it is none, or the channels are unknown.
    """
    if text is None or not re.search("[A-WYZa-wyz]", text):
        return parse_size(text)
    channels, *sizes = re.split("[xX,]", _folded(text))
    if not channels.isdecimal() or not 1 <= len(sizes) <= 3:
        raise usage_error(
            f"--input {text}: this is no size",
            expected="channels and sizes, such as 3x224x224, or with symbols 3xHxW, 3xHxH, 1x(16k)x(16k)",
        )
    known = parse_size(channels)
    assert known is not None
    return (*known, *(_size(part, text) for part in sizes))


def _size(part: str, text: str) -> Dim:
    if part.isdecimal():
        (size,) = parse_size(part) or ()
        return size
    inner = part[1:-1] if part.startswith("(") and part.endswith(")") else part
    match = _UNKNOWN.match(inner)
    if match is None or len(part) > 3 * _MAX_DIGITS:
        raise usage_error(
            f"--input {text}: '{part}' is no size",
            expected="a number, a letter, or a form such as 16k or (16k+4)",
        )
    return int(match["factor"] or 1) * symbol(match["name"]) + int(match["more"] or 0)


def _folded(text: str) -> str:
    return text.strip().replace("×", "x").replace(" ", "")
