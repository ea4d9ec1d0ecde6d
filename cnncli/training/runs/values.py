"""Values read from the JSON of a run: each has the type and range that it was written with, or is refused."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection
from typing import Any, Final, NoReturn, TypeVar

from cnncli.limits import MAX_QUOTED
from cnncli.recipe.metrics import PARTS, metric_of

T = TypeVar("T")

LARGEST: Final = 1 << 62
"""The largest whole number: counts of images and steps fit the 64-bit integers of tensors."""

LARGEST_FIGURE: Final = 1e300

_FIGURE: Final = re.compile(rf"({'|'.join(PARTS)})(\.[\w-]+)+")
"""The name of a figure of a run."""


class DamagedError(ValueError):
    """A value is not one that a run contains."""


def parse_json(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is not JSON; NaN and Infinity, which Python would accept, are not, and neither is a
            number such as 1e999, of which Python would make one of them.
        RecursionError: it is nested too deeply.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def members(value: Any, name: str, names: Collection[str]) -> dict[str, Any]:
    """Return a mapping that has exactly these keys."""
    if not isinstance(value, dict):
        raise DamagedError(f"{name} is not a mapping")
    for key in (*names, *value):
        if key not in names:
            raise DamagedError(f"{name} has an unknown key {key!r}")
        if key not in value:
            raise DamagedError(f"{name} has no {key}")
    return value


def text(value: Any, name: str) -> str:
    """Return a string."""
    if not isinstance(value, str):
        raise DamagedError(f"{name} is not a string")
    return value


def whole(value: Any, name: str, least: int = 0, most: int = LARGEST) -> int:
    """Return a whole number in a range."""
    if type(value) is not int or not least <= value <= most:
        raise DamagedError(f"{name} is not a whole number of {least:,} or more")
    return value


def number(value: Any, name: str, least: float = -math.inf, most: float = math.inf) -> float:
    """Return a finite number in a range, both ends included."""
    found = math.nan
    if type(value) in (int, float):
        try:
            found = float(value)
        except OverflowError:
            found = math.inf
    if not (math.isfinite(found) and least <= found <= most):
        raise DamagedError(f"{name} is not a number from {least:g} to {most:g}")
    return found


def several(value: Any, name: str, read: Callable[[Any, str], T]) -> tuple[T, ...]:
    """Return a list whose items are read one by one."""
    if not isinstance(value, list):
        raise DamagedError(f"{name} is not a list")
    return tuple(read(each, f"{name}[{place}]") for place, each in enumerate(value))


def figures(value: Any, name: str) -> dict[str, float]:
    """Return the figures of an epoch or an outcome; those of another version may have other names."""
    if not isinstance(value, dict):
        raise DamagedError(f"{name} is not a mapping")
    return {figure: _figure(each, figure, name) for figure, each in value.items()}


def is_figure(name: str) -> bool:
    """Return whether a name is that of a figure of some part of the data."""
    return _FIGURE.fullmatch(name) is not None


def _figure(value: Any, figure: str, name: str) -> float:
    if not is_figure(figure):
        raise DamagedError(f"{name} has an unknown key {figure!r}")
    metric = metric_of(figure)
    least, most = max(metric.least, -LARGEST_FIGURE), min(metric.most, LARGEST_FIGURE)
    return number(value, f"{name}.{figure}", least, most)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        _refuse(digits if len(digits) <= MAX_QUOTED else f"{digits[:MAX_QUOTED]}...")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number in JSON")
