"""Whole specs to mutate: those that ship, those in the documents and tests, and generated ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from textwrap import dedent

from cnncli.diagnostics import CnncliError
from cnncli.graph import open_text
from tests.campaign.words import SECTIONS
from tests.generate import random_spec

ROOT = Path(__file__).resolve().parents[2]
GENERATED = 60
MAX_SEED = 8_000

_FENCED = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
_QUOTED = re.compile(r'"""\\?\n?([^"]{20,})"""')
_EXTENDS = re.compile(r"^extends: (\w+)\.yaml$", re.MULTILINE)


@cache
def seeds() -> tuple[str, ...]:
    """Return the texts, each once."""
    found = (*_shipped(), *_in_documents(), *_in_tests(), *map(random_spec, range(GENERATED)))
    return tuple(text for text in dict.fromkeys(found) if len(text) <= MAX_SEED and opens(text))


def opens(text: str) -> bool:
    """Return whether a text is a valid spec: of the quotes in the tests not all are."""
    try:
        open_text(text)
    except CnncliError:
        return "extends:" in text  # which only a file may have
    return True


def _shipped() -> Iterator[str]:
    for path in sorted((ROOT / "specs").rglob("*.yaml")):
        # The base of a shipped spec has a name that is known everywhere.
        yield _EXTENDS.sub(r"extends: \1", path.read_text(encoding="utf-8"))


def _in_documents() -> Iterator[str]:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        yield from (whole(text) for text in _FENCED.findall(path.read_text(encoding="utf-8")))


def _in_tests() -> Iterator[str]:
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for text in _QUOTED.findall(path.read_text(encoding="utf-8")):
            if "layers:" in text:
                yield dedent(text)


def whole(text: str) -> str:
    """Return a spec of which the text is a part: sections, or only layers."""
    if any(text.startswith(f"{section}:") for section in SECTIONS):
        parts = {"input": "input: [3, 32, 32]\n", "layers": "layers: [flatten, linear: 10]\n"}
        return text + "".join(part for name, part in parts.items() if f"\n{name}:" not in f"\n{text}")
    lines = "".join(f"  {line}\n" for line in text.splitlines())
    return f"input: [3, 32, 32]\nvars: {{width: 8}}\nlayers:\n{lines}"
