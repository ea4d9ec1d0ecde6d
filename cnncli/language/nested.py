"""Readers of records inside of records: always the same one, or one of several by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from cnncli.diagnostics import Diagnostic, SpecError, did_you_mean, listing, shortened
from cnncli.language.fields import Record, inside
from cnncli.language.nodes import read_arguments
from cnncli.language.readers import ANY, Reader, ShortForms
from cnncli.language.scope import Argument, interpolate
from cnncli.language.tree import Entries, Items, Scalar, Value

R = TypeVar("R", bound=Record)
T = TypeVar("T")


class Nested(Reader[R], Generic[R]):
    """A record: a mapping, or a bare value for its main argument."""

    def __init__(self, record: type[R]) -> None:
        main = record.main_argument
        self.record = record
        self.beneath = dict.fromkeys(record.arguments, ())
        self.short_forms = ShortForms(main=main or "")
        self.within = {name: declared.reader for name, declared in record.arguments.items()}
        short = f"{self.within[main].expected}, or " if main is not None else ""
        self.expected = f"{short}a mapping of {listing([*self.within])}"

    def read(self, argument: Argument) -> R:
        value = argument.value
        if not isinstance(value, Entries) and (not isinstance(value, Scalar) or value.is_null):
            raise self.wrong(argument)
        record = self.record
        written = read_arguments(value, record.main_argument, record.keyword, argument.scope)
        return record.read(written, argument.location)

    def plain(self, value: R) -> object:
        return value.plain()


class OneOf(Reader[R], Generic[R]):
    """One of several records by its name: ``sgd``, or with arguments ``{sgd: {lr: 0.1}}``.

    Hints for a setting that several of them have name the first one.
    """

    def __init__(self, what: str, known: Mapping[str, type[R]]) -> None:
        self.what = what
        self.known = known
        settings = {name: (word,) for word in reversed([*known]) for name in known[word].arguments}
        self.beneath = {**settings, **dict.fromkeys(known, ())}
        self.short_forms = ShortForms(names=known)
        self.within = {word: Nested(record) for word, record in known.items()}
        self.expected = listing([*known], last=" or ")

    def read(self, argument: Argument) -> R:
        word, given = self._word(argument)
        name = interpolate(word, argument.scope)
        record = self.known.get(name)
        if record is None:
            message = f"unknown {self.what} '{shortened(name)}'"
            hint = self._inner(name, argument.value) or did_you_mean(name, self.known)
            raise SpecError(Diagnostic("unknown-name", message, word.location, self.expected, hint=hint))
        if isinstance(argument.value, Entries) and len(argument.value) > 1:
            raise self.wrong(argument)
        written = read_arguments(given, record.main_argument, name, argument.scope)
        return record.read(written, word.location)

    def _word(self, argument: Argument) -> tuple[Scalar, Value | None]:
        """Return a name, and what is written under it; of several names one that is unknown."""
        value = argument.value
        if isinstance(value, Scalar) and not value.is_null:
            return value, None
        if not isinstance(value, Entries) or not value:
            raise self.wrong(argument)
        word = next((name for name in value if name not in self.known), next(iter(value)))
        return value.keys_at[word], value[word]

    def _inner(self, name: str, value: Value) -> str:
        """Return a hint if the name is a setting of one of the records."""
        path = self.beneath.get(name)
        return inside((*path, name), value[name]) if path and isinstance(value, Entries) else ""

    def plain(self, value: R) -> object:
        return {value.keyword: value.plain()}


class Unset(Reader["T | None"], Generic[T]):
    """A value that need not be there: ``null`` stands for none, also over the one of a base."""

    def __init__(self, reader: Reader[T]) -> None:
        self.reader = reader
        self.keys = reader.keys
        self.short_forms = reader.short_forms
        self.beneath = reader.beneath
        self.within = reader.within
        self.expected = f"{reader.expected}, or null"

    def read(self, argument: Argument) -> T | None:
        value = argument.value
        return None if isinstance(value, Scalar) and value.is_null else self.reader.read(argument)

    def plain(self, value: T | None) -> object:
        return None if value is None else self.reader.plain(value)


class ByName(Reader[Mapping[str, T]], Generic[T]):
    """A mapping from names of the spec, such as heads, to values of one kind."""

    def __init__(self, each: Reader[T], what: str, example: str) -> None:
        self.each = each
        self.beneath = {name: (example, *path) for name, path in each.beneath.items()}
        self.within = {ANY: each}
        self.expected = f"a mapping from {what} to {each.expected}"

    def read(self, argument: Argument) -> Mapping[str, T]:
        value = argument.value
        if not isinstance(value, Entries):
            raise self.wrong(argument)
        return {
            name: self.each.read(Argument(entry, argument.scope, value.keys_at[name]))
            for name, entry in value.items()
        }

    def plain(self, value: Mapping[str, T]) -> object:
        return {name: self.each.plain(entry) for name, entry in value.items()}


class ListOf(Reader[tuple[T, ...]], Generic[T]):
    """A list of values of one kind, in the order in which they are written."""

    def __init__(self, each: Reader[T], most: int, example: str) -> None:
        self.each = each
        self.most = most
        self.within = {ANY: each}
        self.expected = f"a list of at most {most}, such as {example}"

    def read(self, argument: Argument) -> tuple[T, ...]:
        value = argument.value
        if not isinstance(value, Items) or len(value) > self.most:
            by_number = isinstance(value, Entries) and all(key.isdecimal() for key in value)
            hint = "only an item of a list that the spec has can be set by its number" if by_number else ""
            raise self.wrong(argument, hint=hint)
        read: list[T] = []
        faults: list[Diagnostic] = []
        for entry in value:
            try:
                read.append(self.each.read(argument._replace(value=entry)))
            except SpecError as error:
                faults.extend(error.diagnostics)
        if faults:
            raise SpecError(faults)
        return tuple(read)

    def plain(self, value: tuple[T, ...]) -> object:
        return [self.each.plain(entry) for entry in value]
