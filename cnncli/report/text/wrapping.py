"""Wrapping of long lines, formulas among them: no line ends within a term."""

from __future__ import annotations

import re
import textwrap
from typing import Final

NO_BREAK: Final = "\N{NO-BREAK SPACE}"

_WITHIN = re.compile(r"\([^()]{,40}\)|(?<=[+-]) ")
"""The spaces within parentheses, if those are short, and the ones after a sign."""
INDENT: Final = "    "


def wrapped(text: str, width: int, indent: str | None = INDENT) -> list[str]:
    """Return the lines of a text, all but the first indented; only a long word may exceed the width.

    ``indent`` is None for a little more than the text's own.
    """
    if indent is None:
        indent = text[: len(text) - len(text.lstrip())] + INDENT
    lines = textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [plain(line) for line in lines]


def unbroken(formula: str) -> str:
    """Return the formula for :func:`wrapped`, which then ends no line within a term."""
    return _WITHIN.sub(lambda found: found[0].replace(" ", NO_BREAK), formula)


def plain(text: str) -> str:
    """Return the text with ordinary spaces only."""
    return text.replace(NO_BREAK, " ")
