"""The page of ``cnncli import``: what was written, and what was compared."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from cnncli.diagnostics import counted, listing
from cnncli.layers import shape_text
from cnncli.limits import MAX_TABLE_ROWS
from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.results.importing import Import

SCHEMA: Final = "cnncli.import/1"


def page(found: Import) -> Page:
    """Return the page."""
    title = f"{printable(found.name)}: input {shape_text(found.input_shape)}, from {printable(found.source)}"
    written = f"written to {printable(str(found.spec))} and {printable(str(found.weights))}"
    answer = Answer((written,), good=True)
    return Page(title, partial(_sections, found), partial(_document, found), answer, tuple(_lead(found)))


def _lead(found: Import) -> Iterator[Text]:
    """Yield what was compared, and the notes."""
    lines = [f"shapes: equal for {counted(found.layers, 'layer')}"]
    if found.difference is None:
        lines.append(f"outputs: not compared, {found.uncompared}")
    else:
        lines.append(f"outputs: differ by {found.difference:.1e} of the largest value")
    yield Text((*lines, *map(printable, found.notes)), "note")


def _sections(found: Import, _: int | None) -> Iterator[Section]:
    layers, params = counted(found.layers, "layer"), counted(found.params, "parameter")
    words = [f"{layers}, {params} in {counted(found.tensors, 'tensor')}"]
    if found.blocks:
        uses = [f"{printable(name)} ({count})" for name, count in found.blocks.items()]
        words.append(f"blocks: {listing(uses)}")
    yield (Text(tuple(words)),)
    if found.renamed:
        shown = dict(list(found.renamed.items())[:MAX_TABLE_ROWS])
        heading = f"{counted(len(found.renamed), 'tensor')} with another name"
        names = Column("in the spec", [printable(name) for name in shown], cut=True)
        sources = Column("before", [printable(name) or "-" for name in shown.values()], cut=True)
        yield (Text((heading,), "heading"), Table((names, sources)))
    spec, weights = shlex.quote(str(found.spec)), shlex.quote(str(found.weights))
    yield (Text(("next:", f"  cnncli inspect {spec}", f"  cnncli train {spec} --from {weights}"), "note"),)


def _document(found: Import) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": found.name,
        "source": found.source,
        "spec": str(found.spec),
        "weights": str(found.weights),
        "input": list(found.input_shape),
        "layers": found.layers,
        "params": found.params,
        "tensors": found.tensors,
        "blocks": dict(found.blocks),
        "renamed": dict(found.renamed),
        "difference": found.difference,
        "uncompared": found.uncompared or None,
        "notes": list(found.notes),
    }
