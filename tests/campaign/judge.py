"""What a command may do: answer, or refuse in words, with the exit code that the documents state."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import cnncli
from cnncli.cli import exit_codes
from cnncli.diagnostics import lines_of
from tests.campaign.case import Case
from tests.campaign.sandbox import Done, Limits
from tests.campaign.trained import NOT_RUN

ANSWERED = "answered"
OVER = "over budget"
REFUSED = "refused, with the place"
UNPLACED = "refused, about no place"
DIVERGED = "diverged"
SKIPPED = "not run: too large"
OUTCOMES = (ANSWERED, OVER, REFUSED, UNPLACED, DIVERGED, SKIPPED)
FAULTY = "faulty"

_OF_CODES: Mapping[int | None, str] = {
    exit_codes.OK: ANSWERED,
    exit_codes.NOT_MET: OVER,
    exit_codes.DIVERGED: DIVERGED,
    NOT_RUN: SKIPPED,
}
_OTHER_CODES: Mapping[str, frozenset[int]] = {
    "check": frozenset({exit_codes.NOT_MET}),
    "train": frozenset({exit_codes.DIVERGED}),
}
"""What a command may end with besides an answer and a refusal."""

PACKAGE = cnncli.__path__[0]
_PLACE = re.compile(r"^(?P<file>[^:\n]+):(?P<line>\d+):(?P<column>\d+): ", re.MULTILINE)
_FRAME = re.compile(rf'File "{re.escape(PACKAGE)}/([^"]+)", line \d+,? in (\w+)')
_WARNING = re.compile(r"^.*\b\w+Warning: .*$", re.MULTILINE)
_ENDLESS = re.compile(r"(?<![\w.'-])[+-]?(?:nan|inf|infinity)(?![\w'-])", re.IGNORECASE)
_CI_COMMAND = re.compile(r"^\s*(?:::\w|##vso\[|##\[)", re.MULTILINE)
_LIVE_MARKUP = re.compile(r"(?<!\\)(?:\\\\)*<img src=x")
"""An element that is not escaped, as Markdown does it with a backslash."""


class Fault(NamedTuple):
    """A kind of fault, what makes two faults the same one, and what was seen."""

    kind: str
    key: str
    seen: str


def outcome(done: Done) -> str:
    """Return the name of what a command without faults did."""
    if done.code in _OF_CODES:
        return _OF_CODES[done.code]
    return REFUSED if _PLACE.search(done.err) else UNPLACED


def faults(case: Case, done: Done, limits: Limits) -> Iterator[Fault]:
    """Yield everything that a command should not have done."""
    if case.error:
        last = case.error.splitlines()[-1]
        yield Fault("campaign", f"the case could not be made: {last:.200}", case.error[-3000:])
        return
    if done.raised:
        yield raised_fault(done.raised)
        return
    if done.code == NOT_RUN:
        return
    yield from _code_faults(case, done)
    if done.written > limits.output:
        yield Fault("output", f"{case.command} {case.form}", f"{done.written:,} bytes")
        return
    yield from _message_faults(case, done)
    yield from _text_faults(case, done)
    if case.form == "json" and done.code in (0, 1) and "--help" not in case.arguments:
        yield from _json_faults(case, done.out)


def raised_fault(text: str) -> Fault:
    """Return the fault of a traceback; one of memory is a kind of its own."""
    name = text.partition("\n")[0]
    kind = "memory" if name == "MemoryError" else "traceback"
    return Fault(kind, f"{name} in {innermost(text)}", text[-3000:])


def innermost(text: str) -> str:
    """Return the innermost function of the package in a traceback, by file and name."""
    frames = _FRAME.findall(text)
    return ":".join(frames[-1]) if frames else "no function of the package"


def _code_faults(case: Case, done: Done) -> Iterator[Fault]:
    allowed = {exit_codes.OK, exit_codes.WRONG, *_OTHER_CODES.get(case.command, ())}
    if done.code not in allowed:
        yield Fault("exit code", f"{case.command} {done.code}", done.err[-300:] or done.out[-300:])
    if done.code == 2 and "error" not in done.err.casefold():
        yield Fault("exit code", f"{case.command} refuses without an error", done.err[-300:])
    if done.code in (0, 1) and re.search(r"^(?:\S+: )?error: ", done.err, re.MULTILINE):
        yield Fault("exit code", f"{case.command} {done.code} with an error", done.err[-300:])
    if _WARNING.search(done.err):
        yield Fault("warning", f"{case.command}: a raw warning of Python", done.err[-300:])


def _message_faults(case: Case, done: Done) -> Iterator[Fault]:
    """Yield places outside of their file."""
    for found in _PLACE.finditer(done.err):
        content = case.files.get(found["file"])
        if content is None:
            continue
        lines = lines_of(content.decode("utf-8-sig", "replace"))
        line, column = int(found["line"]), int(found["column"])
        # What is missing at the end of a file is reported on the line after it, and behind the end of a line.
        if not 1 <= line <= len(lines) + 1 or not 1 <= column <= len(lines[min(line, len(lines)) - 1]) + 2:
            yield Fault("place", f"{case.command}: {found[0]}", _excerpt(done.err, found.start()))


def _text_faults(case: Case, done: Done) -> Iterator[Fault]:
    given = f"{case.text} {' '.join(case.arguments)}"
    for name, text in (("stdout", done.out), ("stderr", done.err)):
        where = f"{case.command} {case.form} {name}"
        odd = control_character(text, case.form)
        if odd:
            yield Fault("control character", f"{where} {ord(odd):#x}", _excerpt(text, text.index(odd)))
        if "Traceback (most recent" in text:
            yield Fault("traceback", where, text[-2000:])
        command = _CI_COMMAND.search(text)
        if command:
            yield Fault("command to a CI", where, _excerpt(text, command.start()))
        live = _LIVE_MARKUP.search(text) if case.form in ("markdown", "html") and name == "stdout" else None
        if live:
            yield Fault("live markup", where, _excerpt(text, live.start()))
    found = _ENDLESS.search(done.out)
    if found and not _ENDLESS.search(given) and case.command not in ("layers", "specs", "train"):
        yield Fault("not finite", f"{case.command} {case.form}", _excerpt(done.out, found.start()))


def control_character(text: str, form: str) -> str:
    """Return a character that a terminal or a reader could obey, or nothing."""
    allowed = "\n\xa0" if form == "html" else "\n"
    if text.isprintable():
        return ""
    return next((c for c in text if not c.isprintable() and c not in allowed), "")


def _json_faults(case: Case, text: str) -> Iterator[Fault]:
    try:
        document = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except ValueError as error:
        yield Fault("json", f"{case.command}: {str(error)[:60]}", text[-500:])
        return
    if not isinstance(document, dict) or "schema" not in document:
        yield Fault("json", f"{case.command}: no schema", text[:300])


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a key occurs twice")
    return document


def _excerpt(text: str, at: int) -> str:
    return ascii(text[max(at - 150, 0) : at + 150])
