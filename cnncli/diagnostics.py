"""A place in a file, a message about it, and the exceptions that carry messages to a person.

Everything a user can get wrong ends as a :class:`Diagnostic`: where it is, what was expected, what
came instead, what to try. Diagnostics are plain values: finding them and showing them are kept
apart (:mod:`cnncli.report.messages` renders them), so all faults of a file can be shown together.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Source(NamedTuple):
    """A text and the name under which a person knows it, usually the path as it was typed."""

    name: str
    text: str

    def line(self, number: int) -> str:
        """The line with this number, counted from 1; empty beyond the end."""
        lines = self.text.splitlines()
        return lines[number - 1] if 1 <= number <= len(lines) else ""


class Location(NamedTuple):
    """A stretch of one line: ``line`` and ``column`` count from 1, ``width`` is in characters."""

    source: Source
    line: int
    column: int
    width: int = 1

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def __repr__(self) -> str:
        # The source holds a whole file: keep it out of failure messages.
        return f"Location({self})"


class Related(NamedTuple):
    """A second place that explains a diagnostic: the use of a block, the other side of a join."""

    message: str
    location: Location


class Diagnostic(NamedTuple):
    """One message about one place.

    ``code`` is stable and meant for machines (``unknown-argument``, ``shape``); ``expected`` and
    ``received`` are short phrases; ``hint`` says what to try; ``detail`` is preformatted text, such
    as the table of shapes down to the layer that fails.
    """

    code: str
    message: str
    location: Location | None = None
    expected: str = ""
    received: str = ""
    hint: str = ""
    related: tuple[Related, ...] = ()
    detail: str = ""


class CnncliError(ValueError):
    """Something a user can mend. Carries one diagnostic or more, in the order of the file."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        self.diagnostics: tuple[Diagnostic, ...] = found
        super().__init__("\n".join(_one_line(each) for each in found))


class SpecError(CnncliError):
    """The text of a spec is wrong: its YAML, a name, an argument, an expression."""


class ShapeError(CnncliError):
    """The spec reads well, but its layers do not fit together at this input size."""


class UsageError(CnncliError):
    """The command line is wrong: an option's value, a file that is not there, a missing extra."""


def usage_error(message: str, *, expected: str = "", received: str = "", hint: str = "") -> UsageError:
    """A :class:`UsageError` about the command line, where there is no place in a file to point at."""
    return UsageError(Diagnostic("usage", message, expected=expected, received=received, hint=hint))


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that ``word`` was most likely meant to be, or None where nothing is close."""
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    found = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """A hint naming the nearest candidate, or a short list of what there is; empty if nothing is."""
    known = list(candidates)
    match = nearest(word, known)
    if match is not None:
        return f"did you mean '{match}'?"
    return f"there is {listing(known)}" if known else ""


def listing(words: Sequence[str], limit: int = 12) -> str:
    """``a, b and c``, cut after ``limit`` words."""
    if len(words) > limit:
        return f"{', '.join(words[:limit])} and {len(words) - limit} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def _one_line(diagnostic: Diagnostic) -> str:
    where = f"{diagnostic.location}: " if diagnostic.location else ""
    outcome = f" (expected {diagnostic.expected})" if diagnostic.expected else ""
    return f"{where}{diagnostic.message}{outcome}"
