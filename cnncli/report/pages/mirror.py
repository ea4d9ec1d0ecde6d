"""The page of ``cnncli mirror``: the decoder, and the sizes for which it restores the shape of the input."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from cnncli.layers import shape_text
from cnncli.report.page import Page, Section, Text
from cnncli.report.pages.sizes import size_texts
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import exact
from cnncli.results.mirroring import Mirror

SCHEMA: Final = "cnncli.mirror/1"

_RUN: Final = "denoised"
"""The run in the suggested commands."""


def page(found: Mirror) -> Page:
    """Return the page."""
    title = f"{printable(found.name)}: input {shape_text(found.input_shape)}"
    return Page(title, partial(_sections, found), partial(_document, found))


def _sections(found: Mirror, _: int | None) -> Iterator[Section]:
    layers = found.decoder
    total = exact(sum(layer.params for layer in layers))
    yield (
        Table(
            (
                Column("layer", [*(layer.name for layer in layers), "decoder"], cut=True),
                Column("kind", [*(layer.kind for layer in layers), ""]),
                Column("output", [*(shape_text(layer.output_shape) for layer in layers), ""], right=True),
                Column("parameters", [*(exact(layer.params) for layer in layers), total], right=True),
            ),
            totals=1,
        ),
    )
    if found.sizes is not None:
        heading = "accepted sizes, for which the output has the shape of the input"
        yield (Text((heading,), "heading"), *size_texts(found.sizes))
    if found.path is not None:
        resets = " ".join(f"--reset {shlex.quote(each)}" for each in found.reset)
        commands = (
            f"cnncli train {shlex.quote(found.path)} --run {_RUN}",
            f"cnncli train {shlex.quote(found.spec)} --from {_RUN} {resets}",
        )
        lines = tuple(f"  {printable(each)}" for each in commands)
        yield (
            Text((f"written to {printable(found.path)}",), "good"),
            Text(("to learn without labels, then from them:", *lines), "note"),
        )


def _document(found: Mirror) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": found.name,
        "spec": found.spec,
        "until": found.until,
        "input": list(found.input_shape),
        "code": list(found.code_shape),
        "decoder": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "output": list(layer.output_shape),
                "params": layer.params,
            }
            for layer in found.decoder
        ],
        "reset": list(found.reset),
        "written": found.path,
        "text": found.text,
    }
