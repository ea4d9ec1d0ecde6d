"""The arguments of a block: the numbers in which the groups differ that are uses of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cnncli.layers import Kind
from cnncli.limits import MAX_CHANNEL_FACTOR

_LEFT_OUT: Final = object()

_COUNTS: Final = ("channels", "features")


REQUIRED: Final = object()
"""The default of an argument without one."""


class Slot(NamedTuple):
    """A value of an argument, in which uses of a block may differ; one that is the default is not written."""

    value: Any
    default: Any = REQUIRED


def slots(layer: Kind[Any]) -> dict[str, Slot]:
    """Return all arguments of a layer, as a spec contains them."""
    plain = layer.plain()
    return {
        name: Slot(plain.get(name), _plain_default(declared)) for name, declared in layer.arguments.items()
    }


def _plain_default(declared: Any) -> Any:
    """Return the default of an argument as a spec contains it."""
    if declared.required:
        return REQUIRED
    return None if declared.default is None else declared.reader.plain(declared.default)


def slots_of(body: Any, key: str = "") -> Iterator[tuple[str, Slot]]:
    """Yield the names and slots of all arguments in layers, in their order."""
    if isinstance(body, Slot):
        yield key, body
    elif isinstance(body, dict):
        for name, each in body.items():
            yield from slots_of(each, name)
    elif isinstance(body, list):
        for each in body:
            yield from slots_of(each, key)


def blank(body: Any) -> Any:
    """Return layers without the values of arguments: what the uses of a block have in common."""
    if isinstance(body, Slot):
        return Slot if _varies(body.value) else (Slot, body.value)
    if isinstance(body, dict):
        return tuple((key, blank(value)) for key, value in body.items())
    if isinstance(body, list):
        return tuple(map(blank, body))
    return body


def filled(body: Any, values: Any) -> Any:
    """Return layers with other values of arguments, one after another; with their own if there are none."""
    if isinstance(body, Slot):
        value = next(values) if values else body.value
        return _LEFT_OUT if _same(value, body.default) else value
    if isinstance(body, dict):
        written = {key: filled(value, values) for key, value in body.items()}
        return {key: value for key, value in written.items() if value is not _LEFT_OUT}
    if isinstance(body, list):
        return [filled(value, values) for value in body]
    return body


def _varies(value: Any) -> bool:
    """Return whether a value may be an argument of a block: a number, or several."""
    if isinstance(value, list):
        return all(map(_varies, value))
    return isinstance(value, int | float) and not isinstance(value, bool)


class Block(NamedTuple):
    """A block: its name, its layers in terms of its arguments, and the values of those in each use."""

    name: str
    layers: list[Any]
    columns: Mapping[str, tuple[Any, ...]]
    defaults: Mapping[str, Any]
    skips: tuple[str, ...]

    @classmethod
    def of(cls, name: str, bodies: Sequence[list[Any]]) -> Block:
        """Return the block of which bodies are uses.

        All have the same :func:`blank`.
        """
        first = list(slots_of(bodies[0]))
        columns = list(zip(*([slot.value for _, slot in slots_of(body)] for body in bodies), strict=True))
        arguments: dict[str, tuple[Any, ...]] = {}
        defaults: dict[str, Any] = {}
        values: list[Any] = []
        for (key, slot), column in zip(first, columns, strict=True):
            values.append(_written(key, column, arguments))
            if key in arguments and key not in defaults:
                defaults[key] = slot.default if slot.default in column else REQUIRED
        layers = filled(bodies[0], iter(values))
        return cls(name, layers, arguments, defaults, tuple(sorted(_skips(layers))))

    def arguments(self, place: int) -> dict[str, Any]:
        """Return the arguments of a use."""
        return {
            name: Slot(column[place], self.defaults.get(name, REQUIRED))
            for name, column in self.columns.items()
        }

    def section(self) -> dict[str, Any]:
        """Return the block as a spec contains it."""
        required = [name for name in self.columns if self.defaults.get(name, REQUIRED) is REQUIRED]
        others = {name: value for name, value in self.defaults.items() if value is not REQUIRED}
        names = {**dict.fromkeys((*required, *self.skips)), **others}
        arguments = {"args": names} if names else {}
        return {**arguments, "layers": self.layers}


def _written(key: str, column: tuple[Any, ...], arguments: dict[str, tuple[Any, ...]]) -> Any:
    """Return an argument of a layer in terms of those of its block, to which a new one may be added."""
    if all(_same(value, column[0]) for value in column):
        return column[0]
    for name, values in arguments.items():
        if all(map(_same, values, column)):
            return name
        times = _ratio(column, values) if key in _COUNTS and name.endswith(_COUNTS) else None
        if times is not None:
            return f"{name}*{times}"
    name, number = key, 2
    while name in arguments:
        name, number = f"{key}{number}", number + 1
    arguments[name] = column
    return name


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _ratio(column: tuple[Any, ...], values: tuple[Any, ...]) -> int | None:
    """Return the whole number by which all values are to be multiplied."""
    if not all(type(each) is int and each > 0 for each in (*column, *values)):
        return None
    times = column[0] // values[0]
    fits = 1 < times <= MAX_CHANNEL_FACTOR and all(
        a == b * times for a, b in zip(column, values, strict=True)
    )
    return times if fits else None


def _skips(body: Any) -> set[str]:
    """Return the arguments that name values."""
    if isinstance(body, str):
        return {body.removeprefix("$")} if body.startswith("$skip") else set()
    if isinstance(body, dict):
        return set().union(*map(_skips, body.values()))
    return set().union(*map(_skips, body)) if isinstance(body, list) else set()
