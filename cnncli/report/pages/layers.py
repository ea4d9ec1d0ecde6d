"""The reference pages of the kinds, derived from their declarations."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from cnncli.language.fields import Arg
from cnncli.layers import Kind, shape_text
from cnncli.report.text.columns import Line

_WIDTH = 80


def overview(kinds: Mapping[str, type[Kind[Any]]]) -> Iterator[Line]:
    """One line for each kind, family by family."""
    families: dict[str, list[str]] = {}
    for name, kind in kinds.items():
        families.setdefault(kind.family, []).append(name)
    width = max(map(len, kinds))
    for family, names in families.items():
        yield Line(family, "heading")
        for name in names:
            text = first_sentence(kinds[name])
            yield Line(
                f"  {name:<{width}}  {textwrap.shorten(text, _WIDTH - width - 4, placeholder='...')}", ""
            )
        yield Line("", "")
    yield Line("cnncli layers KIND shows one of them.", "note")


def page(name: str, kind: type[Kind[Any]], width: int | None) -> Iterator[Line]:
    """Description, arguments and examples of one kind."""
    columns = min(width or _WIDTH, 100)
    yield Line(name, "title")
    yield Line("", "")
    yield from (Line(text, "") for text in _description(kind, columns))
    yield Line("arguments", "heading")
    if not kind.arguments and not kind.joins:
        yield Line("  none", "")
    if kind.joins:
        yield Line("  branches: what to join (main argument, required)", "")
    for argument, declared in kind.arguments.items():
        yield from _argument(argument, declared, columns)
    if kind.sugar:
        yield Line("  norm, activation: written here, they become the next layers", "")
    yield Line("", "")
    yield Line("FLOPs beyond two for each multiply-accumulate", "heading")
    yield Line(f"  {operations(kind)}", "")
    if kind.examples:
        yield Line("", "")
        yield Line("examples", "heading")
        for text in _examples(name, kind):
            yield from (Line(line, "") for line in textwrap.wrap(text, columns, subsequent_indent="      "))


def _description(kind: type[Kind[Any]], columns: int) -> Iterator[str]:
    """The lines of a kind's description; a paragraph that is too wide is filled anew."""
    for paragraph in inspect.cleandoc(kind.__doc__ or "").split("\n\n"):
        lines = paragraph.splitlines()
        yield from lines if max(map(len, lines)) <= columns else textwrap.wrap(paragraph, columns)
        yield ""


def first_sentence(kind: type[Kind[Any]]) -> str:
    """The first paragraph of a kind's description, on one line."""
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())


def operations(kind: type[Kind[Any]]) -> str:
    """How a kind's operations are counted, in words."""
    work = getattr(kind, "work", None)
    if work is not None:
        return "none" if work == 0 else f"{work} for each value"
    return " ".join(inspect.cleandoc(kind.operations.__doc__ or "").split())


def _argument(name: str, declared: Arg[Any], columns: int) -> Iterator[Line]:
    notes = ["main argument"] if declared.main else []
    notes.append("required" if declared.required else f"default {default_text(declared.default)}")
    text = f"{name}: {declared.help} ({', '.join(notes)}); {declared.reader.expected}"
    for line in textwrap.wrap(text, columns - 2, subsequent_indent="    "):
        yield Line(f"  {line}", "")


def default_text(value: object) -> str:
    """A default as it would be written in a spec."""
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def _examples(name: str, kind: type[Kind[Any]]) -> Iterator[str]:
    for example in kind.examples:
        shapes = " and ".join(shape_text(shape) for shape in example.inputs)
        written = f"{name}: {example.arguments}" if example.arguments else name
        yield f"  {written}   on {shapes}"
