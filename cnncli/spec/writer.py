"""A document back to YAML text: what a run keeps, with ``extends`` and ``--set`` resolved."""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from cnncli.spec.document import Document
from cnncli.spec.tree import Entries, Items, Scalar, Value


def to_yaml(document: Document) -> str:
    """The text of one self-contained spec that means the same as the document."""
    entries = document.entries
    if "name" not in entries:
        name = Scalar(document.name, False, document.source, 1, 1, 1)
        entries = Entries({"name": name, **entries.pairs}, entries.keys_at, (*entries.location[:3], 1))
    events: list[yaml.Event] = [
        yaml.StreamStartEvent(),
        yaml.DocumentStartEvent(explicit=False),
        *_events(entries, depth=0),
        yaml.DocumentEndEvent(explicit=False),
        yaml.StreamEndEvent(),
    ]
    return str(yaml.emit(events, allow_unicode=True, width=100))


def _events(value: Value, depth: int) -> Iterator[yaml.Event]:
    if isinstance(value, Scalar):
        yield _scalar(value.text, plain=value.plain)
    elif isinstance(value, Items):
        yield yaml.SequenceStartEvent(None, None, implicit=True, flow_style=_is_small(value))
        for each in value:
            yield from _events(each, depth + 1)
        yield yaml.SequenceEndEvent()
    else:
        yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=depth > 0 and _is_small(value))
        for key, each in value.items():
            yield _scalar(key, plain=True)
            yield from _events(each, depth + 1)
        yield yaml.MappingEndEvent()


def _scalar(text: str, *, plain: bool) -> yaml.Event:
    return yaml.ScalarEvent(None, None, (plain, True), text, style=None if plain else '"')


def _is_small(value: Value) -> bool:
    """Whether a collection reads well on one line."""
    return value.size <= 12
