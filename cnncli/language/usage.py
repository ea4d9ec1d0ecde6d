"""Variables that nothing reads, and blocks that nothing uses: most are misspelled.

A name counts as used if it is in a value somewhere, even in a block that is never used: what is reported here
is certainly without effect.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from cnncli.diagnostics import Diagnostic, Faults, did_you_mean, shortened
from cnncli.language.scope import INTERPOLATION
from cnncli.language.tree import Entries, Items, Scalar, Value

_WORD: Final = re.compile(r"\w+")
_IN_STRING: Final = re.compile(INTERPOLATION)
_STRINGS: Final = frozenset({"name", "paper"})
"""Sections without expressions: a variable is read by ``$name`` only."""


def check_new_variables(base: Entries, own: Entries, merged: Entries, faults: Faults) -> None:
    """Check that variables which a file adds to those of its base are read; errors are added to ``faults``.

    Anything else is probably meant to be a variable of the base, whose value would silently stay the same.
    """
    known, written = base.get("vars"), own.get("vars")
    if not isinstance(written, Entries):
        return
    before: Collection[str] = known if isinstance(known, Entries) else ()
    new = [name for name in written if name not in before]
    for name in unread(new, merged):
        message = f"'{shortened(name)}' is not a variable of the base, and nothing uses it"
        hint = did_you_mean(name, before, "variables of the base")
        where = written.keys_at[name].location
        faults.add(Diagnostic("unused-variable", message, where, "a variable of the base", hint=hint))


def check_new_blocks(base: Entries, own: Entries, merged: Entries, faults: Faults) -> None:
    """Check that blocks which a file adds to those of its base are used; errors are added to ``faults``.

    Anything else is probably meant to be a block of the base, which would silently stay the same.
    """
    known, written = base.get("blocks"), own.get("blocks")
    if not isinstance(written, Entries):
        return
    before: Collection[str] = known if isinstance(known, Entries) else ()
    for name in _unused_blocks([name for name in written if name not in before], merged):
        message = f"'{shortened(name)}' is not a block of the base, and nothing uses it"
        hint = did_you_mean(name, before, "blocks of the base")
        where = written.keys_at[name].location
        faults.add(Diagnostic("unused-block", message, where, "a block of the base", hint=hint))


def _unused_blocks(names: Iterable[str], entries: Entries) -> list[str]:
    """Return those blocks whose names are nowhere in layers, heads, variables or other blocks."""
    wanted = list(names)
    if not wanted:
        return []
    found: set[str] = set()
    for section, value in entries.items():
        if section == "blocks" and isinstance(value, Entries):
            for name, block in value.items():
                found |= {*_keys_and_names(block)} - {name}
        else:
            found |= {*_keys_and_names(value)}
    return [name for name in wanted if name not in found]


def note_unread(names: Iterable[str], entries: Entries, faults: Faults) -> None:
    """Add a warning for each of these variables that nothing reads."""
    variables = entries.get("vars")
    assert isinstance(variables, Entries)
    for name in unread(names, entries):
        message = f"nothing uses the variable '{shortened(name)}'"
        where = variables.keys_at[name].location
        faults.note(Diagnostic("unused-variable", message, where, level="warning"))


def unread(names: Iterable[str], entries: Entries) -> list[str]:
    """Return those variables that no section reads, not even through another variable."""
    wanted = list(names)
    variables = entries.get("vars")
    if not wanted or not isinstance(variables, Entries):
        return []
    read: set[str] = set()
    found = {name for name in _names_outside(entries) if name in variables}
    while found:
        read |= found
        found = {name for each in found for name in _names(variables[each]) if name in variables} - read
    return [name for name in wanted if name not in read]


def _names_outside(entries: Entries) -> Iterator[str]:
    """Yield the names that all sections other than ``vars`` may read."""
    for section, value in entries.items():
        if section == "blocks" and isinstance(value, Entries):
            for block in value.values():
                yield from _names_in_block(block)
        elif section != "vars":
            yield from _names(value, _IN_STRING if section in _STRINGS else _WORD)


def _names_in_block(block: Value) -> Iterator[str]:
    """Yield the names that a block may read from outside: its arguments have their own values."""
    args = block.get("args") if isinstance(block, Entries) else None
    own: AbstractSet[str] = args.keys() if isinstance(args, Entries) else frozenset()
    return (name for name in _names(block) if name not in own)


def _keys_and_names(value: Value) -> Iterator[str]:
    """Yield every name in the texts of a value, and every key."""
    for text, is_key in _texts(value):
        yield from (text,) if is_key else _matches(_WORD, text)


def _names(value: Value, pattern: re.Pattern[str] = _WORD) -> Iterator[str]:
    """Yield every name in the texts of a value; a key reads a name only after a dollar sign."""
    for text, is_key in _texts(value):
        yield from _matches(_IN_STRING if is_key else pattern, text)


def _texts(value: Value) -> Iterator[tuple[str, bool]]:
    """Yield every text of a value, and whether it is a key."""
    pending, seen = [value], set[int]()
    while pending:
        each = pending.pop()
        if isinstance(each, Scalar):
            yield each.text, False
        elif id(each) not in seen:  # an alias is the same value
            seen.add(id(each))
            if isinstance(each, Items):
                pending.extend(each)
            else:
                pending.extend(each.values())
                yield from ((key, True) for key in each)


def _matches(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    return (match[match.lastindex or 0] for match in pattern.finditer(text))
