"""What the names in a spec's expressions and texts stand for.

A name is bound to a located value *and to the scope in which that value was written*; it is read
only when it is used. So a block's argument ``width*2`` is computed where the block is used, one
default may speak of another argument, and a fault points at the text that holds it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, NamedTuple

from cnncli.algebra import Undecidable, symbol
from cnncli.diagnostics import (
    NO_FORMULA,
    Diagnostic,
    LimitError,
    Location,
    SpecError,
    did_you_mean,
    shortened,
)
from cnncli.language.expressions import MAX_LIST, ExpressionError, Result, evaluate, too_long
from cnncli.language.tree import Entries, Items, Scalar, Value, describe

MAX_CHAIN: Final = 32
MAX_COMPUTED: Final = 400_000
MAX_TEXT: Final = 10_000

_INTEGER: Final = re.compile(r"[+-]?[0-9]+(_[0-9]+)*\Z")
_FLOAT: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\Z")
_INTERPOLATION: Final = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")
_MAX_DIGITS: Final = 24
TRUE_WORDS: Final = frozenset({"true", "yes", "on"})
FALSE_WORDS: Final = frozenset({"false", "no", "off"})


class Argument(NamedTuple):
    """A value as it was written, the scope of the names in it, and the key that introduced it."""

    value: Value
    scope: Scope
    key: Scalar | None = None

    @property
    def location(self) -> Location:
        return self.value.location


class _Shared:
    """What a scope and all that have it for a parent keep together.

    ``reading``: the names that are being read just now; ``characters``: how much of expressions has
    been computed so far.
    """

    __slots__ = ("characters", "reading")

    def __init__(self) -> None:
        self.reading: set[tuple[int, str]] = set()
        self.characters = 0


class Scope(Mapping[str, Argument]):
    """Names and what they are bound to; what is not found here is looked up in ``parent``."""

    def __init__(self, values: Mapping[str, Argument] | None = None, parent: Scope | None = None) -> None:
        self._own: dict[str, Argument] = dict(values or {})
        self._parent = parent
        self._results: dict[str, Result] = {}
        self._unknown: frozenset[str] = frozenset()
        self._shared: _Shared = parent._shared if parent is not None else _Shared()

    @classmethod
    def of(cls, entries: Entries, parent: Scope | None = None) -> Scope:
        """A scope in which every entry may refer to every other."""
        scope = cls(parent=parent)
        scope._own = {name: Argument(value, scope) for name, value in entries.items()}
        return scope

    @classmethod
    def with_unknown(cls, entries: Entries, names: Iterable[str]) -> Scope:
        """As :meth:`of`, with symbols of the same names for the values of some."""
        scope = cls.of(entries)
        scope._unknown = frozenset(names)
        scope._results = {name: symbol(name) for name in scope._unknown}
        return scope

    @classmethod
    def with_defaults(
        cls, given: Mapping[str, Argument], defaults: Mapping[str, Value], parent: Scope
    ) -> Scope:
        """The scope of a block's use: what the use gives, and defaults that may refer to it."""
        scope = cls(given, parent)
        scope._own |= {name: Argument(value, scope) for name, value in defaults.items()}
        return scope

    def __getitem__(self, name: str) -> Argument:
        if name in self._own:
            return self._own[name]
        if self._parent is None:
            raise KeyError(name)
        return self._parent[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        if self._parent is not None:
            yield from (name for name in self._parent if name not in self._own)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def result(self, name: str) -> Result:
        """The value of a name in an expression.

        Raises:
            KeyError: the name is not bound.
            SpecError: its own text has no value, or refers back to itself.
        """
        if name not in self._own:
            if self._parent is None:
                raise KeyError(name)
            return self._parent.result(name)
        if name not in self._results:
            with self._reads(name):
                self._results[name] = compute(self._own[name])
        return self._results[name]

    def text(self, name: str) -> str:
        """What ``$name`` stands for.

        Raises:
            KeyError: the name is not bound.
            SpecError: it is bound to a list or a mapping, is not known, or refers back to itself.
        """
        if name not in self._own:
            if self._parent is None:
                raise KeyError(name)
            return self._parent.text(name)
        argument = self._own[name]
        if name in self._unknown:
            message = f"'{name}' is kept unknown but stands in a text"
            hint = f"a number is written without the dollar sign, {name}; a text cannot be unknown"
            raise SpecError(Diagnostic(NO_FORMULA, message, argument.location, "a number for it", hint=hint))
        if not isinstance(argument.value, Scalar):
            message = f"'{name}' is used in a text but is {describe(argument.value)}"
            raise SpecError(Diagnostic("text", message, argument.location, expected="a word or a number"))
        with self._reads(name):
            return interpolate(argument.value, argument.scope)

    @contextmanager
    def _reads(self, name: str) -> Iterator[None]:
        """Notes that a name is being read, so that one that needs itself is found out."""
        key = (id(self), name)
        where = self._own[name].location
        reading = self._shared.reading
        if key in reading:
            raise SpecError(Diagnostic("circular", f"'{name}' refers back to itself", where))
        if len(reading) >= MAX_CHAIN:
            expected = f"at most {MAX_CHAIN} names, each of which needs the next"
            raise SpecError(
                Diagnostic("limit", "the names in this refer to too many others", where, expected)
            )
        reading.add(key)
        try:
            yield
        finally:
            reading.discard(key)

    def compute(self, text: str, where: Location) -> Result:
        """The value of an expression.

        Raises:
            ExpressionError: it has none.
            LimitError: too much has been computed for this spec.
        """
        self._shared.characters += len(text)
        if self._shared.characters > MAX_COMPUTED:
            expected = f"at most {MAX_COMPUTED:,} characters of expressions, copies counted"
            raise LimitError(Diagnostic("limit", "this spec computes too much", where, expected))
        return evaluate(text, self)


def number(text: str) -> int | float | None:
    """The number that a text is, or None. ``1e-3`` and ``64_000`` are numbers."""
    if _INTEGER.match(text):
        return int(text) if len(text) <= _MAX_DIGITS else None
    value = float(text) if _FLOAT.match(text) else math.inf
    return value if math.isfinite(value) else None


def interpolate(scalar: Scalar, scope: Scope) -> str:
    """The text of a scalar with every ``$name`` and ``${name}`` replaced; ``$$`` is a dollar sign."""
    if "$" not in scalar.text:
        return scalar.text

    def replacement(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        name = match[2] or match[3]
        try:
            return scope.text(name)
        except KeyError:
            raise _unknown_name(name, scope, scalar.part(match.start(), len(match[0]))) from None
        except SpecError as error:
            fault = error.diagnostics[0]
            if fault.code != NO_FORMULA:
                raise
            # It is not the variable that is at fault, but this use of it.
            where = scalar.part(match.start(), len(match[0]))
            raise SpecError(fault._replace(location=where)) from None

    text = _INTERPOLATION.sub(replacement, scalar.text)
    if len(text) > MAX_TEXT:
        expected = f"at most {MAX_TEXT:,} characters"
        raise SpecError(Diagnostic("limit", "this text becomes too long", scalar.location, expected))
    return text


def compute(argument: Argument) -> Result:
    """The value of a written argument: a number, a truth value, a word, or a list of these.

    Raises:
        SpecError: it has none.
    """
    value, scope, _ = argument
    if isinstance(value, Items):
        results: list[Result] = [compute(Argument(each, scope)) for each in value]
        if too_long(results):
            expected = f"at most {MAX_LIST:,} values"
            raise SpecError(Diagnostic("limit", "this list becomes too long", value.location, expected))
        return results
    if isinstance(value, Entries):
        expected = "a number, a word or a list"
        raise SpecError(
            Diagnostic("value", "a mapping has no value", value.location, expected, describe(value))
        )
    literal = number(value.text)
    return literal if literal is not None else _expression(value, scope)


def _expression(scalar: Scalar, scope: Scope) -> Result:
    text = interpolate(scalar, scope)
    folded = text.casefold()
    if folded in TRUE_WORDS or folded in FALSE_WORDS:
        return folded in TRUE_WORDS
    if text != scalar.text:
        literal = number(text)
        if literal is not None:
            return literal
    try:
        return scope.compute(text, scalar.location)
    except Undecidable as error:
        raise SpecError(_undecided(error, scalar)) from None
    except ExpressionError as error:
        # The places of an expression that came of interpolation are not those of the file.
        where = scalar.part(error.start, error.width) if text == scalar.text else scalar.location
        if error.unknown_name is not None:
            raise _unknown_name(error.unknown_name, scope, where) from None
        received = f"'{shortened(text)}'"
        hint = _expression_hint(text, scalar)
        raise SpecError(Diagnostic(error.code, str(error), where, error.expected, received, hint)) from None


def _undecided(error: Undecidable, scalar: Scalar) -> Diagnostic:
    return Diagnostic(
        "undecided",
        "this has no one formula for all values of what is kept unknown",
        scalar.location,
        "numbers for which it is decided",
        f"both are possible: {error.condition}, or not",
        "--set gives a variable a number",
    )


def _expression_hint(text: str, scalar: Scalar) -> str:
    opened = any(text.count(left) > text.count(right) for left, right in ("()", "[]"))
    if opened and scalar.plain:
        return 'inside {...} an expression with brackets or commas wants quotes: "min(a, b)"'
    return ""


def _unknown_name(name: str, scope: Scope, where: Location) -> SpecError:
    hint = did_you_mean(name, scope) or "declare it under 'vars'"
    return SpecError(Diagnostic("unknown-name", f"unknown name '{name}'", where, hint=hint))
