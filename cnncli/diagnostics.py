"""A place in a file, a message about it, and the exceptions that carry messages to a person.

Every user error becomes a :class:`Diagnostic`: where it is, what was expected, what was received, what to
try. Diagnostics are plain values: finding them is separate from showing them
(:mod:`cnncli.report.messages`), so all errors of a file can be shown together.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, pairwise
from typing import Final, Literal, NamedTuple, Self, TypeAlias

from cnncli.limits import MAX_CANDIDATES, MAX_FAULTS, MAX_LOOKED_AT, MAX_QUOTED, MAX_REPORTS, MAX_SPEC_NOTES

Level: TypeAlias = Literal["error", "warning", "note"]
"""How bad it is: without a result, a result that is probably not the intended one, or worth knowing."""

NO_FORMULA: Final = "no-formula"
"""The code of a diagnostic about a symbolic value where a number is needed."""

BATCH_IN_INPUT: Final = "batch-in-input"
"""The code of a diagnostic about an input size that seems to begin with a batch size."""

_LISTED: Final = 20
_LINE_BREAK: Final = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


class Source(NamedTuple):
    """A text and the name to show for it, usually the path as typed."""

    name: str
    text: str

    def __repr__(self) -> str:
        return f"Source({self.name!r})"

    def line(self, number: int) -> str:
        """Return the line with this number, counted from 1 as YAML does; empty beyond the end."""
        starts = line_starts(self.text)
        if not 1 <= number <= len(starts):
            return ""
        end = starts[number] if number < len(starts) else len(self.text)
        return lines_of(self.text[starts[number - 1] : end])[0]


class Location(NamedTuple):
    """A stretch of one line: ``line`` and ``column`` count from 1, ``width`` is in characters."""

    source: Source
    line: int
    column: int
    width: int = 1

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def __repr__(self) -> str:
        return f"Location({self})"


class Related(NamedTuple):
    """A second place that explains a diagnostic: the use of a block, the other side of a join."""

    message: str
    location: Location


class Proposal(NamedTuple):
    """A change of the settings that a hint proposes: the setting at ``path`` becomes ``value``.

    The value is a text, or has the items of a list, or of a mapping. ``reason`` is what it is good for, and
    ``more`` what would have to be added to it.
    """

    reason: str
    path: tuple[str, ...]
    value: str | tuple[str, ...] | Mapping[str, str]
    more: str = ""


class Diagnostic(NamedTuple):
    """One message about one place.

    ``code`` is stable and for machines (``unknown-argument``, ``shape``); ``expected`` and ``received`` are
    short phrases; ``hint`` says what to try; ``detail`` is preformatted text, such as the table of shapes
    up to the layer that fails. ``proposals`` are what ``hint`` says as values, for a command that has options
    for these settings. An ``error`` is raised; warnings and notes accompany a result.
    """

    code: str
    message: str
    location: Location | None = None
    expected: str = ""
    received: str = ""
    hint: str = ""
    related: tuple[Related, ...] = ()
    detail: str = ""
    level: Level = "error"
    proposals: tuple[Proposal, ...] = ()


def proposed(proposals: Iterable[Proposal], written: Callable[[Proposal], str]) -> str:
    """Return a hint: the proposals as a function writes them, each after what it is good for."""
    return "; ".join(f"{each.reason}: {written(each)}{each.more}" for each in proposals)


class CnncliError(ValueError):
    """An error that the user can fix, with one or more diagnostics in the order of the file.

    Warnings and notes, which may explain the errors, come after them.
    """

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        found = (diagnostics,) if isinstance(diagnostics, Diagnostic) else tuple(diagnostics)
        self.diagnostics: tuple[Diagnostic, ...] = found
        super().__init__("\n".join(_one_line(each) for each in found))


class SpecError(CnncliError):
    """The text of a spec is wrong: its YAML, a name, an argument, an expression."""


class LimitError(CnncliError):
    """A limit was exceeded: reading stops, since later results would be meaningless."""

    def at(self, name: str, where: Location) -> Self:
        """Return the same error about a node, unless it already has a place."""
        return type(self)(
            each if each.location else each._replace(message=f"{name}: {each.message}", location=where)
            for each in self.diagnostics
        )


class WorkError(LimitError):
    """A question has used up its budget (:mod:`cnncli.work`): whatever else it asks would fail too."""


class ShapeError(SpecError):
    """The spec is valid, but its layers do not fit together at this input size."""


class UsageError(CnncliError):
    """The command line is wrong: an option's value, a file that does not exist, a missing extra."""


def usage_error(message: str, *, expected: str = "", received: str = "", hint: str = "") -> UsageError:
    """Return a :class:`UsageError` about the command line, without a place in a file."""
    return UsageError(Diagnostic("usage", message, expected=expected, received=received, hint=hint))


class Faults:
    """The errors of a file, collected while reading continues, and its warnings and notes.

    Only errors are iterated over and counted.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Diagnostic] = {}
        self._notes: dict[tuple[object, ...], Diagnostic] = {}
        self.reports = 0
        """How many errors were added, repetitions included."""

    def add(self, fault: Diagnostic) -> None:
        """Add an error unless it is already known: the copies of a repeated layer share theirs.

        Raises:
            LimitError: there are too many to continue reading.
        """
        self._found.setdefault(_identity(fault), fault)
        self.reports += 1
        if len(self._found) >= MAX_FAULTS or self.reports >= MAX_REPORTS:
            message = "too many errors: reading stopped before the end of the file"
            raise LimitError(Diagnostic("limit", message))

    def extend(self, faults: Iterable[Diagnostic]) -> None:
        """Add several errors, as :meth:`add` does."""
        for fault in faults:
            self.add(fault)

    def note(self, *notes: Diagnostic) -> None:
        """Add warnings and notes, which do not stop the reading; one that is already known is ignored."""
        for note in notes:
            assert note.level != "error", note
            if len(self._notes) < MAX_SPEC_NOTES:
                self._notes.setdefault(_identity(note), note)

    @property
    def notes(self) -> tuple[Diagnostic, ...]:
        """The warnings, then the notes, each by their place in the file."""
        return tuple(sorted(self._notes.values(), key=lambda note: (note.level != "warning", *_place(note))))

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._found.values())

    def __len__(self) -> int:
        return len(self._found)

    def in_order(self) -> list[Diagnostic]:
        """Return all errors by their place in the file; those without a place come last."""
        return sorted(self, key=_place)


def _identity(fault: Diagnostic) -> tuple[object, ...]:
    """Return what makes two reports the same error.

    A shape error names its node, and each use of a block has its own; any other error belongs to the text
    alone.
    """
    if fault.code == "shape":
        return fault.code, fault.location, fault.expected, fault.related
    return fault.code, fault.location, fault.message


def _place(fault: Diagnostic) -> tuple[bool, str, int, int]:
    where = fault.location
    if where is None:
        return True, "", 0, 0
    return False, where.source.name, where.line, where.column


def nearest(word: str, candidates: Collection[str]) -> str | None:
    """Return the candidate that ``word`` was most likely meant to be, or None if none is close.

    Names of other frameworks count as ours (:mod:`cnncli.foreign`).
    """
    return next(iter(_meant(word, tuple(islice(candidates, MAX_LOOKED_AT)))), None)


@functools.lru_cache(maxsize=256)  # the copies of a faulty layer all ask the same
def _meant(word: str, candidates: tuple[str, ...]) -> tuple[str, ...]:
    """Return the candidates that ``word`` may have been meant to be: several only for a foreign name."""
    from cnncli import foreign  # noqa: PLC0415 - needed only after a mistake

    for form in (foreign.plain, foreign.bare):
        name = form(word)
        same = next((each for each in _of_length(len(name), candidates) if form(each) == name), None)
        if same is not None:
            return (same,)
    if len(word) > MAX_QUOTED or foreign.missing(word, candidates):
        return ()
    called = foreign.ours(word, candidates)
    if called or foreign.omitted(word):
        return called
    slip = _alike(word.casefold(), _of_length(len(word), candidates))
    if slip:
        return slip
    theirs = _alike(foreign.bare(word), foreign.beginning(foreign.bare(word)[:3], candidates), 0.6)
    return foreign.ours(theirs[0], candidates) if theirs else ()


def _of_length(length: int, candidates: Iterable[str]) -> tuple[str, ...]:
    """Return the first candidates whose length is not too different from this one."""
    looked = islice(candidates, MAX_LOOKED_AT)
    alike = (each for each in looked if 2 * abs(len(each) - length) <= len(each) + length)
    return tuple(islice(alike, MAX_CANDIDATES))


@functools.lru_cache(maxsize=256)  # the copies of a faulty layer all ask the same
def _alike(word: str, candidates: tuple[str, ...], least: float = 0.4) -> tuple[str, ...]:
    """Return the candidate from which a word differs by a slip, if there is one.

    ``least`` is the share of pairs of letters that they have in common, if more than one letter differs.
    """
    by_folded = {candidate.casefold(): candidate for candidate in candidates}
    # Swapped letters are the likeliest mistake; difflib rates vgg19 as close to vgg61 as vgg16.
    swapped = [candidate for candidate in by_folded if sorted(candidate) == sorted(word)]
    import difflib  # noqa: PLC0415 - takes 1.6 ms, needed only after a mistake

    close = difflib.get_close_matches(word, swapped or by_folded, n=3, cutoff=0.6)
    return tuple(by_folded[each] for each in close if swapped or _is_slip(word, each, least))[:1]


def _is_slip(word: str, candidate: str, least: float) -> bool:
    """Return whether a word of similar letters may be the other: one letter differs, or few pairs do.

    Similar letters do not decide it: ``dense`` and ``noise`` have as many in common as ``aa`` and ``a``.
    """
    short, long = sorted((word, candidate), key=len)
    if len(short) == len(long):
        other = len(short) >= 4 and sum(map(str.__ne__, short, long)) == 1
    else:
        other = any(long[:gap] + long[gap + 1 :] == short for gap in range(len(long)))
    return other or (len(short) >= 4 and long.startswith(short)) or _common(word, candidate) >= least


def did_you_mean(word: str, candidates: Collection[str], known_as: str = "", *, omits: bool = False) -> str:
    """Return a hint with the nearest candidate, or with a list of all, the nearest first.

    A name for which we have nothing gets what to do instead; ``omits`` is whether the word is an argument, of
    which some are not needed here. ``known_as`` is the title of the list; without one there is none, since
    what was expected lists them already. Empty without candidates.
    """
    return _hint(word, tuple(islice(candidates, MAX_LOOKED_AT)), known_as, omits=omits)


@functools.lru_cache(maxsize=256)
def _hint(word: str, known: tuple[str, ...], known_as: str, *, omits: bool) -> str:
    from cnncli import foreign  # noqa: PLC0415 - needed only after a mistake

    meant = [f"'{each}'" for each in _meant(word, known)]
    if meant:
        return f"did you mean {listing(meant, last=' or ')}?"
    advice = foreign.missing(word, known) or (foreign.omitted(word) if omits else "")
    if advice or not known or not known_as:
        return advice
    first = known if len(known) <= _LISTED else _by_nearness(word, known[:MAX_CANDIDATES])
    rest = len(known) - _LISTED
    more = " and many more" if len(known) == MAX_LOOKED_AT else f" and {rest} more" if rest > 0 else ""
    return f"{known_as}: {listing(first[:_LISTED], _LISTED, last=', ')}{more}"


@functools.lru_cache(maxsize=256)
def _by_nearness(word: str, candidates: tuple[str, ...]) -> tuple[str, ...]:
    """Return the candidates, those first that have the most pairs of letters in common with a word."""
    return tuple(sorted(candidates, key=lambda each: -_common(word, each)))


def _common(word: str, other: str) -> float:
    """Return the share of pairs of neighboring letters that the beginnings of two words have in common."""
    first, second = ({*map("".join, pairwise(each[:MAX_QUOTED].casefold()))} for each in (word, other))
    return 2 * len(first & second) / (len(first) + len(second) or 1)


def listing(words: Sequence[str], limit: int = 12, *, last: str = " and ") -> str:
    """Return ``a, b and c``, cut after ``limit`` words; ``last`` joins the last word."""
    if len(words) > limit:
        return f"{', '.join(words[:limit])} and {len(words) - limit} more"
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])}{last}{words[-1]}"


def shortened(text: str, limit: int = MAX_QUOTED) -> str:
    """Return the text, cut to a length that a message can quote."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def counted(number: int, noun: str) -> str:
    """Return ``1 class``, ``2 classes``, ``1,000 images``."""
    plural = f"{noun}es" if noun.endswith("s") else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


@functools.lru_cache(maxsize=8)
def readable_bytes(count: int, *, up: bool = False) -> str:
    """Return a size such as ``3.2 GiB``, with one decimal, in the largest unit that is not larger than it.

    ``up`` rounds it up, so that it is enough as a limit.
    """
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    if unit == "bytes":
        return counted(count, "byte")
    return f"{math.ceil(size * 10) / 10 if up else size:.1f} {unit}"


def lines_of(text: str) -> list[str]:
    """Return the lines of a text, broken where YAML breaks them."""
    return _LINE_BREAK.split(text)


@functools.lru_cache(maxsize=4)  # every error of a file shows a line of it
def line_starts(text: str) -> tuple[int, ...]:
    """Return the offset in the text at which each of :func:`lines_of` begins."""
    return (0, *(each.end() for each in _LINE_BREAK.finditer(text)))


def _one_line(diagnostic: Diagnostic) -> str:
    where = f"{diagnostic.location}: " if diagnostic.location else ""
    parts = (("expected", diagnostic.expected), ("received", diagnostic.received), ("hint:", diagnostic.hint))
    outcome = "; ".join(f"{what} {text}" for what, text in parts if text)
    return f"{where}{diagnostic.message}{f' ({outcome})' if outcome else ''}"
