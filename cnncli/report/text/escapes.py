"""Free text from elsewhere, such as names and file names, made safe for what it is shown in.

Each format has one function for its own syntax. What controls terminals and the logs of CI systems is
replaced in the lines of all formats, when they are written.
"""

from __future__ import annotations

import json
import re
from typing import Final

from cnncli.report.text.wrapping import NO_BREAK

_COMMAND: Final = r"^(?P<lead>\s*):(?=:)|#(?=#\w*\[)"
"""Commands in the logs of CI: ``::error`` at the start of a line, ``##vso[`` and the like anywhere."""

_MARKDOWN: Final = r"""(?xi)
    (?P<linked> [@#!&](?=\w) | \$ | :(?=//) | (?<=www)\.(?=\S) | (?<=gh)-(?=\d) )
    | (?P<syntax> [\\`*_|<>\[\]&~#!] )
"""
"""What Markdown interprets: ``syntax`` is its own; ``linked`` becomes a mention, a reference, a link or a
formula on GitHub and GitLab, even behind a backslash.
"""

_LINE_START: Final = r"^(\s*\d*)(?=[-+=.)])"
"""What is before the mark of a list, or of a heading that is underlined."""


def printable(text: str) -> str:
    """Return the text without characters that control a terminal or reverse letters; tabs become spaces."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def shown(line: str) -> str:
    """Return a line without what controls a terminal, or the CI system that reads a log."""
    line = printable(line)
    if "::" not in line and "##" not in line:
        return line
    return re.sub(_COMMAND, lambda found: f"{found[0]} ", line)


def markdown(text: str) -> str:
    """Return a text within a line, with everything escaped that Markdown and its dialects interpret."""
    return re.sub(_MARKDOWN, _markdown_escape, printable(text))


def markdown_line(text: str) -> str:
    """Return a line that is neither a table's nor a heading's, with what begins a list escaped as well."""
    return re.sub(_LINE_START, r"\1\\", markdown(text))


def html(text: str) -> str:
    """Return a text as the content of an element or a quoted attribute."""
    from html import escape  # noqa: PLC0415 - of this format alone

    return escape(NO_BREAK.join(map(printable, text.split(NO_BREAK))))


def json_text(line: str) -> str:
    """Return a line of JSON with escapes for characters in strings that could control a terminal or a log."""
    if not line.isprintable():
        line = "".join(c if c.isprintable() else _json_escape(c) for c in line)
    return re.sub(_COMMAND, lambda found: _json_escape(found[0]), line) if "##" in line else line


def _markdown_escape(found: re.Match[str]) -> str:
    if found["syntax"]:
        return f"\\{found['syntax']}"
    return f"<span>{found['linked'].replace('&', '&amp;')}</span>"


def _json_escape(character: str) -> str:
    """Return an escape of four digits; of a character beyond the first plane, two of them."""
    if ord(character) > 0x7F:
        return json.dumps(character, allow_nan=False)[1:-1]
    return f"\\u{ord(character):04x}"
