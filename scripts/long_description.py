"""The README as a package index shows it: by itself, without the files that its links and its picture need.

Hatchling calls this while it builds (``tool.hatch.metadata.hooks.custom`` in pyproject.toml), so nothing but
hatchling and the standard library is imported.
"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_ROOT = Path(__file__).resolve().parent.parent
_PICTURE = re.compile(r"^!\[[^\]]*\]\(([^):]+)\)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\((?![a-z]+:|#)([^)]+)\)")
_WRITTEN = re.compile(r'<text [^>]*clip-path="url\(#[\w-]+-line-(\d+)\)">(.*?)</text>')


class LongDescription(MetadataHookInterface):
    """Adds ``readme`` to the metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the long description."""
        text = (_ROOT / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": long_description(text)}


def long_description(readme: str) -> str:
    """Return the text with the lines of a terminal in place of its picture, and paths in place of links."""
    return _LINK.sub(_path, _PICTURE.sub(_terminal, readme))


def _terminal(found: re.Match[str]) -> str:
    lines: dict[str, str] = {}
    for number, text in _WRITTEN.findall((_ROOT / found[1]).read_text(encoding="utf-8")):
        lines[number] = lines.get(number, "") + html.unescape(text).replace("\N{NO-BREAK SPACE}", " ")
    return "\n".join(f"    {line}".rstrip() for line in lines.values())


def _path(found: re.Match[str]) -> str:
    text, path = found[1], found[2]
    return path if text.rstrip("/") == path.rstrip("/") else f"{text} ({path})"
