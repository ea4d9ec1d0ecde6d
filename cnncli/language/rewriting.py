"""The text of a spec with other words for some of its variables, and everything else left as it stands."""

from __future__ import annotations

from collections.abc import Mapping

from cnncli.diagnostics import line_starts
from cnncli.language.document import Document
from cnncli.language.tree import Entries, Scalar


def with_values(document: Document, values: Mapping[str, str]) -> str | None:
    """The document's own text, comments included, with these words as values of variables.

    None where one of them has its value from elsewhere (a file that is extended, ``--set``), or is no single
    word. What the file extends is not looked at: whoever writes the text elsewhere has to see to that.
    """
    variables = document.entries.get("vars")
    text = document.source.text
    starts = line_starts(text)
    pieces: list[tuple[int, int, str]] = []
    for name, word in values.items():
        value = variables.get(name) if isinstance(variables, Entries) else None
        if not isinstance(value, Scalar) or value.location.source is not document.source:
            return None
        where = value.location
        start = starts[where.line - 1] + where.column - 1
        pieces.append((start, start + where.width, word))
    # From the end, so that the places before stay what they are.
    for start, end, word in sorted(pieces, reverse=True):
        text = text[:start] + word + text[end:]
    return text
