"""The page of ``cnncli check``: networks and their limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from cnncli.analysis.check import Verdict
from cnncli.diagnostics import Diagnostic
from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.pages import notes
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import exact, short

SCHEMA: Final = "cnncli.check/1"


class Checked(NamedTuple):
    """A spec, its verdicts, one for each limit, and the warnings and notes about it."""

    spec: str
    verdicts: Sequence[Verdict]
    notes: Sequence[Diagnostic] = ()

    @property
    def over(self) -> list[Verdict]:
        """The limits that are exceeded."""
        return [verdict for verdict in self.verdicts if not verdict.within]


def page(checked: Sequence[Checked]) -> Page:
    """Return the page; of several networks its answer is about all of them."""
    data = partial(_document, checked)
    if len(checked) == 1:
        (only,) = checked
        answer = Answer((_headline(only),), not only.over)
        about = partial(_notes, only)
        return Page("", about, data, answer, (_table(only.verdicts), *_heaviest(only)))
    over = sum(bool(each.over) for each in checked)
    headline = (
        f"{over} of {len(checked)} networks over budget" if over else f"{len(checked)} networks within budget"
    )
    return Page("", partial(_sections, checked), data, Answer((headline,), not over))


def _notes(checked: Checked, _: int | None) -> Iterator[Section]:
    return notes.sections(checked.notes)


def _sections(checked: Sequence[Checked], _: int | None) -> Iterator[Section]:
    """Yield each network's verdict, its limits and, for every limit exceeded, the heaviest layers."""
    for each in checked:
        headline = Text((_headline(each),), "error" if each.over else "good")
        yield headline, _table(each.verdicts), *_heaviest(each)
        yield from notes.sections(each.notes)


def _headline(checked: Checked) -> str:
    count, over = len(checked.verdicts), len(checked.over)
    word = f"over budget in {over} of {count}" if over else f"within budget ({count})"
    return f"{printable(checked.spec)}: {word}"


def _heaviest(checked: Checked) -> Iterator[Text]:
    for verdict in checked.over:
        if verdict.heaviest:
            heaviest = ", ".join(f"{name} {exact(amount)}" for name, amount in verdict.heaviest)
            yield Text((f"  most {verdict.figure}: {heaviest}",))


def _table(verdicts: Sequence[Verdict]) -> Table:
    unused = [verdict.unused for verdict in verdicts]
    return Table(
        (
            Column("figure", [_figure(verdict) for verdict in verdicts]),
            _numbers("limit", [verdict.limit for verdict in verdicts], rank=4),
            _numbers("network", [verdict.actual for verdict in verdicts], rank=3),
            *((_numbers("without output", unused, rank=2),) if any(unused) else ()),
            Column(
                "verdict",
                [_word(verdict, exact) for verdict in verdicts],
                short_cells=[_word(verdict, short) for verdict in verdicts],
                rank=1,
            ),
        )
    )


def _figure(verdict: Verdict) -> str:
    """Return the name of a figure; of memory, with the batch that it is for."""
    return f"{verdict.figure} (batch {exact(verdict.batch)})" if verdict.batch else verdict.figure


def _numbers(heading: str, values: Sequence[int | None], rank: int) -> Column:
    cells = ["" if value is None else exact(value) for value in values]
    brief = ["" if value is None else short(value) for value in values]
    return Column(heading, cells, right=True, short_cells=brief, rank=rank)


def _word(verdict: Verdict, written: Callable[[int], str]) -> str:
    if verdict.within:
        return f"ok, {written(-verdict.excess)} left"
    share = f" ({100 * verdict.excess / verdict.limit:,.1f} %)" if verdict.limit else ""
    return f"OVER by {written(verdict.excess)}{share}"


def _document(checked: Sequence[Checked]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "within": not any(each.over for each in checked),
        "networks": [_network_data(each) for each in checked],
    }


def _network_data(checked: Checked) -> dict[str, Any]:
    return {
        "spec": checked.spec,
        "within": not checked.over,
        "notes": notes.document(checked.notes),
        "limits": [
            {
                "figure": verdict.figure,
                "limit": verdict.limit,
                "actual": verdict.actual,
                "unused": verdict.unused,
                "batch": verdict.batch,
                "within": verdict.within,
                "heaviest": [{"layer": name, "amount": amount} for name, amount in verdict.heaviest],
            }
            for verdict in checked.verdicts
        ],
    }
