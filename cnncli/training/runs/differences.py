"""What is different between values that have the same names, such as the settings of runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cnncli.diagnostics import listing


def differing(values: Sequence[Any], path: str = "") -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield the paths of what is different in several JSON values, each with its values; None for no value.

    >>> dict(differing([{"a": 1, "b": {"c": [1, 2]}}, {"a": 1, "b": {"c": [1, 3]}}]))
    {'b.c.1': (2, 3)}
    """
    for name in dict.fromkeys(key for each in values for key in each):
        here, found = f"{path}{name}", tuple(each.get(name) for each in values)
        if all(each == found[0] for each in found):
            continue
        parts = [_named(each) for each in found]
        if all(parts) and set[str]().union(*parts).intersection(*parts) and _as_long(found):
            yield from differing(parts, f"{here}.")
        else:
            yield here, found


def brief(value: object) -> str:
    """Return a value; of a mapping, such as another optimizer or head, only its keys."""
    if isinstance(value, Mapping):
        return listing([*value]) or "nothing"
    return "nothing" if value is None else str(value)


def _named(value: Any) -> Mapping[str, Any]:
    """Return a mapping, or a list as one from numbers; an empty one for any other value."""
    if isinstance(value, list | tuple):
        return {str(number): each for number, each in enumerate(value)}
    return value if isinstance(value, Mapping) else {}


def _as_long(values: Sequence[Any]) -> bool:
    """Return whether the items of lists can be compared one by one, since there are equally many."""
    return len({len(each) if isinstance(each, list | tuple) else -1 for each in values}) == 1
