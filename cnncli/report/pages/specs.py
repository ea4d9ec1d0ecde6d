"""What ships, as a table and for machines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from cnncli.analysis.specs import Entry
from cnncli.language.sections import Paper
from cnncli.report.pages.compare import row
from cnncli.report.pages.inspect import figure_column
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.json_values import text

SCHEMA: Final = "cnncli.specs/1"

_BETWEEN_NAMES: Final = re.compile(r",\s*(?:and\s+)?|\s+and\s+")


def table(entries: Sequence[Entry]) -> Table:
    """Name, year, paper, parameters and MACs of every spec; a rule sets off those without a paper."""
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


def document(entries: Sequence[Entry]) -> str:
    """The same for machines."""
    return text({"schema": SCHEMA, "specs": [_entry(entry) for entry in entries]})


def short_authors(paper: Paper) -> str:
    """Its authors in few words: ``Simonyan, Zisserman``, of more than two ``LeCun et al.``."""
    names = _BETWEEN_NAMES.split(paper.authors)
    return f"{names[0]} et al." if len(names) > 2 else ", ".join(names)


def _source(entry: Entry) -> str:
    """The paper, or where there is none the family, which is a name to inspect too."""
    return short_authors(entry.paper) if entry.paper is not None else f"({entry.family or entry.name})"


def _entry(entry: Entry) -> dict[str, Any]:
    return row(entry.overview, 1) | {
        "shipped_as": entry.name,
        "family": entry.family or None,
        "paper": _paper(entry.paper) if entry.paper is not None else None,
    }


def _paper(paper: Paper) -> dict[str, Any]:
    return {name: getattr(paper, name) for name in Paper.arguments}
