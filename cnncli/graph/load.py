"""From a file to a graph, with everything that is wrong in the file reported together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cnncli.diagnostics import Diagnostic, Source, SpecError
from cnncli.graph.build import build
from cnncli.graph.graph import Graph
from cnncli.layers import KindVocabulary
from cnncli.layers.plugins import load_installed
from cnncli.spec.description import Description
from cnncli.spec.document import Document, from_source, load, read_source
from cnncli.spec.expand import expand
from cnncli.spec.fields import Record
from cnncli.spec.scope import Scope
from cnncli.spec.sections import Budget, Train
from cnncli.spec.tree import Entries, describe, parse


class Opened(NamedTuple):
    """A spec, read and checked: its graph, its training settings, its budget."""

    document: Document
    graph: Graph
    train: Train
    budget: Budget


def open_spec(path: str | Path, *, size: Sequence[int] | None = None, overrides: Iterable[str] = ()) -> Opened:
    """Read a spec file.

    ``size`` replaces the spec's input size; ``overrides`` are ``var=value`` texts.

    Raises:
        CnncliError: with every fault of the file, in the order of the file.
    """
    return _open(load(path, overrides), size)


def open_text(
    text: str, *, name: str = "<text>", size: Sequence[int] | None = None, overrides: Iterable[str] = ()
) -> Opened:
    """As :func:`open_spec`, from a text; ``extends`` is not available."""
    return _open(from_source(Source(name, text), overrides), size)


def _open(document: Document, size: Sequence[int] | None) -> Opened:
    faults: list[Diagnostic] = []
    description = _expand(document, faults)
    train = _section(Train, document, "train", faults)
    budget = _section(Budget, document, "budget", faults)
    graph = build(description, size if size is not None else description.input, faults)
    if graph is None:
        raise SpecError(_in_order(faults))
    assert train is not None
    assert budget is not None
    return Opened(document, graph, train, budget)


def _expand(document: Document, faults: list[Diagnostic]) -> Description:
    vocabulary = KindVocabulary()
    description = expand(document, vocabulary, faults)
    # Looking for installed plug-ins takes longer than reading a spec: only where a kind is not known.
    if any(fault.code == "unknown-kind" for fault in faults) and load_installed():
        faults.clear()
        description = expand(document, vocabulary, faults)
    return description


def _section(record: type[Any], document: Document, key: str, faults: list[Diagnostic]) -> Any:
    entries = document.section(key)
    if not isinstance(entries, Entries):
        return record()
    assert issubclass(record, Record)
    try:
        return record.read_entries(entries, document.scope)
    except SpecError as error:
        faults.extend(error.diagnostics)
        return None


def _in_order(faults: Iterable[Diagnostic]) -> list[Diagnostic]:
    """By place in the file, each once: the copies of a repeated layer share their faults."""
    seen: dict[tuple[object, ...], Diagnostic] = {}
    for fault in faults:
        where = fault.location
        key = (fault.code, fault.location, fault.message if where is None or fault.code != "shape" else "")
        seen.setdefault(key, fault)
    return sorted(seen.values(), key=_place)


def _place(fault: Diagnostic) -> tuple[str, int, int]:
    where = fault.location
    return (where.source.name, where.line, where.column) if where is not None else ("", 0, 0)


def read_budget(path: str | Path) -> Budget:
    """The limits in a YAML file: a mapping of limits, or one that has them under ``budget``.

    Raises:
        CnncliError: the file cannot be read, or a limit is unknown or no number; an empty one
            would check nothing.
    """
    root = parse(read_source(path))
    entries = root.get("budget", root) if isinstance(root, Entries) else root
    if not isinstance(entries, Entries) or not entries.pairs:
        expected = f"a mapping with some of {', '.join(Budget.arguments)}"
        raise SpecError(Diagnostic("budget", "this is no budget", entries.location, expected, describe(entries)))
    return Budget.read_entries(entries, Scope())
