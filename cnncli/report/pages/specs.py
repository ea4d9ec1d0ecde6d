"""The page of ``cnncli specs``: the specs that ship, with their papers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from cnncli.analysis.specs import Entry
from cnncli.language.sections import Paper
from cnncli.report.page import Page, Section, Text
from cnncli.report.pages.compare import row_data
from cnncli.report.pages.inspect import figure_column
from cnncli.report.text.columns import Column, Table

SCHEMA: Final = "cnncli.specs/1"

_BETWEEN_NAMES: Final = re.compile(r",\s*(?:and\s+)?|\s+and\s+")


def page(entries: Sequence[Entry]) -> Page:
    """Return the page."""
    return Page("", partial(_sections, entries), partial(_document, entries))


def _sections(entries: Sequence[Entry], _: int | None) -> Iterator[Section]:
    yield (_table(entries),)
    hint = "cnncli inspect vgg16 shows one of them, cnncli inspect vgg compares a family."
    yield (Text((hint,), "note"),)


def _table(entries: Sequence[Entry]) -> Table:
    """Return name, year, paper, parameters and MACs of every spec; those without a paper follow a rule."""
    papers = [entry.paper for entry in entries]
    figures = [entry.overview.costs.totals for entry in entries]
    columns = (
        Column("name", [entry.name for entry in entries], cut=True),
        Column("year", [str(paper.year) if paper is not None else "-" for paper in papers]),
        Column("paper", [_source(entry) for entry in entries], cut=True),
        figure_column("parameters", figures, "params", rank=2),
        figure_column("MACs", figures, "macs", rank=1),
    )
    return Table(columns, rules=frozenset({sum(paper is not None for paper in papers)} - {0}))


def _document(entries: Sequence[Entry]) -> dict[str, Any]:
    return {"schema": SCHEMA, "specs": [_entry_data(entry) for entry in entries]}


def short_authors(paper: Paper) -> str:
    """Return the authors, shortened: ``Simonyan, Zisserman``; of more than two, ``LeCun et al.``."""
    names = _BETWEEN_NAMES.split(paper.authors)
    return f"{names[0]} et al." if len(names) > 2 else ", ".join(names)


def _source(entry: Entry) -> str:
    """Return the paper or, without one, the family, which can also be inspected by that name."""
    if entry.paper is not None:
        return short_authors(entry.paper)
    return f"({entry.family})" if entry.family else "-"


def _entry_data(entry: Entry) -> dict[str, Any]:
    return row_data(entry.overview, 1) | {
        "shipped_as": entry.name,
        "family": entry.family or None,
        "paper": _paper_data(entry.paper) if entry.paper is not None else None,
    }


def _paper_data(paper: Paper) -> dict[str, Any]:
    return {name: getattr(paper, name) for name in Paper.arguments}
