"""The located values of a YAML text: scalars, lists and mappings.

Scalars remain text here: whether ``no`` is a word or a boolean depends on the field that reads it
(:mod:`cnncli.language.readers`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from cnncli.diagnostics import Location, Source, listing, shortened

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})


class Scalar:
    """A YAML scalar. ``plain`` means that it is not quoted."""

    __slots__ = ("_place", "plain", "text")
    size = 1

    def __init__(self, text: str, plain: bool, source: Source, line: int, column: int, width: int) -> None:
        self.text = text
        self.plain = plain
        self._place = (source, line, column, width)

    @property
    def location(self) -> Location:
        return Location(*self._place)

    @property
    def is_null(self) -> bool:
        return self.plain and self.text in _NULLS

    def part(self, start: int, width: int) -> Location:
        """Return the place of a part of the text; that of the whole if it is not known (after escapes)."""
        source, line, column, whole = self._place
        offset = start if self.plain else start + 1
        return Location(source, line, column + offset, width) if offset + width <= whole else self.location

    def __repr__(self) -> str:
        return f"Scalar({self.text!r})"


class Items:
    """A YAML sequence."""

    __slots__ = ("_place", "size", "values")

    def __init__(self, values: tuple[Value, ...], place: tuple[Source, int, int, int]) -> None:
        self.values = values
        self._place = place
        self.size: int = 1 + sum(value.size for value in values)

    @property
    def location(self) -> Location:
        return Location(*self._place)

    def __iter__(self) -> Iterator[Value]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Items({list(self.values)!r})"


class Entries(Mapping[str, "Value"]):
    """A YAML mapping: string keys in the order of the file, each with its place."""

    __slots__ = ("keys_at", "pairs", "place", "size")

    def __init__(
        self, pairs: dict[str, Value], keys_at: dict[str, Scalar], place: tuple[Source, int, int, int]
    ) -> None:
        self.pairs = pairs
        self.keys_at = keys_at
        self.place = place
        self.size: int = 1 + len(pairs) + sum(value.size for value in pairs.values())

    @property
    def location(self) -> Location:
        return Location(*self.place)

    def __getitem__(self, key: str) -> Value:
        return self.pairs[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        return f"Entries({self.pairs!r})"

    def without(self, *keys: str) -> Entries:
        """Return this mapping without some keys."""
        return Entries({k: v for k, v in self.pairs.items() if k not in keys}, self.keys_at, self.place)


Value: TypeAlias = Scalar | Items | Entries


def location_of(section: Entries, path: Sequence[str]) -> Location:
    """Return the place of the value that keys lead to; of the last key if that value is a mapping.

    If a key is missing, because it has its default, the place is that of the key before it.
    """
    location, value = section.location, section
    for key in path:
        if key not in value:
            break
        location, found = value.keys_at[key].location, value[key]
        if not isinstance(found, Entries):
            return found.location
        value = found
    return location


def sources_of(value: Value) -> Iterator[str]:
    """Yield the names of the sources that a value and its parts come from, with repetitions."""
    yield value.location.source.name
    if not isinstance(value, Scalar):
        for part in value.values() if isinstance(value, Entries) else value:
            yield from sources_of(part)


def same_value(one: Value, other: Value) -> bool:
    """Return whether two values are equal, regardless of their places and of quotes around keys."""
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        return (one.text, one.plain) == (other.text, other.plain)
    if isinstance(one, Items) and isinstance(other, Items):
        return len(one) == len(other) and all(map(same_value, one, other))
    if isinstance(one, Entries) and isinstance(other, Entries):
        return one.pairs.keys() == other.pairs.keys() and all(
            same_value(value, other.pairs[key]) for key, value in one.pairs.items()
        )
    return False


def describe(value: Value) -> str:
    """Return a short description of a value for "received: ..."."""
    if isinstance(value, Items):
        return f"a list of {len(value)}" if len(value) else "an empty list"
    if isinstance(value, Entries):
        keys = listing([shortened(key, 30) for key in value.pairs], limit=6)
        return f"a mapping with {keys}" if keys else "an empty mapping"
    return "nothing" if value.is_null else f"'{shortened(value.text)}'"


def brief(value: Value) -> str:
    """Return a scalar's text, and ``...`` for a list or a mapping, to quote it in a hint."""
    return shortened(value.text) if isinstance(value, Scalar) else "..."
