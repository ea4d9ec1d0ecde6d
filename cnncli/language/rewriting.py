"""Replace the values of variables in the text of a spec, and leave everything else as it is."""

from __future__ import annotations

from collections.abc import Mapping

from cnncli.diagnostics import line_starts
from cnncli.language.document import Document
from cnncli.language.tree import Entries, Scalar


def with_values(document: Document, values: Mapping[str, str]) -> str | None:
    """Return the document's own text, comments included, with these values of variables.

    None if one of the variables has its value from elsewhere (a base file, ``--set``), or is not a scalar.
    Paths after ``extends`` are not adjusted: a caller that writes the text to another folder must do that.
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
    # From the end, so that earlier offsets remain valid.
    for start, end, word in sorted(pieces, reverse=True):
        text = text[:start] + word + text[end:]
    return text
