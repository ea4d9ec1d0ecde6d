"""Where each value of a recipe comes from: a line of a file, an option, or a default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from cnncli.diagnostics import usage_error
from cnncli.language.merging import written_out
from cnncli.language.tree import Entries, Value
from cnncli.recipe.recipe import Recipe

DEFAULT: Final = "default"
DATA_OPTION: Final = "--data"
"""The origin of a source that is given apart from all other settings, at :data:`SOURCE`."""

_OPTION: Final = "--"
_SET: Final = "--set"

SOURCE: Final = (Recipe.keyword, "data", "source")
LIMIT: Final = (Recipe.keyword, "data", "limit")


class Setting(NamedTuple):
    """A value of a recipe, the keys that lead to it, and its origin: ``net.yaml:12``, ``--set``, ..."""

    path: tuple[str, ...]
    value: Any
    origin: str


def settings_of(recipe: Recipe, section: Value | None) -> Iterator[Setting]:
    """Yield every value of a recipe that was read from a section, in the order of the declarations.

    Args:
        recipe: what was read.
        section: what it was read from; None if everything is a default.
    """
    yield from _settings(recipe.plain(), section, (Recipe.keyword,))


def by_origin(settings: Iterable[Setting]) -> dict[str, tuple[str, ...]]:
    """Return the names of the settings that are not defaults, by the file or option that they come from."""
    found: dict[str, list[str]] = {}
    for each in settings:
        if each.origin != DEFAULT:
            found.setdefault(each.origin.rpartition(":")[0] or each.origin, []).append(
                ".".join(each.path[1:])
            )
    return {origin: tuple(names) for origin, names in found.items()}


def check_length(settings: Iterable[Setting]) -> None:
    """Check that a training has one length; an option with FLOPs may replace the epochs of a file.

    Raises:
        UsageError: it has epochs and FLOPs.
    """
    origins = {each.path[1]: each.origin for each in settings if each.origin != DEFAULT}
    epochs, flops = origins.get("epochs"), origins.get("flops")
    if epochs is None or flops is None:
        return
    if epochs.startswith(_OPTION) or epochs.rpartition(":")[0] == flops.rpartition(":")[0]:
        raise usage_error(
            f"{Recipe.keyword}.epochs and {Recipe.keyword}.flops are both the length of the training",
            expected="one of them",
            received=f"train.epochs of {epochs} and train.flops of {flops}",
            hint="train.flops=null takes it back",
        )


def check_once(settings: Iterable[Setting], option: str, path: tuple[str, ...]) -> None:
    """Check that a setting that has an ``option`` of its own, as it was typed, is not given by --set as well.

    Raises:
        UsageError: it is, so one of the two would have no effect.
    """
    for each in settings:
        if each.path == path and each.origin == _SET:
            name = ".".join(path)
            raise usage_error(
                f"{name} is given twice",
                expected=f"{option.split(maxsplit=1)[0]} or {_SET}",
                received=f"{option} and {_SET} {name}={each.value}",
            )


def _settings(values: Mapping[str, Any], section: Value | None, path: Sequence[str]) -> Iterator[Setting]:
    whole = None if section is None else written_out(section, path)
    for name, value in values.items():
        written = whole.get(name) if isinstance(whole, Entries) else None
        below = (*path, name)
        if isinstance(value, Mapping) and value:
            yield from _settings(value, written, below)
        else:
            yield Setting(below, value, DEFAULT if written is None else _place(written))


def _place(value: Value) -> str:
    """Return the file and line of a value; of an option only its name."""
    source, line, *_ = value.location
    return source.name if source.name.startswith((_OPTION, "<")) else f"{source.name}:{line}"
