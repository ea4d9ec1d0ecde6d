"""A file merged over the one that it extends, and options merged over both.

Mappings are merged key by key, and all else is replaced. A value in a short form is written out first: of
``optimizer: {sgd: {lr: 0.1}}`` over ``optimizer: sgd`` all settings remain. If a value has one of several
names, such as an optimizer, another name replaces it. The readers of a section say which values those are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from cnncli.language.fields import Record
from cnncli.language.readers import ANY, Reader
from cnncli.language.tree import Entries, Scalar, Value


class Form(NamedTuple):
    """The short forms of a value: a bare value for the key ``main``, or one of ``words``."""

    main: str = ""
    words: Collection[str] = ()


_FORMS: Final[dict[tuple[str, ...], Form]] = {}


def declare(section: type[Record]) -> None:
    """Make the short forms in a section known, by the readers of its record."""
    _FORMS.update(_forms(section, (section.keyword,)))


def _forms(record: type[Record], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Form]]:
    for name, declared in record.arguments.items():
        yield from _forms_of(declared.reader, (*path, name))


def _forms_of(reader: Reader[object], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Form]]:
    main, words = reader.short_forms
    if main or words:
        yield path, Form(main, words)
    for name, each in reader.within:
        yield from _forms_of(each, (*path, name))


def merged(base: Entries, over: Entries, path: Sequence[str] = ()) -> Entries:
    """Return ``base`` with ``over`` merged into it; ``path`` are the keys that lead to both."""
    words = _form(path).words
    chosen = any(key in words for key in over)
    pairs = {key: value for key, value in base.items() if not chosen or key not in words or key in over}
    for key, value in over.items():
        below = pairs.get(key)
        pairs[key] = value if below is None else _merged_value(below, value, (*path, key))
    return Entries(pairs, base.keys_at | over.keys_at, over.place)


def _merged_value(below: Value, value: Value, path: Sequence[str]) -> Value:
    lower, upper = written_out(below, path), written_out(value, path)
    return merged(lower, upper, path) if isinstance(lower, Entries) and isinstance(upper, Entries) else value


def written_out(value: Value, path: Sequence[str]) -> Value:
    """Return a value without short forms: ``sgd`` as ``{sgd: {}}``, a bare value below its key."""
    if not path:
        return value
    form = _form(path)
    if not isinstance(value, Scalar):
        return value
    if value.is_null:
        # What a name without arguments has: optimizer: {sgd: }.
        return _mapping({}, value) if path[-1] in _form(path[:-1]).words else value
    if value.text in form.words:
        return _mapping({value.text: (value, _mapping({}, value))}, value)
    if form.main:
        return _mapping({form.main: (Scalar(form.main, True, *value.location), value)}, value)
    return value


def _mapping(entries: dict[str, tuple[Scalar, Value]], at: Scalar) -> Entries:
    pairs = {key: value for key, (_, value) in entries.items()}
    keys = {key: place for key, (place, _) in entries.items()}
    return Entries(pairs, keys, (at.location.source, *at.location[1:]))


def _form(path: Sequence[str]) -> Form:
    exact = tuple(path)
    return _FORMS.get(exact) or _FORMS.get((*exact[:-1], ANY)) or Form()
