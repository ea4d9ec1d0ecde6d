"""The page of ``cnncli identify``: the spec of a file of weights, or the nearest one and what differs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

from cnncli.layers import shape_text
from cnncli.limits import MAX_TABLE_ROWS
from cnncli.report.page import Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import exact
from cnncli.results.identifying import Identified, Match

SCHEMA: Final = "cnncli.identify/1"


def page(found: Identified) -> Page:
    """Return the page."""
    title = f"{printable(found.file)}: {exact(found.tensors)} tensors, {exact(found.parameters)} numbers"
    return Page(title, partial(_sections, found), partial(_document, found))


def _sections(found: Identified, _: int | None) -> Iterator[Section]:
    best = found.best
    if best.is_whole:
        yield (Text((f"{_named(best)}: every tensor is one of the network",), "good"), *_remarks(found))
    else:
        counts = f"{exact(best.matched)} of {exact(best.matched + best.differing)} tensors are equal"
        yield (Text((f"nearest: {_named(best)}: {counts}",), "warning"), *_remarks(found))
        yield _differences(best)
    if best.ambiguous:
        yield _ambiguous(best)
    if best.is_whole:
        lead = "to begin a training with it"
        rest = ", and a --map for each layer above" if best.ambiguous else ""
        yield (Text((f"{lead}{rest}:", f"  {printable(_command(found))}"), "note"),)


def _named(match: Match) -> str:
    values = ", ".join(f"{name}={_value(value)}" for name, value in match.variables.items())
    return printable(f"{match.spec} with {values}" if values else match.spec)


def _remarks(found: Identified) -> Iterator[Text]:
    best = found.best
    if best.channels is not None:
        yield Text((f"the channels of its input are {best.channels}: change 'input' in a copy of the spec",))
    if found.others:
        names = ", ".join(map(_named, found.others))
        yield Text((f"the tensors are also those of {names}, which computes something else",), "note")


def _differences(match: Match) -> Section:
    rows = [
        *((name, shape_text(before), shape_text(after)) for name, (before, after) in match.reshaped.items()),
        *((name, "missing", shape_text(shape)) for name, shape in match.missing.items()),
        *((name, shape_text(shape), "missing") for name, shape in match.left_over.items()),
    ]
    table = Table(
        (
            Column("tensor", [printable(name) for name, _, _ in rows[:MAX_TABLE_ROWS]], cut=True),
            Column("in the file", [before for _, before, _ in rows[:MAX_TABLE_ROWS]], right=True),
            Column("in the network", [after for _, _, after in rows[:MAX_TABLE_ROWS]], right=True),
        )
    )
    return (table, *_more(len(rows)))


def _ambiguous(match: Match) -> Section:
    rows = [*match.ambiguous.items()]
    table = Table(
        (
            Column("layer in the file", [printable(old) for old, _ in rows[:MAX_TABLE_ROWS]], cut=True),
            Column("may be", [printable(", ".join(names)) for _, names in rows[:MAX_TABLE_ROWS]], cut=True),
        )
    )
    said = "layers with the same tensors"
    if len({names[0] for _, names in rows}) == len(rows):
        said += "; the one at the same place in the order comes first"
    return (Text((said,), "heading"), table, *_more(len(rows)))


def _more(rows: int) -> Iterator[Text]:
    if rows > MAX_TABLE_ROWS:
        yield Text((f"and {rows - MAX_TABLE_ROWS} more; --format json has all of them",), "note")


def _command(found: Identified) -> str:
    best = found.best
    words = ["cnncli", "train", best.spec]
    for name, value in best.variables.items():
        words += ["--set", f"{name}={_value(value)}"]
    words += ["--from", found.file]
    for old, new in best.moves.items():
        words += ["--map", f"{old}={new}"]
    return shlex.join(words)


def _value(value: int | bool) -> str:
    return str(value).lower()


def _document(found: Identified) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "file": found.file,
        "tensors": found.tensors,
        "numbers": found.parameters,
        "identified": found.best.is_whole,
        **_match(found.best),
        "others": [_match(each) for each in found.others],
        "command": _command(found) if found.best.is_whole else None,
    }


def _match(match: Match) -> dict[str, Any]:
    return {
        "spec": match.spec,
        "variables": dict(match.variables),
        "input_channels": match.channels,
        "matched": match.matched,
        "map": dict(match.moves),
        "ambiguous": {old: list(names) for old, names in match.ambiguous.items()},
        "reshaped": {
            name: {"file": list(before), "network": list(after)}
            for name, (before, after) in match.reshaped.items()
        },
        "missing": {name: list(shape) for name, shape in match.missing.items()},
        "left_over": {name: list(shape) for name, shape in match.left_over.items()},
    }
