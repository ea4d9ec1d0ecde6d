"""Expressions that make modules, and how they are written on lines of a limited length.

Lines break as Ruff breaks them: what is in brackets on a line of its own, or else every item on one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

WIDTH: Final = 88
"""The longest line, which is the usual one of Ruff and Black."""


class Brackets(NamedTuple):
    """What begins with an opening bracket, its items, and the closing bracket."""

    opening: str
    items: tuple[Document, ...]
    closing: str


class Generated(NamedTuple):
    """Equal items of a call: ``*(item for _ in range(count))``."""

    item: Document
    times: int


Document: TypeAlias = str | Brackets | Generated


class Formula(NamedTuple):
    """A value of a constructor that is computed from its parameters, as text."""

    text: str


REQUIRED: Final = object()
"""The default of an argument without one."""


class Arg(NamedTuple):
    """An argument of a constructor; what equals its default is not written."""

    name: str
    value: Any
    default: Any = REQUIRED
    positional: bool = False


class Call(NamedTuple):
    """The call of a constructor."""

    function: str
    arguments: tuple[Arg, ...]


class Chain(NamedTuple):
    """Modules that are called one after another: an ``nn.Sequential``, with their names."""

    items: tuple[tuple[str, Module], ...]

    @property
    def numbered(self) -> bool:
        """Whether names are 0, 1, 2, ..."""
        return [name for name, _ in self.items] == [str(number) for number in range(len(self.items))]


Module: TypeAlias = Call | Chain


def arguments_of(module: Module) -> Iterator[Arg]:
    """Yield the arguments of all constructors of a module, in the order of its text."""
    if isinstance(module, Chain):
        for _, item in module.items:
            yield from arguments_of(item)
    else:
        yield from module.arguments


def with_values(module: Module, values: Iterator[Any]) -> Module:
    """Return a module with other values of its arguments."""
    if isinstance(module, Chain):
        return Chain(tuple((name, with_values(item, values)) for name, item in module.items))
    return Call(module.function, tuple(arg._replace(value=next(values)) for arg in module.arguments))


def without_values(module: Module) -> Any:
    """Return what modules have in common that differ in the values of arguments only."""
    if isinstance(module, Chain):
        return tuple((name, without_values(item)) for name, item in module.items)
    return module.function, tuple(arg.name for arg in module.arguments)


def document(module: Module) -> Document:
    """Return the expression that makes a module."""
    if isinstance(module, Call):
        written = (arg for arg in module.arguments if arg.value != arg.default)
        return Brackets(f"{module.function}(", tuple(map(_argument, written)), ")")
    if module.numbered:
        return Brackets("nn.Sequential(", tuple(_runs([document(item) for _, item in module.items])), ")")
    pairs = (Brackets("(", (f'"{name}"', document(item)), ")") for name, item in module.items)
    return Brackets(
        "nn.Sequential(", (Brackets("OrderedDict(", (Brackets("[", tuple(pairs), "]"),), ")"),), ")"
    )


def _argument(arg: Arg) -> Document:
    value = literal(arg.value)
    if arg.positional:
        return value
    if isinstance(value, str):
        return f"{arg.name}={value}"
    assert isinstance(value, Brackets)
    return value._replace(opening=f"{arg.name}={value.opening}")


def literal(value: Any) -> Document:
    """Return the text of a number, a word, a formula, or a tuple of such."""
    if isinstance(value, Formula):
        return value.text
    if isinstance(value, tuple):
        items = tuple(map(literal, value))
        return Brackets("(", items, ",)" if len(items) == 1 else ")")
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return f'float("{value}")'
    return repr(value)


def _runs(items: Sequence[Document]) -> Iterator[Document]:
    """Yield items, with those that are equal to the one before in a loop."""
    place = 0
    while place < len(items):
        end = place
        while end < len(items) and items[end] == items[place]:
            end += 1
        yield Generated(items[place], end - place) if end - place > 1 else items[place]
        place = end


def flat(written: Document) -> str:
    """Return an expression on one line."""
    if isinstance(written, str):
        return written
    if isinstance(written, Generated):
        return f"*({flat(written.item)} for _ in range({written.times}))"
    return f"{written.opening}{', '.join(map(flat, written.items))}{written.closing}"


def lines(before: str, written: Document, after: str, indent: int) -> Iterator[str]:
    """Yield the lines of an expression with what is before and after it on the line."""
    space = " " * indent
    whole = f"{space}{before}{flat(written)}{after}"
    if len(whole) <= WIDTH or isinstance(written, str):
        yield whole
    elif isinstance(written, Generated):
        yield f"{space}{before}*("
        yield from lines("", written.item, "", indent + 4)
        yield f"{space}    for _ in range({written.times})"
        yield f"{space}){after}"
    else:
        yield f"{space}{before}{written.opening}"
        joined = f"{space}    {', '.join(map(flat, written.items))}"
        if len(joined) <= WIDTH and written.closing != ",)":
            yield joined
        else:
            lone = len(written.items) == 1 and isinstance(written.items[0], Generated)
            for item in written.items:
                yield from lines("", item, "" if lone else ",", indent + 4)
        yield f"{space}{written.closing.removeprefix(',')}{after}"
