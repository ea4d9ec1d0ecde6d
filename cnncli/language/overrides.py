"""``--set``: values for variables, ``width=32``, and for settings by their path, ``train.epochs=20``.

Every value is located in the text of its option, so that a later error points there.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cnncli.diagnostics import (
    Diagnostic,
    Faults,
    Related,
    Source,
    SpecError,
    UsageError,
    did_you_mean,
    listing,
    nearest,
    usage_error,
)
from cnncli.language.merging import merged, merged_value, written_out
from cnncli.language.parsing import parse
from cnncli.language.tree import Entries, Items, Scalar, Value, describe

_SECTIONS: Final = ("train", "pretrain", "budget")
"""The sections that have settings."""
_EXPECTED: Final = "NAME=VALUE, or a setting by its path, train.NAME=VALUE"


def overridden(entries: Entries, overrides: Iterable[str], faults: Faults) -> Entries:
    """Return the sections of a spec with every override applied, the last one of a name taking precedence.

    Raises:
        UsageError: an override is malformed, or names no variable or section.
        SpecError: a path leads into a value that is not a mapping, or a value is not YAML.
    """
    for text in overrides:
        entries = _Override(text).applied(entries, faults)
    return entries


def section_of(text: str) -> str:
    """Return the section of the setting that ``NAME=VALUE`` sets; empty for a variable."""
    first, dot, _ = text.partition("=")[0].partition(".")
    return first.strip() if dot else ""


class Keyword(str):
    """An override that is an argument of a Python function: messages do not call it an option."""

    __slots__ = ()


class _Override:
    """One option: the path that it sets, and where in its text each part is."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._option = "" if isinstance(text, Keyword) else "--set "
        self._source = Source(self._option.rstrip() or "<argument>", text)
        self._name, equals, self._value = text.partition("=")
        self._path = [part.strip() for part in self._name.split(".")]
        if not all(self._path):
            raise self._error("not the name of a variable or a setting", expected=_EXPECTED)
        if not equals or not self._value.strip():
            raise self._error(
                "no value is given", expected=_EXPECTED, hint=f"{self._option}{self._name}=VALUE"
            )

    def applied(self, entries: Entries, faults: Faults) -> Entries:
        """Return the sections with this value in place."""
        if len(self._path) == 1:
            return self._with_variable(entries, faults)
        if self._path[0] not in _SECTIONS:
            match = nearest(self._path[0], _SECTIONS)
            hint = f"did you mean '{match}'?" if match else f"sections with settings: {', '.join(_SECTIONS)}"
            raise self._error(f"'{self._path[0]}' is not a section with settings", hint=hint)
        return self._with_setting(entries, literal(self._read(faults)))

    def _with_variable(self, entries: Entries, faults: Faults) -> Entries:
        name = self._path[0]
        variables = entries.get("vars")
        known = variables if isinstance(variables, Entries) else None
        if known is None or name not in known:
            what = "no variables" if known is None else f"no variable '{name}'"
            hint = did_you_mean(name, known or (), "variables")
            raise self._error(f"{entries.location.source.name} has {what}", hint=hint)
        return _with(entries, entries.keys_at["vars"], _with(known, self._key(0), self._read(faults)))

    def _with_setting(self, entries: Entries, value: Value) -> Entries:
        """Return ``entries`` with the value at the path; missing mappings are created."""
        over = self._from(0, entries, value)
        assert isinstance(over, Entries)
        return merged(entries, over)

    def _from(self, level: int, here: Value | None, value: Value) -> Value:
        """Return what the path from a level on sets: mappings around the value, and lists with it in place.

        ``here`` is the present value at this level, without short forms; None if there is none.

        Raises:
            SpecError: it is neither a mapping nor a list that has the item.
        """
        if level == len(self._path):
            return value
        if isinstance(here, Items):
            return self._with_item(level, here, value)
        if isinstance(here, Scalar):
            raise self._no_way(level, here, "is not a mapping", "a mapping")
        key = self._key(level)
        inner = None if here is None else here.get(key.text)
        inner = None if inner is None else written_out(inner, self._path[: level + 1])
        below = self._from(level + 1, inner, value)
        return Entries({key.text: below}, {key.text: key}, (self._source, 1, 1, len(self._name)))

    def _with_item(self, level: int, items: Items, value: Value) -> Items:
        """Return a list with the item that the path names, by its number from 0, merged or replaced."""
        path, word = self._path[: level + 1], self._path[level]
        if word not in map(str, range(len(items))):
            last = len(items) - 1
            expected = f"the number of an item, {listing(['0', str(last)][: len(items)], last=' to ')}"
            raise self._no_way(level, items, "is a list", expected if items.values else "items")
        number = int(word)
        own = written_out(items.values[number], path)
        changed = merged_value(own, self._from(level + 1, own, value), path)
        values = (*items.values[:number], changed, *items.values[number + 1 :])
        return Items(values, (items.location.source, *items.location[1:]))

    def _no_way(self, level: int, here: Value, what: str, expected: str) -> SpecError:
        """Return an error about a value that the path cannot lead into."""
        path = ".".join(self._path[:level])
        related = (Related("its value is here", here.location),)
        hint = self._item_called(level, here) if isinstance(here, Items) else ""
        where = self._key(level - 1).location
        return SpecError(
            Diagnostic("set", f"'{path}' {what}", where, expected, describe(here), hint, related=related)
        )

    def _item_called(self, level: int, items: Items) -> str:
        """Return a hint with the first item that has the name in the path, or how to write the whole list."""
        before, word = ".".join(self._path[:level]), self._path[level]
        for number, item in enumerate(items):
            if word == getattr(item, "text", None) or (isinstance(item, Entries) and word in item):
                return f"did you mean '{'.'.join((before, str(number), *self._path[level:]))}'?"
        return f"'{before}=[...]' replaces the list"

    def _key(self, level: int) -> Scalar:
        parts = self._name.split(".")
        before = ".".join((*parts[:level], "")) if level else ""
        blank = len(parts[level]) - len(parts[level].lstrip())
        name = self._path[level]
        return Scalar(name, True, self._source, 1, len(before) + blank + 1, len(name))

    def _read(self, faults: Faults) -> Value:
        start = len(self._name) + 1
        stripped = self._value.strip()
        if stripped.startswith(("[", "{", '"', "'")):
            # Blanks in place of the name, so that errors point at the right column.
            return parse(Source(self._source.name, " " * start + self._value), faults)
        blank = len(self._value) - len(self._value.lstrip())
        return Scalar(stripped, True, self._source, 1, start + blank + 1, len(stripped))

    def _error(self, message: str, *, expected: str = "", hint: str = "") -> UsageError:
        return usage_error(f"{self._option}{self._text}: {message}", expected=expected, hint=hint)


def _with(entries: Entries, key: Scalar, value: Value) -> Entries:
    """Return a mapping with one entry replaced or added."""
    return Entries({**entries.pairs, key.text: value}, {**entries.keys_at, key.text: key}, entries.place)


def literal(value: Value) -> Value:
    """Return the value of a setting with every ``$`` taken as written: paths may contain some."""
    if isinstance(value, Items):
        return Items(tuple(map(literal, value)), (value.location.source, *value.location[1:]))
    if isinstance(value, Entries):
        pairs = {key: literal(each) for key, each in value.pairs.items()}
        return Entries(pairs, value.keys_at, value.place)
    if "$" not in value.text:
        return value
    source, line, column, width = value.location
    return Scalar(value.text.replace("$", "$$"), value.plain, source, line, column, width)
