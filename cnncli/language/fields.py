"""Records with declared fields: the single source of parsing, messages and documentation.

``arg`` declares a field of a :class:`Record` with its reader (:mod:`.readers`), its help text and its
default. Kinds, training settings and budgets are all records.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, ClassVar, Final, Generic, Self, TypeVar, dataclass_transform, overload

from cnncli.diagnostics import Diagnostic, Location, SpecError, did_you_mean, nearest
from cnncli.language.readers import Reader
from cnncli.language.scope import Argument
from cnncli.language.tree import Entries, Value, brief
from cnncli.limits import MAX_FAULTS

T = TypeVar("T")
D = TypeVar("D")

REQUIRED: Final[Any] = object()
_SAME: Final[Any] = object()


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
    """Declare a field of a record; ``main`` marks the one that gets a bare value."""
    return Arg(reader, text, default, main=main)


def same_arg(record: type[Record], name: str, *, default: object = _SAME) -> Any:
    """Declare a field like that of another record, if need be with another default."""
    declared = record.arguments[name]
    return Arg(declared.reader, declared.help, declared.default if default is _SAME else default, main=False)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(arg, same_arg))
class Record:
    """A frozen value whose fields are declared with :func:`arg`.

    A field that a spec calls by a word of Python's own, such as ``from``, is declared as ``from_``.

    Not a dataclass: a dataclass compiles several functions for every class, and for fifty kinds that would be
    a noticeable part of a command's time.
    """

    arguments: ClassVar[Mapping[str, Arg[Any]]] = {}
    required: ClassVar[frozenset[str]] = frozenset()
    main_argument: ClassVar[str | None] = None
    """The field that gets a bare value."""
    keyword: ClassVar[str] = ""
    """The name of this class of records in messages."""
    member: ClassVar[str] = "argument"
    """The word for a field of this class of records in messages."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = {name: value for name, value in vars(cls).items() if isinstance(value, Arg)}
        for name in own:
            delattr(cls, name)
            if name.endswith("_"):
                setattr(cls, name, property(attrgetter(name.removesuffix("_"))))
        cls.arguments = {**cls.arguments, **{name.removesuffix("_"): own[name] for name in own}}
        cls.required = frozenset(name for name, declared in cls.arguments.items() if declared.required)
        cls.main_argument = next((name for name, declared in cls.arguments.items() if declared.main), None)

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

    def replaced(self, changes: Mapping[str, Any]) -> Self:
        """Return the record with new values for some fields."""
        return type(self)(**{**self.__dict__, **changes})

    def plain(self) -> dict[str, Any]:
        """Return the values as a spec contains them, of JSON's types; those that are None are left out."""
        values = ((name, declared, getattr(self, name)) for name, declared in self.arguments.items())
        return {name: declared.reader.plain(value) for name, declared, value in values if value is not None}

    @classmethod
    def words(cls) -> Collection[str]:
        """Return all words that may be given to a record of this class, for suggestions."""
        return cls.arguments.keys()

    @classmethod
    def read(cls, written: Mapping[str, Argument], where: Location) -> Self:
        """Read a record from written arguments.

        Raises:
            SpecError: with all errors: unknown, missing and wrong arguments.
        """
        faults: list[Diagnostic] = []
        values: dict[str, Any] = {}
        for name, argument in written.items():
            if len(faults) > MAX_FAULTS:
                break
            declared = cls.arguments.get(name)
            if declared is None:
                faults.append(cls._unknown(name, argument))
                continue
            try:
                values[name] = declared.reader.read(argument)
            except SpecError as error:
                faults.extend(_with_form(each, argument, declared) for each in error.diagnostics)
        if not written.keys() >= cls.required:
            faults.extend(cls._missing(written, where))
        if faults:
            raise SpecError(faults)
        return cls(**values)

    @classmethod
    def read_entries(cls, entries: Entries, scope: Any) -> Self:
        """Read a record from a mapping in a file."""
        written = {key: Argument(value, scope, entries.keys_at[key]) for key, value in entries.items()}
        return cls.read(written, entries.location)

    @classmethod
    def _unknown(cls, name: str, argument: Argument) -> Diagnostic:
        where = argument.key.location if argument.key is not None else argument.location
        hint = cls.elsewhere(name, argument) or did_you_mean(name, cls.words(), f"{cls.member}s", omits=True)
        hint = hint or f"it has no {cls.member}s"
        path = cls._path(name)
        if path:
            hint = f"{cls.keyword}: {inside(path, argument.value)}"
        if name.count(")") > name.count("("):
            hint = 'YAML splits an unquoted expression at its comma; quote it: "min(a, b)"'
        message = f"'{cls.keyword}' has no {cls.member} '{name}'"
        return Diagnostic("unknown-argument", message, where, hint=hint)

    @classmethod
    def elsewhere(cls, name: str, argument: Argument) -> str:
        """Return a hint for a name that belongs outside of the record; empty for all others."""
        del name, argument
        return ""

    @classmethod
    def _path(cls, name: str) -> tuple[str, ...]:
        """Return the keys that lead to the one that is meant, if it is inside of an argument."""
        readers = {outer: declared.reader for outer, declared in cls.arguments.items()}
        for outer, reader in readers.items():
            if name in reader.keys:
                return outer, name
            if name in reader.beneath:
                return outer, *reader.beneath[name], name
        for outer, reader in readers.items():
            own = nearest(name, reader.beneath)
            if own:
                return outer, *reader.beneath[own], own
        return ()

    @classmethod
    def _missing(cls, written: Iterable[str], where: Location) -> list[Diagnostic]:
        # A misspelled argument is not reported as missing too.
        unknown = islice((name for name in written if name not in cls.arguments), MAX_FAULTS)
        meant = {next(iter(cls._path(name)), None) or nearest(name, cls.arguments) for name in unknown}
        return [
            Diagnostic(
                "missing-argument", f"'{cls.keyword}' needs '{name}'", where, f"{name}: {declared.help}"
            )
            for name, declared in cls.arguments.items()
            if name in cls.required and name not in written and name not in meant
        ]


def inside(path: Sequence[str], value: Value) -> str:
    """Return the text of a value inside of mappings: ``{sgd: {lr: 0.1}}``."""
    text = brief(value)
    for key in reversed(path):
        text = f"{{{key}: {text}}}"
    return text


def _with_form(fault: Diagnostic, argument: Argument, declared: Arg[Any]) -> Diagnostic:
    """Return an error; if the whole value is an unknown name, with the form that the argument expects."""
    if fault.code == "unknown-name" and fault.location == argument.location and not fault.expected:
        return fault._replace(expected=declared.reader.expected)
    return fault
