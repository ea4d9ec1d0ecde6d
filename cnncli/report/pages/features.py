"""The page of ``cnncli features``: which vectors were written of which images."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from cnncli.diagnostics import counted
from cnncli.report.page import Page, Section, Text
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import exact
from cnncli.results.looking import Features

SCHEMA: Final = "cnncli.features/1"


def page(found: Features) -> Page:
    """Return the page."""
    title = f"{printable(found.name)}: features of {counted(found.images, 'image')}"
    lead = (Text(tuple(map(printable, found.notes)), "note"),) if found.notes else ()
    return Page(title, partial(_sections, found), partial(_document, found), lead=lead)


def _sections(found: Features, _: int | None) -> Iterator[Section]:
    layer = f"{found.layer}, {found.pool} over positions" if found.pool else found.layer
    rows = {
        "layer": printable(layer),
        "values of an image": exact(found.values),
        "images": printable(found.what),
        "classes": exact(len(found.classes)) if found.classes else "none",
        "weights": printable(found.weights.name),
    }
    yield (Text(tuple(f"{name}: {value}" for name, value in rows.items())),)
    yield (Text((f"written to {printable(str(found.written))}",), "good"),)


def _document(found: Features) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": found.name,
        "weights": str(found.weights),
        "layer": found.layer,
        "pool": found.pool or None,
        "images": found.images,
        "values": found.values,
        "what": found.what,
        "classes": list(found.classes),
        "notes": list(found.notes),
        "unreadable": [each.message for each in found.unreadable],
        "output": str(found.written),
    }
