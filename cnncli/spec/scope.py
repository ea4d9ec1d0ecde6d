"""What the names in a spec's expressions and texts stand for.

A name is bound to a located value *and to the scope in which that value was written*; it is read
only when it is used. So a block's argument ``width*2`` is computed where the block is used, one
default may speak of another argument, and a fault points at the text that holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from cnncli.diagnostics import Diagnostic, Location, Related, SpecError, did_you_mean
from cnncli.spec.expressions import ExpressionError, Result, evaluate
from cnncli.spec.tree import Entries, Items, Scalar, Value, describe

_INTEGER: Final = re.compile(r"[+-]?\d+(_\d+)*\Z")
_FLOAT: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z")
_INTERPOLATION: Final = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")
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


class Scope(Mapping[str, Argument]):
    """Names and what they are bound to; what is not found here is looked up in ``parent``."""

    def __init__(self, values: Mapping[str, Argument] | None = None, parent: Scope | None = None) -> None:
        self._own: dict[str, Argument] = dict(values or {})
        self._parent = parent
        self._results: dict[str, Result] = {}
        self._reading: set[str] = set()

    @classmethod
    def of(cls, entries: Entries, parent: Scope | None = None) -> Scope:
        """A scope in which every entry may refer to every other."""
        scope = cls(parent=parent)
        scope._own = {name: Argument(value, scope) for name, value in entries.items()}
        return scope

    @classmethod
    def with_defaults(cls, given: Mapping[str, Argument], defaults: Mapping[str, Value], parent: Scope) -> Scope:
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
            argument = self._own[name]
            if name in self._reading:
                raise _circular(name, argument.location)
            self._reading.add(name)
            try:
                self._results[name] = compute(argument)
            finally:
                self._reading.discard(name)
        return self._results[name]

    def text(self, name: str) -> str:
        """What ``$name`` stands for.

        Raises:
            KeyError: the name is not bound.
            SpecError: it is bound to a list or a mapping, or refers back to itself.
        """
        if name not in self._own:
            if self._parent is None:
                raise KeyError(name)
            return self._parent.text(name)
        argument = self._own[name]
        if not isinstance(argument.value, Scalar):
            message = f"'{name}' is used in a text but is {describe(argument.value)}"
            raise SpecError(Diagnostic("text", message, argument.location, expected="a word or a number"))
        if name in self._reading:
            raise _circular(name, argument.location)
        self._reading.add(name)
        try:
            return interpolate(argument.value, argument.scope)
        finally:
            self._reading.discard(name)


def number(text: str) -> int | float | None:
    """The number that a text is, or None. ``1e-3`` and ``64_000`` are numbers."""
    if _INTEGER.match(text):
        return int(text) if len(text) <= 24 else None
    return float(text) if _FLOAT.match(text) else None


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
            where = scalar.part(match.start(), len(match[0]))
            raise _unknown_name(name, scope, where) from None

    return _INTERPOLATION.sub(replacement, scalar.text)


def compute(argument: Argument) -> Result:
    """The value of a written argument: a number, a truth value, a word, or a list of these."""
    value, scope, _ = argument
    if isinstance(value, Items):
        return [compute(Argument(each, scope)) for each in value]
    if isinstance(value, Entries):
        raise SpecError(
            Diagnostic("value", "a mapping has no value", value.location, expected="a number, a word or a list")
        )
    literal = number(value.text)
    if literal is not None:
        return literal
    return _expression(value, scope)


def _expression(scalar: Scalar, scope: Scope) -> Result:
    folded = scalar.text.casefold()
    if folded in TRUE_WORDS or folded in FALSE_WORDS:
        return folded in TRUE_WORDS
    text = interpolate(scalar, scope) if "$" in scalar.text else scalar.text
    try:
        return evaluate(text, scope.result)
    except ExpressionError as error:
        where = scalar.part(error.start, error.width)
        if error.unknown_name is not None:
            raise _unknown_name(error.unknown_name, scope, where) from None
        hint = ""
        if text.count("(") != text.count(")") or text.count("[") != text.count("]"):
            hint = 'inside {...} an expression with brackets or commas wants quotes: "min(a, b)"'
        raise SpecError(Diagnostic("expression", str(error), where, received=f"'{text}'", hint=hint)) from None


def _unknown_name(name: str, scope: Scope, where: Location) -> SpecError:
    hint = did_you_mean(name, list(scope)) or "declare it under 'vars'"
    return SpecError(Diagnostic("unknown-name", f"unknown name '{name}'", where, hint=hint))


def _circular(name: str, where: Location) -> SpecError:
    related = (Related(f"'{name}' is bound here", where),)
    return SpecError(Diagnostic("circular", f"'{name}' refers back to itself", where, related=related))
