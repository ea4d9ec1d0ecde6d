"""YAML text -> a tree of located values, in one pass over the parser's events.

Composing nodes first would take longer by itself, and recurse: deep nesting could exhaust the stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import yaml
from yaml.reader import Reader

from cnncli.diagnostics import Diagnostic, Faults, Location, Related, Source, SpecError, lines_of, shortened
from cnncli.language.tree import Entries, Items, Scalar, Value, describe
from cnncli.limits import MAX_FILE_BYTES, MAX_FILE_DEPTH, MAX_FILE_VALUES

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WITH_LAYERS: Final = frozenset({"layers", "heads", "blocks"})
"""The sections in which layers are written."""
_EXPRESSION: Final = r"\w\[$"
# Directives only serve tags. libyaml compares each with all before it: a file of them would take hours.
_DIRECTIVE: Final = r"(?:\A|[\n\r\x85\u2028\u2029])%(?!YAML\b)"
# The characters that YAML 1.1 does not allow. Compiling this set again would add 5 ms to every start.
_UNREADABLE: Final = Reader.NON_PRINTABLE


def parse(source: Source, faults: Faults) -> Value:
    """Return the tree of a YAML text. Duplicate keys and similar errors are added to ``faults``.

    Raises:
        SpecError: the text is not YAML, contains a second document, a tag or a circular alias, or exceeds
            one of the limits above.
    """
    if len(source.text) > MAX_FILE_BYTES:
        raise _error(
            "limit", "the file is too large", Location(source, 1, 1), f"at most {MAX_FILE_BYTES // 2**20} MiB"
        )
    _refuse_unreadable(source)
    builder = _Builder(source, faults)
    try:
        for event in yaml.parse(source.text, Loader=_LOADER):
            builder.take(event)
    except yaml.YAMLError as error:
        raise _syntax_error(source, error) from None
    if builder.root is None:
        raise _error("empty", "the file is empty", Location(source, 1, 1), "a mapping")
    return builder.root


class _Open:
    """A list or mapping whose end has not been read yet."""

    __slots__ = ("anchor", "is_mapping", "line_column", "values")

    def __init__(self, is_mapping: bool, anchor: str | None, line_column: tuple[int, int]) -> None:
        self.is_mapping = is_mapping
        self.anchor = anchor
        self.line_column = line_column
        self.values: list[Value] = []


class _Builder:
    """Builds the tree from parser events, with an explicit stack."""

    def __init__(self, source: Source, faults: Faults) -> None:
        self.source = source
        self.root: Value | None = None
        self._faults = faults
        self._values = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, Value | None] = {}
        self._documents = 0

    def take(self, event: Any) -> None:
        action = _ACTIONS.get(type(event))
        if action is not None:
            action(self, event)

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise _error(
                "documents", "a second document starts here", self._at(event), "one document per file"
            )

    def _scalar(self, event: Any) -> None:
        self._refuse_tag(event)
        start, end = event.start_mark, event.end_mark
        width = end.column - start.column if end.line == start.line else 1
        self._values += 1
        if self._values > MAX_FILE_VALUES:
            self._count(0, self._at(event))
        plain = event.style is None or event.style == ""
        value = Scalar(event.value, plain, self.source, start.line + 1, start.column + 1, max(width, 1))
        if event.anchor:
            self._anchors[event.anchor] = value
        self._put(value)

    def _start(self, event: Any) -> None:
        self._refuse_tag(event)
        if len(self._stack) >= MAX_FILE_DEPTH:
            raise _error(
                "limit", "the file is nested too deeply", self._at(event), f"at most {MAX_FILE_DEPTH} levels"
            )
        self._values += 1
        if self._values > MAX_FILE_VALUES:
            self._count(0, self._at(event))
        mark = event.start_mark
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        self._stack.append(_Open(is_mapping, event.anchor, (mark.line + 1, mark.column + 1)))
        if event.anchor:
            self._anchors[event.anchor] = None

    def _end(self, _: yaml.Event) -> None:
        done = self._stack.pop()
        place = (self.source, *done.line_column, 1)
        value: Value = (
            self._mapping(done.values, place) if done.is_mapping else Items(tuple(done.values), place)
        )
        if done.anchor:
            self._anchors[done.anchor] = value
        self._put(value)

    def _alias(self, event: Any) -> None:
        name = event.anchor
        if name not in self._anchors:
            message = f"'*{name}' has no anchor above it"
            raise _error("alias", message, self._at(event), f"'&{name}' earlier in the file")
        value = self._anchors[name]
        if value is None:
            message = f"'*{name}' refers to a value that contains it"
            raise _error("alias", message, self._at(event), "an anchor on a value that ends before its alias")
        self._count(value.size, self._at(event))
        if self._is_among_layers() and _has_mapping(value):
            shown = shortened(name)
            message = f"'*{shown}' makes new layers with weights of their own, as '&{shown}' does"
            self._faults.note(Diagnostic("alias", message, self._at(event), level="note"))
        self._put(value)

    def _is_among_layers(self) -> bool:
        """Return whether the next value is in a list in a section with layers: a layer, or a branch."""
        if len(self._stack) < 2 or self._stack[-1].is_mapping or not self._stack[0].is_mapping:
            return False
        section = self._stack[0].values[-1]
        return isinstance(section, Scalar) and section.text in _WITH_LAYERS

    def _count(self, values: int, where: Location) -> None:
        """Count more values, written ones and those from aliases."""
        self._values += values
        if self._values > MAX_FILE_VALUES:
            expected = f"at most {MAX_FILE_VALUES:,} words, lists and mappings, with aliases expanded"
            raise _error("limit", "the file has too many values", where, expected)

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
                self._faults.add(
                    Diagnostic("key", "a key must be a word", key.location, "a word", describe(key))
                )
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
        """Apply YAML's merge key: add entries of other mappings, unless the key is already present."""
        for each in merge.values if isinstance(merge, Items) else (merge,):
            if not isinstance(each, Entries):
                fault = Diagnostic(
                    "merge", "'<<' can only merge mappings", each.location, "a mapping", describe(each)
                )
                self._faults.add(fault)
                continue
            for key, value in each.pairs.items():
                if key not in pairs:
                    pairs[key] = value
                    keys_at[key] = each.keys_at[key]

    def _repeated(self, key: Scalar, first: Scalar) -> None:
        related = (Related("first given here", first.location),)
        fault = Diagnostic("duplicate-key", f"'{key.text}' is given twice", key.location, related=related)
        self._faults.add(fault)

    def _refuse_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag != "!":
            raise _error(
                "tag", f"the tag '{event.tag}' is not allowed", self._at(event), "a value without a tag"
            )

    def _at(self, event: Any) -> Location:
        start, end = event.start_mark, event.end_mark
        width = end.column - start.column if end.line == start.line else 1
        return Location(self.source, start.line + 1, start.column + 1, max(width, 1))


def _has_mapping(value: Value) -> bool:
    """Return whether a value is or contains a mapping, as layers with arguments do."""
    return isinstance(value, Entries) or (isinstance(value, Items) and any(map(_has_mapping, value)))


# Functions, not bound methods, which would be part of a cycle.
_ACTIONS: Final[dict[type, Callable[[_Builder, Any], None]]] = {
    yaml.ScalarEvent: _Builder._scalar,
    yaml.SequenceStartEvent: _Builder._start,
    yaml.MappingStartEvent: _Builder._start,
    yaml.SequenceEndEvent: _Builder._end,
    yaml.MappingEndEvent: _Builder._end,
    yaml.AliasEvent: _Builder._alias,
    yaml.DocumentStartEvent: _Builder._document,
}


def _error(code: str, message: str, where: Location, expected: str, hint: str = "") -> SpecError:
    return SpecError(Diagnostic(code, message, where, expected=expected, hint=hint))


def _refuse_unreadable(source: Source) -> None:
    found = _UNREADABLE.search(source.text)
    if found is not None:
        message = f"YAML does not allow this character (U+{ord(found[0]):04X})"
        raise _error("yaml", message, _at_offset(source, found.start()), "plain UTF-8 text")
    found = re.search(_DIRECTIVE, source.text) if "%" in source.text else None
    if found is not None:
        where = _at_offset(source, found.end() - 1)
        raise _error("yaml", "YAML directives are not allowed", where, "a spec without '%' directives")


def _at_offset(source: Source, offset: int) -> Location:
    before = lines_of(source.text[:offset])
    return Location(source, len(before), len(before[-1]) + 1)


def _syntax_error(source: Source, error: yaml.YAMLError) -> SpecError:
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    where = _on_a_line(Location(source, line, column))
    problem = getattr(error, "problem", None) or "this is not YAML"
    context = getattr(error, "context", None)
    message = f"{context}: {problem}" if context else problem
    opened = getattr(error, "context_mark", None)
    related: tuple[Related, ...] = ()
    if opened is not None and context and opened.line + 1 != where.line:
        related = (Related("it starts here", Location(source, opened.line + 1, opened.column + 1)),)
    hint = _syntax_hint(where)
    if not hint and "expected ','" in problem:
        hint = "a bracket is not closed, or a comma is missing"
    return SpecError(Diagnostic("yaml", message, where, hint=hint, related=related))


def _on_a_line(where: Location) -> Location:
    """Return the place itself, or the end of the last line with text if the place is after it."""
    number = where.line
    while number > 1 and not where.source.line(number).strip():
        number -= 1
    if number == where.line:
        return where
    return Location(where.source, number, len(where.source.line(number).rstrip()) + 1)


def _syntax_hint(where: Location) -> str:
    line = where.source.line(where.line)
    if "\t" in line[: where.column]:
        return "YAML indents with spaces, not tabs"
    if re.search(_EXPRESSION, line[: where.column]):
        return 'inside {...} an expression with brackets or commas needs quotes: repeat: "depths[0]"'
    if line.count("{") != line.count("}") or line.count("[") != line.count("]"):
        return "a bracket is not closed on this line"
    if line[where.column - 1 :].startswith(":"):
        return "a value containing ': ' needs quotes"
    return ""
