"""A recipe as YAML, with the origin of each value in a comment; it can be saved for ``--recipe``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cnncli.analysis.rates import LayerRate
from cnncli.recipe.origins import DEFAULT, Setting
from cnncli.report.pages.rates import table as rates_table
from cnncli.report.text.columns import Line, render

_PLAIN: Final = re.compile(r"[A-Za-z][\w./:-]*(?<!:)\Z", re.ASCII)
"""A text that needs no quotes."""

_WORDS: Final = frozenset({"true", "false", "yes", "no", "on", "off", "null"})
_STEP: Final = "  "


def lines(settings: Sequence[Setting], rates: Sequence[LayerRate] = ()) -> Iterator[Line]:
    """Yield the lines of a recipe; what is a default is dim. Learning rates of layers are comments below."""
    texts = [*_texts(settings)]
    width = max(len(text) for text, _ in texts)
    for text, origin in texts:
        comment = f"{text:<{width}}  # {origin}" if origin else text
        yield Line(comment, "note" if origin == DEFAULT else "")
    if rates:
        yield Line("", "")
        for line in render(rates_table(rates), None):
            if line.role != "rule":
                yield line._replace(text=f"# {line.text}")


def _texts(settings: Sequence[Setting]) -> Iterator[tuple[str, str]]:
    """Yield each line with its origin; mappings have none."""
    open_keys: tuple[str, ...] = ()
    for path, value, origin in settings:
        outer = path[:-1]
        shared = sum(1 for one, other in zip(open_keys, outer, strict=False) if one == other)
        for level in range(shared, len(outer)):
            yield f"{_STEP * level}{_text(outer[level])}:", ""
        open_keys = outer
        yield f"{_STEP * len(outer)}{_text(path[-1])}: {_text(value)}", origin


def _text(value: Any) -> str:
    """Return a value as YAML that reads it again; a ``$`` would begin the name of a variable."""
    if not isinstance(value, str):
        return json.dumps(value, allow_nan=False)
    text = value.replace("$", "$$")
    return text if _PLAIN.match(text) and text.casefold() not in _WORDS else json.dumps(text, allow_nan=False)
