"""The pages of ``cnncli layers``: all kinds in a line each, or one kind in full, from their declarations."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from cnncli.diagnostics import Diagnostic
from cnncli.language.shorthand import SHORTHAND
from cnncli.layers import Kind, shape_text
from cnncli.report.page import Page, Section, Text
from cnncli.report.pages import notes

SCHEMA: Final = "cnncli.layers/1"
_MEASURE: Final = 80
_CODE: Final = re.compile("``(.+?)``", re.DOTALL)


def overview(kinds: Mapping[str, type[Kind[Any]]], about: Sequence[Diagnostic] = ()) -> Page:
    """Return the page of all kinds, family by family, and of warnings about plug-ins."""
    document = partial(_overview_data, kinds, about)
    return Page("", partial(_families, kinds, about), document, measure=_MEASURE)


def page(name: str, kind: type[Kind[Any]]) -> Page:
    """Return the page of one kind: description, arguments and examples."""
    return Page(name, partial(_sections, name, kind), partial(_kind_data, name, kind), measure=_MEASURE)


def _families(
    kinds: Mapping[str, type[Kind[Any]]], about: Sequence[Diagnostic], _: int | None
) -> Iterator[Section]:
    families: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        families.setdefault(kind.family, []).append(name)
    width = max(map(len, kinds))
    for family, names in families.items():
        lines = [f"  {name:<{width}}  {_quoted(first_sentence(kinds[name]))}" for name in names]
        yield Text((family,), "heading"), Text(tuple(lines), indent=" " * (width + 4))
    yield (Text(("cnncli layers KIND shows one of them.",), "note"),)
    yield from notes.sections(about)


def _sections(name: str, kind: type[Kind[Any]], width: int | None) -> Iterator[Section]:
    columns = min(width or _MEASURE, 100)
    yield from ((Text(lines),) for lines in _description(kind, columns))
    yield Text(("arguments",), "heading"), Text(tuple(_arguments(kind)), indent="      ")
    yield Text(("FLOPs besides 2 x MACs",), "heading"), Text((f"  {_quoted(operations(kind))}",), indent="  ")
    if kind.examples:
        yield Text(("examples",), "heading"), Text(tuple(_examples(name, kind)), indent="      ")


def _description(kind: type[Kind[Any]], columns: int) -> Iterator[tuple[str, ...]]:
    """Yield the paragraphs of a kind's description; one that is too wide is wrapped anew."""
    for paragraph in _quoted(inspect.cleandoc(kind.__doc__ or "")).split("\n\n"):
        lines = paragraph.splitlines()
        yield tuple(lines if max(map(len, lines)) <= columns else textwrap.wrap(paragraph, columns))


def _arguments(kind: type[Kind[Any]]) -> Iterator[str]:
    if not kind.arguments and not kind.joins:
        yield "  none"
    if kind.joins:
        yield "  branches: what to join (main argument, required)"
    for name, declared in kind.arguments.items():
        notes = ["main argument"] if declared.main else []
        notes.append("required" if declared.required else f"default {default_text(declared.default)}")
        yield f"  {name}: {_quoted(declared.help)} ({', '.join(notes)}); {declared.reader.expected}"
    if kind.shorthand:
        yield f"  {', '.join(SHORTHAND)}: written here, they become the layers that follow"


def first_sentence(kind: type[Kind[Any]]) -> str:
    """Return the first paragraph of a kind's description, on one line."""
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())


def operations(kind: type[Kind[Any]]) -> str:
    """Return in words how a kind's operations are counted."""
    work = getattr(kind, "work", None)
    if work is not None:
        return "none" if work == 0 else f"{work} for each value"
    return " ".join(inspect.cleandoc(kind.operations.__doc__ or "").split())


def default_text(value: object) -> str:
    """Return a default as it is written in a spec."""
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def _examples(name: str, kind: type[Kind[Any]]) -> Iterator[str]:
    for example in kind.examples:
        shapes = " and ".join(shape_text(shape) for shape in example.inputs)
        written = f"{name}: {example.arguments}" if example.arguments else name
        yield f"  {written}   on {shapes}"


def _quoted(text: str) -> str:
    """Return text of a docstring with plain quotes instead of its double backquotes."""
    return _CODE.sub(r"'\1'", text)


def _overview_data(kinds: Mapping[str, type[Kind[Any]]], about: Sequence[Diagnostic]) -> dict[str, Any]:
    described = [_data(name, kind) for name, kind in kinds.items()]
    return {"schema": SCHEMA, "kinds": described, "notes": notes.document(about)}


def _kind_data(name: str, kind: type[Kind[Any]]) -> dict[str, Any]:
    return _overview_data({name: kind}, ())


def _data(name: str, kind: type[Kind[Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "family": kind.family,
        "description": inspect.cleandoc(kind.__doc__ or ""),
        "joins": kind.joins,
        "arguments": [
            {
                "name": argument,
                "help": declared.help,
                "main": declared.main,
                "required": declared.required,
                "default": None if declared.required else default_text(declared.default),
                "expected": declared.reader.expected,
            }
            for argument, declared in kind.arguments.items()
        ],
        "operations": operations(kind),
    }
