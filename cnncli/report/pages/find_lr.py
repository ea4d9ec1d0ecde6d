"""The page of ``cnncli train --find-lr``: the loss by the learning rate, and the rate that follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.pages import notes
from cnncli.report.pages.train import introduction
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.results.find_lr import RangeTest, Rate

SCHEMA: Final = "cnncli.find_lr/1"
_EVERY: Final = 5
"""Steps from one row of the table to the next: three rows for a factor of ten."""
_BAR: Final = 40


def page(test: RangeTest) -> Page:
    """Return the page."""
    about = test.about
    return Page(
        f"{printable(about.name)}: learning-rate range test on {about.device}",
        partial(_sections, test),
        partial(_document, test),
        Answer((_answer(test),), good=None),
        tuple(introduction(about)),
    )


def _answer(test: RangeTest) -> str:
    found, about = test.suggestion, test.about
    if found is None:
        return "no learning rate to suggest: the loss fell at none of them"
    return f"suggested: train.optimizer.{test.optimizer}.lr={found.lr:.2g}; the recipe has {about.lr:.3g}"


def _sections(test: RangeTest, _: int | None) -> Iterator[Section]:
    yield (_table(test.rates),)
    yield (Text(tuple(_remarks(test)), "note"),)


def _table(rates: Sequence[Rate]) -> Table:
    """Return rows at equal distances; bars begin at 0, and one that would be too long is cut off."""
    shown = rates[::_EVERY]
    longest = max(each.mean for each in rates[: len(rates) // 2 + 1]) or 1.0
    bars = ["#" * min(_BAR, max(0, round(_BAR * each.mean / longest))) for each in shown]
    return Table(
        (
            Column("lr", [f"{each.lr:.2g}" for each in shown], right=True),
            Column("objective", [f"{each.mean:.4g}" for each in shown], right=True),
            Column("", bars),
        )
    )


def _remarks(test: RangeTest) -> Iterator[str]:
    first, last = test.rates[0], test.rates[-1]
    end = "then the loss exploded" if test.exploded else "the loss has not exploded"
    yield f"{len(test.rates)} steps, with learning rates from {first.lr:.2g} to {last.lr:.2g}; {end}"
    found = test.suggestion
    if found is not None:
        yield f"the loss is lowest at {found.lowest:.2g} and falls fastest at {found.steepest:.2g}"
        yield "suggested is a tenth of the former; objectives are means over neighboring steps"
    else:
        yield "what may help: a look at the data, other initial weights, another optimizer"
    yield "neither the weights nor anything else of it is kept"
    if test.picture is not None:
        yield f"the curve is in {printable(str(test.picture))}"


def _document(test: RangeTest) -> dict[str, Any]:
    about, found = test.about, test.suggestion
    return {
        "schema": SCHEMA,
        "name": about.name,
        "device": about.device,
        "optimizer": test.optimizer,
        "lr": about.lr,
        "batch": about.batch,
        "seed": about.seed,
        "notes": notes.document(about.spec_notes),
        "rates": [each._asdict() for each in test.rates],
        "exploded": test.exploded,
        "suggestion": None if found is None else found._asdict(),
        "picture": None if test.picture is None else str(test.picture),
    }
