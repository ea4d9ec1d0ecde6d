"""A file merged over the one that it extends, and options merged over both.

Mappings are merged key by key, and all else is replaced. A value in a short form is written out first: of
``optimizer: {sgd: {lr: 0.1}}`` over ``optimizer: sgd`` all settings remain. If a value has one of several
names, such as an optimizer, another name replaces it. The readers of a section say which values those are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cnncli.language.readers import ANY, Reader, ShortForms
from cnncli.language.tree import Entries, Items, Scalar, Value

_SECTIONS: Final[dict[str, Reader[Any]]] = {}


def declare(section: str, reader: Reader[Any]) -> None:
    """Make the short forms in a section known, by the reader of its value."""
    _SECTIONS[section] = reader


def merged(base: Entries, over: Entries, path: Sequence[str] = ()) -> Entries:
    """Return ``base`` with ``over`` merged into it; ``path`` are the keys that lead to both."""
    names = _short_forms(path).names
    chosen = any(key in names for key in over)
    pairs = {key: value for key, value in base.items() if not chosen or key not in names or key in over}
    for key, value in over.items():
        below = pairs.get(key)
        pairs[key] = value if below is None else merged_value(below, value, (*path, key))
    return Entries(pairs, base.keys_at | over.keys_at, over.place)


def merged_value(below: Value, value: Value, path: Sequence[str]) -> Value:
    """Return one value merged over another; ``path`` leads to both."""
    lower, upper = written_out(below, path), written_out(value, path)
    return merged(lower, upper, path) if isinstance(lower, Entries) and isinstance(upper, Entries) else value


def written_out(value: Value, path: Sequence[str]) -> Value:
    """Return the value at a path without short forms: ``sgd`` as ``{sgd: {}}``, a bare one below its key."""
    if isinstance(value, Entries):
        return value
    if isinstance(value, Items):
        main = _short_forms(path).main
        return _mapping(value, Scalar(main, True, *value.location), value) if main else value
    if value.is_null:
        # What a name without arguments has: optimizer: {sgd: }.
        return _mapping(value) if path[-1] in _short_forms(path[:-1]).names else value
    main, names = _short_forms(path)
    if value.text in names:
        return _mapping(value, value, _mapping(value))
    if main:
        return _mapping(value, Scalar(main, True, *value.location), value)
    return value


def _mapping(at: Scalar | Items, key: Scalar | None = None, value: Value | None = None) -> Entries:
    """Return a mapping with one entry or none, in the place of ``at``."""
    if key is None or value is None:
        return Entries({}, {}, at.location)
    return Entries({key.text: value}, {key.text: key}, at.location)


def _short_forms(path: Sequence[str]) -> ShortForms:
    reader = _SECTIONS.get(path[0]) if path else None
    for key in path[1:]:
        if reader is None:
            break
        reader = reader.within.get(key) or reader.within.get(ANY)
    return reader.short_forms if reader is not None else ShortForms()
