"""The page of ``cnncli cut``: what a part of a network reads and computes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from cnncli.diagnostics import listing
from cnncli.layers import shape_text
from cnncli.report.page import Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import exact
from cnncli.results.cutting import Cut

SCHEMA: Final = "cnncli.cut/1"


def page(found: Cut) -> Page:
    """Return the page."""
    return Page(printable(found.name), partial(_sections, found), partial(_document, found))


def _sections(found: Cut, _: int | None) -> Iterator[Section]:
    shapes = {"input": found.input_shape} | found.outputs
    table = Table(
        (
            Column("value", [printable(name) for name in shapes]),
            Column("shape", [shape_text(shape) for shape in shapes.values()], right=True),
        )
    )
    yield (table, Text((f"{exact(found.layers)} layers, {exact(found.params)} parameters",)))
    if found.dropped:
        yield (Text((f"outputs that do not depend on {found.node}: {listing(found.dropped)}",), "note"),)
    if found.path is not None:
        options = shlex.join(("--from", "RUN", *(each for name in found.reset for each in ("--reset", name))))
        lead = "it, and a spec that extends it, begin with the weights of a run of the whole network with:"
        yield (
            Text((f"written to {printable(found.path)}",), "good"),
            Text((lead, f"  {printable(options)}"), "note"),
        )


def _document(found: Cut) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": found.name,
        "spec": found.spec,
        found.side: found.node,
        "input": list(found.input_shape),
        "outputs": {name: list(shape) for name, shape in found.outputs.items()},
        "dropped": list(found.dropped),
        "layers": found.layers,
        "params": found.params,
        "reset": list(found.reset),
        "written": found.path,
        "text": found.text,
    }
