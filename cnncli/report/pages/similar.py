"""The page of ``cnncli similar``: the nearest images of each image."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from cnncli.diagnostics import counted
from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.results.looking import Query, Similar

SCHEMA: Final = "cnncli.similar/1"


def page(found: Similar) -> Page:
    """Return the page."""
    images, layer = counted(found.images, "image"), printable(found.layer)
    title = f"{printable(found.name)}: nearest of {images} in {layer}"
    what = f"searched: {found.what}"
    lead = (Text(tuple(map(printable, (what, *found.notes))), "note"),)
    return Page(title, partial(_sections, found), partial(_document, found), _same(found), lead)


def _same(found: Similar) -> Answer | None:
    """Return how many neighbors have the class of their image; None if no class is known."""
    pairs = [(each.label, near.label) for each in found.queries if each.label for near in each.neighbors]
    if not pairs:
        return None
    same = sum(own == near for own, near in pairs)
    line = f"{same:,} of {counted(len(pairs), 'neighbor')} have the class of their image"
    return Answer((line,), good=None)


def _sections(found: Similar, _: int | None) -> Iterator[Section]:
    for query in found.queries:
        label = f", {printable(query.label)}" if query.label else ""
        yield Text((f"{printable(query.image)}{label}",), "heading"), _table(query)
    if found.written is not None:
        yield (Text((f"drawn to {printable(str(found.written))}",), "good"),)


def _table(query: Query) -> Table:
    near = query.neighbors
    columns = [
        Column("distance", [f"{each.distance:.5g}" for each in near], right=True),
        Column("image", [f"{each.number:,}" for each in near], right=True),
    ]
    if any(each.label for each in near):
        columns.append(Column("class", [printable(each.label) or "-" for each in near], cut=True))
    if any(each.file for each in near):
        columns.append(Column("file", [printable(each.file) for each in near], cut=True))
    return Table(tuple(columns))


def _document(found: Similar) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": found.name,
        "weights": str(found.weights),
        "layer": found.layer,
        "pool": found.pool or None,
        "images": found.images,
        "what": found.what,
        "notes": list(found.notes),
        "queries": [
            {
                "image": each.image,
                "class": each.label or None,
                "neighbors": [
                    {
                        "image": near.number,
                        "distance": near.distance,
                        "class": near.label or None,
                        "file": near.file or None,
                    }
                    for near in each.neighbors
                ],
            }
            for each in found.queries
        ],
        "output": None if found.written is None else str(found.written),
    }
