"""The page of ``cnncli fit``: the largest value that fits, and its neighbors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

from cnncli.analysis.fit.search import Search, Step
from cnncli.analysis.fit.solving import Candidate, Fitted
from cnncli.analysis.limited import LIMITS, MEMORY, TRAINING_MEMORY
from cnncli.diagnostics import listing, readable_bytes
from cnncli.layers import shape_text
from cnncli.report.page import Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.json_values import shape_numbers
from cnncli.report.text.numbers import exact, short
from cnncli.report.text.wrapping import INDENT, unbroken

SCHEMA: Final = "cnncli.fit/1"


def page(found: Search) -> Page:
    """Return the page: the limits, and for each variable its candidates and how they were found."""
    title = f"{printable(found.graph.name)}: input {shape_text(found.graph.input)}"
    limits = [f"{name} {amount(name, most)}" for name, most in found.limits.items()]
    samples = {MEMORY: 1, TRAINING_MEMORY: batch(found)}
    of = [f"{name} with a batch of {exact(size)}" for name, size in samples.items() if name in found.limits]
    lead = Text((f"within {listing(limits)}{f' ({listing(of)})' if of else ''}",), indent=INDENT)
    return Page(title, partial(_sections, found), partial(_document, found), lead=(lead,))


def _sections(found: Search, _: int | None) -> Iterator[Section]:
    for step in found.steps:
        notes = tuple(unbroken(note) for note in _notes(step.fitted))
        yield _table(step, found.limits), Text(notes, "note", INDENT)
    options = Text((" ".join(f"--set {step.name}={step.value}" for step in found.steps),), "good")
    if found.written is None:
        yield (options,)
        return
    lost = "" if found.written.kept else ", without comments, which could not be kept"
    yield options, Text((f"written to {printable(found.written.path)}{lost}",), indent=INDENT)


def batch(found: Search) -> int:
    """Return the batch size of the network that was found."""
    last = found.steps[-1]
    return next(each.batch for each in last.candidates if each.value == last.value)


def _table(step: Step, limits: Mapping[str, int]) -> Table:
    names = list(step.candidates[0].figures)
    figures = [[each.figures[name] for each in step.candidates] for name in names]
    return Table(
        (
            Column(step.name, [exact(each.value) for each in step.candidates], right=True),
            *(
                Column(
                    name,
                    [amount(name, value) for value in values],
                    right=True,
                    short_cells=[amount(name, value, brief=True) for value in values],
                    rank=1,
                )
                for name, values in zip(names, figures, strict=True)
            ),
            Column("", [_verdict(each, step, limits) for each in step.candidates], cut=True),
        )
    )


def _verdict(candidate: Candidate, step: Step, limits: Mapping[str, int]) -> str:
    over = [f"{name} by {amount(name, excess)}" for name, excess in candidate.over(limits).items()]
    words = [f"over {listing(over)}"] if over else []
    if candidate.value == step.value:
        # Nothing is known of values beyond those that were tried.
        open_end = step.fitted.tried is not None and step.fitted.above is None
        words = ["the largest tried that fits" if open_end else "the largest that fits"]
    if candidate.value == step.before:
        words.append("the spec's own")
    return "; ".join(words)


def _notes(fitted: Fitted) -> Iterator[str]:
    """Yield lines about how the value was found."""
    if fitted.tried is not None:
        yield f"values from 1 to {fitted.tried} were tried, because no formula decides it"
    for name, found in (fitted.formulas or {}).items():
        if len(found) == 1:
            yield f"{name} = {exact(found[0])}"
        else:
            yield f"{name} is the largest of {len(found)} formulas, one for each moment of a step"


def amount(name: str, value: int, *, brief: bool = False) -> str:
    """Return a figure as text, bytes with a unit."""
    if LIMITS[name].of_bytes:
        return readable_bytes(value)
    return short(value) if brief else exact(value)


def _document(found: Search) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": found.graph.name,
        "spec": found.graph.source.name,
        "input": shape_numbers(found.graph.input),
        "limits": dict(found.limits),
        "batch": batch(found),
        "variables": [_step_data(step, found.limits) for step in found.steps],
        "written": found.written.path if found.written is not None else None,
    }


def _step_data(step: Step, limits: Mapping[str, int]) -> dict[str, Any]:
    formulas = step.fitted.formulas or {}
    return {
        "name": step.name,
        "value": step.value,
        "before": step.before,
        "tried_to": step.fitted.tried,
        "formulas": {name: [str(each) for each in found] for name, found in formulas.items()},
        "candidates": [
            {"value": each.value, "fits": not each.over(limits), "figures": dict(each.figures)}
            for each in step.candidates
        ],
    }
