"""The catalog of shipped specs, each with its paper and its figures."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cnncli.analysis.costs.overview import Overview, overview
from cnncli.graph import open_spec
from cnncli.language import shipped
from cnncli.language.sections import Paper


class Entry(NamedTuple):
    """A shipped spec; ``family`` is empty if it belongs to none."""

    name: str
    family: str
    path: Path
    paper: Paper | None
    overview: Overview


def catalog() -> tuple[Entry, ...]:
    """Return all shipped specs by year and family; those without a paper come last."""
    entries = (_entry(name, path) for name, path in shipped.specs().items())
    return tuple(sorted(entries, key=_order))


def _entry(name: str, path: Path) -> Entry:
    opened = open_spec(path)
    family = path.parent.name if path.parent != shipped.folder() else ""
    return Entry(name, family, path, opened.paper, overview(opened.graph))


def _order(entry: Entry) -> tuple[bool, int, str]:
    # Sorting is stable, so within a family the natural order of its files remains.
    return entry.paper is None, entry.paper.year if entry.paper is not None else 0, entry.family or entry.name
