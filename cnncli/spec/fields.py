"""Typed arguments: how a written value becomes a Python value, and records declared from such fields.

A :class:`Reader` turns one located value into a typed one and says what it expects. ``arg`` declares
a field of a :class:`Record` with its reader, its help text and its default; kinds of layers, the
training settings and budgets are all records, so parsing, messages and documentation are derived
from one declaration.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, dataclass_transform, overload

from cnncli.diagnostics import (
    MAX_FAULTS,
    Diagnostic,
    Location,
    SpecError,
    did_you_mean,
    listing,
    nearest,
    shortened,
)
from cnncli.spec.expressions import Result
from cnncli.spec.scope import FALSE_WORDS, TRUE_WORDS, Argument, compute, interpolate, number
from cnncli.spec.tree import Entries, Items, Scalar, describe

T = TypeVar("T")
D = TypeVar("D")

REQUIRED: Final[Any] = object()
MAX_SIZE: Final = 10**12
_MAX_AXES: Final = 3


class Reader(Generic[T]):
    """Reads one written value."""

    expected: str
    """What a value must be, as a short phrase for messages and documentation."""

    def read(self, argument: Argument) -> T:
        """The typed value.

        Raises:
            SpecError: the value is not what this reader expects.
        """
        raise NotImplementedError

    def wrong(self, argument: Argument, received: str = "", hint: str = "") -> SpecError:
        """The error that says what was expected here and what came."""
        came = received or describe(argument.value)
        what = f"'{argument.key.text}'" if argument.key is not None else "this"
        message = f"{what} cannot be {came}"
        return SpecError(Diagnostic("value", message, argument.location, self.expected, came, hint=hint))


class Number(Reader[float]):
    """A number between two bounds, both included unless ``above`` excludes the lower one."""

    def __init__(
        self, minimum: float | None = None, maximum: float | None = None, *, above: bool = False
    ) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.above = above
        self.expected = _range_text("a number", minimum, maximum, above=above)

    def read(self, argument: Argument) -> float:
        value = argument.value
        literal = number(value.text) if isinstance(value, Scalar) else None
        result = compute(argument) if literal is None and _may_be_expression(value) else literal
        if isinstance(result, bool) or not isinstance(result, int | float):
            raise self.wrong(argument, _shown(argument, result))
        too_low = self.minimum is not None and (
            result < self.minimum or (self.above and result == self.minimum)
        )
        if too_low or (self.maximum is not None and result > self.maximum):
            raise self.wrong(argument, _shown(argument, result))
        return float(result)


class Whole(Reader[int]):
    """A whole number of at least ``minimum``."""

    def __init__(self, minimum: int | None = 1, maximum: int | None = MAX_SIZE) -> None:
        self.minimum = minimum
        self.maximum = maximum
        shown = None if maximum == MAX_SIZE else maximum
        self.expected = _range_text("a whole number", minimum, shown, above=False)

    def read(self, argument: Argument) -> int:
        value = argument.value
        literal = number(value.text) if isinstance(value, Scalar) else None
        result = compute(argument) if literal is None and _may_be_expression(value) else literal
        return self.check(argument, result)

    def check(self, argument: Argument, result: Result | None) -> int:
        """``result`` as a whole number within the bounds."""
        if isinstance(result, float) and result.is_integer():
            result = int(result)
        if isinstance(result, bool) or not isinstance(result, int):
            hint = "'//' divides and rounds down" if isinstance(result, float) else ""
            raise self.wrong(argument, _shown(argument, result), hint)
        if (self.minimum is not None and result < self.minimum) or (
            self.maximum is not None and result > self.maximum
        ):
            raise self.wrong(argument, _shown(argument, result))
        return result


class Flag(Reader[bool]):
    """True or false."""

    expected = "true or false"

    def read(self, argument: Argument) -> bool:
        value = argument.value
        if not isinstance(value, Scalar) or value.is_null:
            raise self.wrong(argument)
        folded = value.text.casefold()
        if folded in TRUE_WORDS or folded in FALSE_WORDS:
            return folded in TRUE_WORDS
        if value.text.isidentifier() and value.text not in argument.scope:
            raise self.wrong(argument, hint=did_you_mean(value.text, ("true", "false")))
        result = compute(argument)
        if not isinstance(result, bool):
            raise self.wrong(argument, _shown(argument, result))
        return result


class Text(Reader[str]):
    """Any text."""

    expected = "a text"

    def read(self, argument: Argument) -> str:
        value = argument.value
        if not isinstance(value, Scalar) or value.is_null:
            raise self.wrong(argument)
        return interpolate(value, argument.scope)


class Choice(Reader[str]):
    """One word of a fixed set."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.expected = f"one of {listing(words)}"

    def read(self, argument: Argument) -> str:
        value = argument.value
        if not isinstance(value, Scalar):
            raise self.wrong(argument)
        word = interpolate(value, argument.scope)
        if word not in self.words:
            match = nearest(word, self.words)
            raise self.wrong(argument, f"'{shortened(word)}'", f"did you mean '{match}'?" if match else "")
        return word


class PerAxis(Reader["int | tuple[int, ...]"]):
    """One whole number for every spatial axis, or a list with one for each."""

    def __init__(self, minimum: int = 1) -> None:
        self.item = Whole(minimum)
        self.expected = f"{self.item.expected}, or a list with one for each axis"

    def read(self, argument: Argument) -> int | tuple[int, ...]:
        value = argument.value
        if isinstance(value, Scalar) and (_may_be_expression(value) and not value.is_null):
            result = compute(argument)
            if not isinstance(result, list):
                return self._one(argument, result)
            return self._several(argument, [(argument, each) for each in result])
        if isinstance(value, Items) and len(value) <= _MAX_AXES:
            parts = [Argument(each, argument.scope) for each in value]
            return self._several(argument, [(part, compute(part)) for part in parts])
        raise self.wrong(argument)

    def _one(self, argument: Argument, result: Result) -> int:
        try:
            return self.item.check(argument, result)
        except SpecError as error:
            hint = error.diagnostics[0].hint
            raise self.wrong(argument, _shown(argument, result), hint) from None

    def _several(self, whole: Argument, parts: list[tuple[Argument, Result]]) -> tuple[int, ...]:
        if not 1 <= len(parts) <= _MAX_AXES:
            raise self.wrong(whole)
        return tuple(self.item.check(argument, result) for argument, result in parts)


class Sizes(Reader["tuple[int, ...]"]):
    """A list of whole numbers."""

    def __init__(self, minimum: int = 1, most: int = 4) -> None:
        self.item = Whole(minimum)
        self.most = most
        self.expected = f"a list of 1 to {most}, each {self.item.expected}"

    def read(self, argument: Argument) -> tuple[int, ...]:
        value = argument.value
        if isinstance(value, Entries):
            raise self.wrong(argument)
        if isinstance(value, Items):
            self._check_length(argument, len(value))
            return self._entries(value, argument)
        if value.is_null:
            raise self.wrong(argument)
        result = compute(argument)
        each = result if isinstance(result, list) else [result]
        self._check_length(argument, len(each))
        return tuple(self.item.check(argument, part) for part in each)

    def _check_length(self, argument: Argument, length: int) -> None:
        if not 1 <= length <= self.most:
            raise self.wrong(argument)

    def _entries(self, value: Items, argument: Argument) -> tuple[int, ...]:
        sizes: list[int] = []
        faults: list[Diagnostic] = []
        for each in value:
            try:
                sizes.append(self.item.read(Argument(each, argument.scope)))
            except SpecError as error:
                faults.extend(error.diagnostics)
        if faults:
            raise SpecError(faults)
        return tuple(sizes)


class Weights(Reader["Mapping[str, float]"]):
    """A mapping from names to numbers of 0 or more."""

    expected = "a mapping from names to numbers of 0 or more"

    def read(self, argument: Argument) -> Mapping[str, float]:
        value = argument.value
        if not isinstance(value, Entries):
            raise self.wrong(argument)
        reader = Number(0)
        return {name: reader.read(Argument(each, argument.scope)) for name, each in value.items()}


class Arg(Generic[T]):
    """A declared field: its reader, its help text, its default."""

    __slots__ = ("default", "help", "main", "reader")

    def __init__(self, reader: Reader[T], text: str, default: object, *, main: bool) -> None:
        self.reader = reader
        self.help = text
        self.default = default
        self.main = main

    @property
    def required(self) -> bool:
        return self.default is REQUIRED


@overload
def arg(reader: Reader[T], text: str, *, main: bool = ...) -> T: ...
@overload
def arg(reader: Reader[T], text: str, *, default: D, main: bool = ...) -> T | D: ...
def arg(reader: Reader[Any], text: str, *, default: object = REQUIRED, main: bool = False) -> Any:
    """Declare a field of a record; ``main`` marks the one that a bare value is given to."""
    return Arg(reader, text, default, main=main)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(arg,))
class Record:
    """A frozen value whose fields are declared with :func:`arg`.

    Not a dataclass: a dataclass compiles several functions for every class, and fifty kinds of
    layers would spend a good part of a command's time on that.
    """

    arguments: ClassVar[Mapping[str, Arg[Any]]] = {}
    required: ClassVar[frozenset[str]] = frozenset()
    keyword: ClassVar[str] = ""
    """What messages call a record of this class."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Arg)}
        for name in own:
            delattr(cls, name)
        cls.arguments = {**cls.arguments, **own}
        cls.required = frozenset(name for name, declared in cls.arguments.items() if declared.required)

    def __init__(self, **values: Any) -> None:
        fields = self.__dict__
        for name, declared in self.arguments.items():
            fields[name] = values.pop(name, declared.default)
            assert fields[name] is not REQUIRED, f"{type(self).__name__} needs {name}"
        assert not values, f"{type(self).__name__} has no {', '.join(values)}"

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.__dict__.values())))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({fields})"

    @classmethod
    def main_argument(cls) -> str | None:
        """The field that a bare value is given to."""
        return next((name for name, declared in cls.arguments.items() if declared.main), None)

    @classmethod
    def words(cls) -> Collection[str]:
        """All that may be given to a record of this class, for suggestions."""
        return cls.arguments.keys()

    @classmethod
    def read(cls, written: Mapping[str, Argument], where: Location) -> Self:
        """A record from written arguments.

        Raises:
            SpecError: with every fault found: unknown, missing and wrong arguments.
        """
        faults: list[Diagnostic] = []
        values: dict[str, Any] = {}
        for name, argument in written.items():
            declared = cls.arguments.get(name)
            if declared is None:
                faults.append(cls._unknown(name, argument))
                continue
            try:
                values[name] = declared.reader.read(argument)
            except SpecError as error:
                faults.extend(error.diagnostics)
            if len(faults) > MAX_FAULTS:
                break
        if not written.keys() >= cls.required:
            faults.extend(cls._missing(written, where))
        if faults:
            raise SpecError(faults)
        return cls(**values)

    @classmethod
    def read_entries(cls, entries: Entries, scope: Any) -> Self:
        """A record from a mapping as it stands in a file."""
        written = {key: Argument(value, scope, entries.keys_at[key]) for key, value in entries.items()}
        return cls.read(written, entries.location)

    @classmethod
    def _unknown(cls, name: str, argument: Argument) -> Diagnostic:
        where = argument.key.location if argument.key is not None else argument.location
        hint = did_you_mean(name, cls.words())
        if name.count(")") > name.count("("):
            hint = 'YAML cut an expression at its comma: put quotes round it, "min(a, b)"'
        message = f"'{cls.keyword}' has no argument '{name}'"
        return Diagnostic("unknown-argument", message, where, hint=hint)

    @classmethod
    def _missing(cls, written: Iterable[str], where: Location) -> list[Diagnostic]:
        # A misspelt argument is reported as such, and not as missing too.
        unknown = islice((name for name in written if name not in cls.arguments), MAX_FAULTS)
        meant = {nearest(name, cls.arguments) for name in unknown}
        return [
            Diagnostic(
                "missing-argument", f"'{cls.keyword}' needs '{name}'", where, f"{name}: {declared.help}"
            )
            for name, declared in cls.arguments.items()
            if name in cls.required and name not in written and name not in meant
        ]


def _may_be_expression(value: object) -> bool:
    return isinstance(value, Scalar) and not value.is_null


def _shown(argument: Argument, result: object) -> str:
    """What came: the text, and where that is an expression, also its value."""
    written = describe(argument.value)
    if result is None or not isinstance(argument.value, Scalar) or argument.value.text == _brief(result):
        return written
    return f"{written} (which is {_brief(result)})"


def _brief(result: object) -> str:
    return f"a list of {len(result)}" if isinstance(result, list) else shortened(str(result))


def _range_text(noun: str, minimum: float | None, maximum: float | None, *, above: bool) -> str:
    if minimum is not None and maximum is not None:
        return f"{noun} from {minimum} to {maximum}"
    if minimum is not None:
        return f"{noun} above {minimum}" if above else f"{noun} of {minimum} or more"
    return noun
