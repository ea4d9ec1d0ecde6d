"""YAML text -> a tree of located values, in one pass over the parser's events.

Scalars stay text here: whether ``no`` is a word or a truth value depends on the field that reads it
(:mod:`cnncli.spec.fields`), so it is decided there. Building from events rather than composed nodes
is five times faster and needs no recursion, so no nesting can exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import yaml

from cnncli.diagnostics import Diagnostic, Location, Related, Source, SpecError

MAX_BYTES: Final = 16 * 1024 * 1024
MAX_DEPTH: Final = 64
MAX_VALUES: Final = 2_000_000

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BRACKET_AFTER_WORD: Final = re.compile(r"\w\[")


class Scalar:
    """One word of the file. ``plain`` says that it stood without quotes."""

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
        """Where a piece of the text stands, as far as it can be told (not inside escapes)."""
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
        self.size = 1 + sum(value.size for value in values)

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
    """A YAML mapping: text keys in the order of the file, each with the place of its key."""

    __slots__ = ("_place", "keys_at", "pairs", "size")

    def __init__(
        self, pairs: dict[str, Value], keys_at: dict[str, Scalar], place: tuple[Source, int, int, int]
    ) -> None:
        self.pairs = pairs
        self.keys_at = keys_at
        self._place = place
        self.size = 1 + len(pairs) + sum(value.size for value in pairs.values())

    @property
    def location(self) -> Location:
        return Location(*self._place)

    def __getitem__(self, key: str) -> Value:
        return self.pairs[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        return f"Entries({self.pairs!r})"

    def merged(self, over: Entries) -> Entries:
        """This mapping under ``over``: mappings merge key by key, everything else is replaced."""
        pairs = dict(self.pairs)
        for key, value in over.pairs.items():
            below = pairs.get(key)
            both = isinstance(below, Entries) and isinstance(value, Entries)
            pairs[key] = below.merged(value) if both else value  # type: ignore[union-attr, arg-type]
        return Entries(pairs, self.keys_at | over.keys_at, over._place)

    def without(self, *keys: str) -> Entries:
        """This mapping less some keys."""
        return Entries({k: v for k, v in self.pairs.items() if k not in keys}, self.keys_at, self._place)


Value: TypeAlias = Scalar | Items | Entries


def describe(value: Value) -> str:
    """What stands here, for "expected ..., got ..."."""
    if isinstance(value, Items):
        return f"a list of {len(value)}" if len(value) else "an empty list"
    if isinstance(value, Entries):
        return f"a mapping with {', '.join(value.pairs)}" if value.pairs else "an empty mapping"
    return "nothing" if value.is_null else f"'{value.text}'"


def parse(source: Source) -> Value:
    """The tree of a YAML text.

    Raises:
        SpecError: the text is no YAML, holds more than one document or a tag, repeats a key, refers
            to itself, or passes one of the limits above. All repeated keys are reported together.
    """
    if len(source.text) > MAX_BYTES:
        raise _error(
            "limit", "the file is too large", Location(source, 1, 1), f"at most {MAX_BYTES // 2**20} MiB"
        )
    builder = _Builder(source)
    try:
        for event in yaml.parse(source.text, Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        raise _syntax_error(source, error) from None
    if builder.faults:
        raise SpecError(builder.faults)
    if builder.root is None:
        raise _error("empty", "the file is empty", Location(source, 1, 1), "a spec with 'input' and 'layers'")
    return builder.root


class _Open:
    """A collection whose end has not come yet."""

    __slots__ = ("anchor", "is_mapping", "line_column", "values")

    def __init__(self, is_mapping: bool, anchor: str | None, line_column: tuple[int, int]) -> None:
        self.is_mapping = is_mapping
        self.anchor = anchor
        self.line_column = line_column
        self.values: list[Value] = []


class _Builder:
    """Takes parser events, one after another, and puts the tree together on an explicit stack."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Value | None = None
        self.faults: list[Diagnostic] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, Value | None] = {}
        self._documents = 0
        self._actions: dict[type, Any] = {
            yaml.ScalarEvent: self._scalar,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceEndEvent: self._end,
            yaml.MappingEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document,
        }

    def take(self, event: yaml.Event) -> None:
        action = self._actions.get(type(event))
        if action is not None:
            action(event)

    def _document(self, event: yaml.Event) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _error("documents", "a second document starts here", self._at(event), "one document in a file")

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._refuse_tag(event)
        start, end = event.start_mark, event.end_mark
        width = end.column - start.column if end.line == start.line else 1
        plain = event.style is None or event.style == ""
        value = Scalar(event.value, plain, self.source, start.line + 1, start.column + 1, max(width, 1))
        if event.anchor:
            self._anchors[event.anchor] = value
        self._put(value)

    def _start(self, event: yaml.CollectionStartEvent) -> None:
        self._refuse_tag(event)
        if len(self._stack) >= MAX_DEPTH:
            raise _error("limit", "the file is nested too deeply", self._at(event), f"at most {MAX_DEPTH} levels")
        mark = event.start_mark
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Open(is_mapping, event.anchor, (mark.line + 1, mark.column + 1)))
        if event.anchor:
            self._anchors[event.anchor] = None

    def _end(self, _: yaml.Event) -> None:
        done = self._stack.pop()
        place = (self.source, *done.line_column, 1)
        value: Value = self._mapping(done.values, place) if done.is_mapping else Items(tuple(done.values), place)
        if value.size > MAX_VALUES:
            where = Location(*place)
            raise _error("limit", "the file expands to too much", where, f"at most {MAX_VALUES:,} values, aliases expanded")
        if done.anchor:
            self._anchors[done.anchor] = value
        self._put(value)

    def _alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor not in self._anchors:
            raise _error("alias", f"'*{event.anchor}' has no anchor above it", self._at(event), f"'&{event.anchor}' earlier in the file")
        value = self._anchors[event.anchor]
        if value is None:
            raise _error("alias", f"'*{event.anchor}' stands inside of what it refers to", self._at(event), "an anchor that is complete before its alias")
        self._put(value)

    def _put(self, value: Value) -> None:
        if self._stack:
            self._stack[-1].values.append(value)
        else:
            self.root = value

    def _mapping(self, flat: list[Value], place: tuple[Source, int, int, int]) -> Entries:
        pairs: dict[str, Value] = {}
        keys_at: dict[str, Scalar] = {}
        merges: list[Value] = []
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            if not isinstance(key, Scalar):
                self.faults.append(Diagnostic("key", "a key must be one word", key.location, "a word", describe(key)))
            elif key.plain and key.text == "<<":
                merges.append(value)
            elif key.text in pairs:
                self._repeated(key, keys_at[key.text])
            else:
                pairs[key.text] = value
                keys_at[key.text] = key
        for merge in merges:
            self._merge(merge, pairs, keys_at)
        return Entries(pairs, keys_at, place)

    def _merge(self, merge: Value, pairs: dict[str, Value], keys_at: dict[str, Scalar]) -> None:
        """YAML's merge key: entries of other mappings, under those that stand here."""
        for each in merge.values if isinstance(merge, Items) else (merge,):
            if not isinstance(each, Entries):
                fault = Diagnostic("merge", "'<<' merges mappings", each.location, "a mapping", describe(each))
                self.faults.append(fault)
                continue
            for key, value in each.pairs.items():
                if key not in pairs:
                    pairs[key] = value
                    keys_at[key] = each.keys_at[key]

    def _repeated(self, key: Scalar, first: Scalar) -> None:
        related = (Related("it stands here already", first.location),)
        fault = Diagnostic("duplicate-key", f"'{key.text}' is given twice", key.location, related=related)
        self.faults.append(fault)

    def _refuse_tag(self, event: yaml.NodeEvent) -> None:
        if event.tag is not None and event.tag != "!":
            raise _error("tag", f"the tag '{event.tag}' is not part of the language", self._at(event), "a plain value")

    def _at(self, event: yaml.Event) -> Location:
        start, end = event.start_mark, event.end_mark
        width = end.column - start.column if end.line == start.line else 1
        return Location(self.source, start.line + 1, start.column + 1, max(width, 1))


def _error(code: str, message: str, where: Location, expected: str, hint: str = "") -> SpecError:
    return SpecError(Diagnostic(code, message, where, expected=expected, hint=hint))


def _syntax_error(source: Source, error: yaml.YAMLError) -> SpecError:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return SpecError(_unreadable_character(source, error))
    where = Location(source, mark.line + 1, mark.column + 1)
    problem = getattr(error, "problem", None) or "this is not YAML"
    context = getattr(error, "context", None)
    message = f"{context}: {problem}" if context else problem
    return SpecError(Diagnostic("yaml", message, where, hint=_syntax_hint(where)))


def _unreadable_character(source: Source, error: yaml.YAMLError) -> Diagnostic:
    position = getattr(error, "position", 0) or 0
    before = source.text[:position]
    where = Location(source, before.count("\n") + 1, position - before.rfind("\n"))
    return Diagnostic("yaml", "a character that YAML does not allow", where, hint="save the file as plain UTF-8 text")


def _syntax_hint(where: Location) -> str:
    line = where.source.line(where.line)
    if "\t" in line[: where.column]:
        return "YAML indents with spaces, not tabs"
    if _BRACKET_AFTER_WORD.search(line) and "{" in line:
        return 'inside {...} an expression with brackets or commas wants quotes: repeat: "depths[0]"'
    if line.count("{") != line.count("}") or line.count("[") != line.count("]"):
        return "a bracket is not closed on this line"
    return ""
