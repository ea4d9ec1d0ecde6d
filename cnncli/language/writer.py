"""Document -> YAML text with ``extends`` and ``--set`` resolved, which a run keeps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import yaml

from cnncli.language.document import Document
from cnncli.language.tree import Entries, Items, Scalar, Value


def plain_yaml(sections: Mapping[str, object]) -> str:
    """Return the text of a spec whose sections are plain values: mappings, lists, texts and numbers."""
    text: str = yaml.safe_dump(
        dict(sections), sort_keys=False, default_flow_style=None, allow_unicode=True, width=100
    )
    return text


def flow(value: object) -> str:
    """Return the text of a plain value on one line; of a mapping or a list, null is written as nothing."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10**9
    )
    # A scalar alone ends with the mark of a document's end.
    return text.removesuffix("\n").removesuffix("\n...").replace(": null,", ": ,").replace(": null}", ": }")


def to_yaml(document: Document) -> str:
    """Return the text of a self-contained spec that is equivalent to the document."""
    entries = document.entries
    if "name" not in entries:
        key = Scalar("name", True, document.source, 1, 1, 1)
        name = Scalar(document.name.replace("$", "$$"), False, document.source, 1, 1, 1)
        entries = Entries({"name": name, **entries.pairs}, {"name": key, **entries.keys_at}, entries.place)
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
        yield _scalar(value)
    elif isinstance(value, Items):
        yield yaml.SequenceStartEvent(None, None, implicit=True, flow_style=_is_small(value))
        for each in value:
            yield from _events(each, depth + 1)
        yield yaml.SequenceEndEvent()
    else:
        yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=depth > 0 and _is_small(value))
        for key, each in value.items():
            yield _scalar(value.keys_at[key])
            yield from _events(each, depth + 1)
        yield yaml.MappingEndEvent()


def _scalar(value: Scalar) -> yaml.Event:
    # "null" in full: the emitter would quote an empty scalar, which makes it a string.
    text = "null" if value.is_null else value.text
    return yaml.ScalarEvent(None, None, (value.plain, True), text, style=None if value.plain else '"')


def _is_small(value: Value) -> bool:
    """Return whether a collection is readable on one line."""
    return value.size <= 12
