"""The values of the names in a spec's expressions and strings.

A name is bound to a located value *and to the scope in which that value was written*, and evaluated when it
is used. So a block's argument ``width*2`` is computed where the block is used, a default may refer to another
argument, and an error points at the text that contains it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import Final, NamedTuple

from cnncli.algebra import Undecidable, symbol
from cnncli.diagnostics import (
    NO_FORMULA,
    Diagnostic,
    Location,
    Related,
    SpecError,
    did_you_mean,
    shortened,
)
from cnncli.language.expressions import ExpressionError, Result, evaluate, too_long
from cnncli.language.tree import Entries, Items, Scalar, Value, describe
from cnncli.limits import CHARACTERS, MAX_CHAIN, MAX_DIGITS, MAX_EXPRESSION, MAX_LIST, MAX_TEXT, VALUES
from cnncli.work import spend

_INTEGER: Final = re.compile(r"[+-]?[0-9]+(_[0-9]+)*\Z")
_FLOAT: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\Z")
INTERPOLATION: Final = r"\$(?:(\$)|\{(\w+)\}|(\w+))"
TRUE_WORDS: Final = frozenset({"true", "yes", "on"})
FALSE_WORDS: Final = frozenset({"false", "no", "off"})


class Argument(NamedTuple):
    """A value as written, the scope of the names in it, and its key."""

    value: Value
    scope: Scope
    key: Scalar | None = None

    @property
    def location(self) -> Location:
        return self.value.location


def named(name: str, value: Value, scope: Scope) -> Argument:
    """Return an argument for a value whose key is implied, such as a bare value; ``name`` is for messages."""
    return Argument(value, scope, Scalar(name, True, *value.location))


class Scope(Mapping[str, Argument]):
    """Names and the arguments bound to them; other names are looked up in ``parent``."""

    def __init__(self, values: Mapping[str, Argument] | None = None, parent: Scope | None = None) -> None:
        self._given: Mapping[str, Argument] = values or {}
        # Bound to this scope itself: an Argument of each would be part of a cycle.
        self._written: Mapping[str, Value] = {}
        self._parent = parent
        self._results: dict[str, Result] = {}
        self._read: set[str] = set()
        self._texts: dict[str, str] = {}
        self._unknown: frozenset[str] = frozenset()
        # The names that are being evaluated, in this scope and all that share its outermost parent.
        self._reading: set[tuple[int, str]] = parent._reading if parent is not None else set()

    @classmethod
    def of(cls, entries: Entries, parent: Scope | None = None) -> Scope:
        """Return a scope in which every entry may refer to every other."""
        scope = cls(parent=parent)
        scope._written = entries
        return scope

    @classmethod
    def with_unknown(cls, entries: Entries, names: Iterable[str]) -> Scope:
        """Return a scope as :meth:`of` does, in which the values of ``names`` are symbols of these names."""
        scope = cls.of(entries)
        scope._unknown = frozenset(names)
        scope._results = {name: symbol(name) for name in scope._unknown}
        return scope

    @classmethod
    def with_defaults(
        cls, given: Mapping[str, Argument], defaults: Mapping[str, Value], parent: Scope
    ) -> Scope:
        """Return the scope of a block's use: the given arguments, and defaults that may refer to them."""
        scope = cls(given, parent)
        scope._written = defaults
        return scope

    def __getitem__(self, name: str) -> Argument:
        own = self._bound(name)
        if own is not None:
            return own
        if self._parent is None:
            raise KeyError(name)
        return self._parent[name]

    def _bound(self, name: str) -> Argument | None:
        """Return what a name is bound to in this scope itself, or None."""
        value = self._written.get(name)
        return Argument(value, self) if value is not None else self._given.get(name)

    def __iter__(self) -> Iterator[str]:
        # No copy of the names: a hint looks at the first ones only, once for each of thousands of errors.
        yield from self._given
        yield from (name for name in self._written if name not in self._given)
        if self._parent is not None:
            for name in self._parent:
                if name not in self._given and name not in self._written:
                    yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def read(self) -> AbstractSet[str]:
        """The names of this scope whose values were needed so far."""
        return self._read

    def result(self, name: str) -> Result:
        """Return the value of a name in an expression.

        Raises:
            KeyError: the name is not bound.
            SpecError: its own text has no value, or refers back to itself.
        """
        if name in self._results:
            return self._results[name]
        own = self._bound(name)
        if own is None:
            if self._parent is None:
                raise KeyError(name)
            return self._parent.result(name)
        with self._reads(name):
            self._results[name] = compute(own)
        return self._results[name]

    def text(self, name: str) -> str:
        """Return the string for ``$name``.

        Raises:
            KeyError: the name is not bound.
            SpecError: it is bound to a list or a mapping, is symbolic, or refers back to itself.
        """
        if name in self._texts:
            return self._texts[name]
        argument = self._bound(name)
        if argument is None:
            if self._parent is None:
                raise KeyError(name)
            return self._parent.text(name)
        if name in self._unknown:
            message = f"'{name}' is symbolic but used in a string"
            hint = f"in a formula write {name} without the dollar sign; a string needs its number"
            raise SpecError(Diagnostic(NO_FORMULA, message, argument.location, "a number", hint=hint))
        if not isinstance(argument.value, Scalar):
            message = f"'{name}' is used in a string but is {describe(argument.value)}"
            raise SpecError(Diagnostic("text", message, argument.location, expected="a word or a number"))
        with self._reads(name):
            self._texts[name] = interpolate(argument.value, argument.scope)
        return self._texts[name]

    @contextmanager
    def _reads(self, name: str) -> Iterator[None]:
        """Note that a name is being evaluated, to detect one that needs its own value."""
        self._read.add(name)
        key = (id(self), name)
        where = self[name].location
        reading = self._reading
        if key in reading:
            expected = "a value that can be computed without it"
            raise SpecError(Diagnostic("circular", f"'{name}' refers back to itself", where, expected))
        if len(reading) >= MAX_CHAIN:
            expected = f"a chain of at most {MAX_CHAIN} names"
            raise SpecError(Diagnostic("limit", "too many names refer to one another", where, expected))
        reading.add(key)
        try:
            yield
        finally:
            reading.discard(key)

    def compute(self, text: str, where: Location) -> Result:
        """Return the value of an expression.

        Raises:
            ExpressionError: it has no value.
            WorkError: too much has been computed for this spec.
        """
        spend(CHARACTERS, len(text), where)
        return evaluate(text, self, where)


def number(text: str) -> int | float | None:
    """Return the number that a text is, or None. ``1e-3`` and ``64_000`` are numbers."""
    if len(text) > MAX_EXPRESSION:
        return None
    if _INTEGER.match(text):
        return int(text) if len(text) <= MAX_DIGITS else None
    value = float(text) if _FLOAT.match(text) else math.inf
    return value if math.isfinite(value) else None


def interpolate(scalar: Scalar, scope: Scope) -> str:
    """Return the text of a scalar with every ``$name`` and ``${name}`` replaced; ``$$`` is a dollar sign."""
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
            where = scalar.part(match.start(), len(match[0]))
            fault = error.diagnostics[0]
            if fault.code != NO_FORMULA:
                raise _used_at(error, where) from None
            # The error is this use of the variable, not the variable.
            raise SpecError(fault._replace(location=where)) from None

    text = re.sub(INTERPOLATION, replacement, scalar.text)
    spend(CHARACTERS, len(scalar.text) + len(text), scalar)
    if len(text) > MAX_TEXT:
        expected = f"at most {MAX_TEXT:,} characters"
        raise SpecError(Diagnostic("limit", "this string becomes too long", scalar.location, expected))
    return text


def compute(argument: Argument) -> Result:
    """Return the value of a written argument: a number, a boolean, a word, or a list of these.

    Raises:
        SpecError: it has no value.
    """
    value, scope, _ = argument
    if isinstance(value, Items):
        spend(VALUES, len(value), value)
        results: list[Result] = [compute(Argument(each, scope)) for each in value]
        # The lists in it, which are looked at again.
        spend(VALUES, sum(len(each) for each in results if isinstance(each, list)), value)
        if too_long(results):
            expected = f"at most {MAX_LIST:,} values"
            raise SpecError(Diagnostic("limit", "this list becomes too long", value.location, expected))
        return results
    if isinstance(value, Entries):
        expected = "a number, a word or a list"
        raise SpecError(
            Diagnostic("value", "a mapping cannot be used here", value.location, expected, describe(value))
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
    except SpecError as error:
        raise _used_at(error, scalar.location) from None
    except Undecidable as error:
        raise SpecError(_undecided(error, scalar)) from None
    except ExpressionError as error:
        # After interpolation, places in the expression are not places in the file.
        where = scalar.part(error.start, error.width) if text == scalar.text else scalar.location
        if error.unknown_name is not None:
            raise _unknown_name(error.unknown_name, scope, where) from None
        received = f"'{shortened(text)}'"
        hint = _expression_hint(text, scalar)
        raise SpecError(Diagnostic(error.code, str(error), where, error.expected, received, hint)) from None


def _used_at(error: SpecError, where: Location) -> SpecError:
    """Return the error in the value of a name with the place that uses the name."""
    related = (Related("used here", where),)
    return SpecError(each if each.related else each._replace(related=related) for each in error.diagnostics)


def _undecided(error: Undecidable, scalar: Scalar) -> Diagnostic:
    return Diagnostic(
        "undecided",
        "there is no single formula that holds for all values of the symbols",
        scalar.location,
        "variables with numbers that decide it",
        f"{error.condition} holds for some values only",
        "a variable that is not symbolic has the number that the spec or an override gives it",
    )


def _expression_hint(text: str, scalar: Scalar) -> str:
    opened = any(text.count(left) > text.count(right) for left, right in ("()", "[]"))
    if opened and scalar.plain:
        return 'inside {...} an expression with brackets or commas needs quotes: "min(a, b)"'
    return ""


def _unknown_name(name: str, scope: Scope, where: Location) -> SpecError:
    hint = did_you_mean(name, scope, "names known here") or "declare it under 'vars'"
    return SpecError(Diagnostic("unknown-name", f"unknown name '{name}'", where, hint=hint))
