"""The page of ``cnncli predict``: what a network says of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from cnncli.diagnostics import counted
from cnncli.limits import MAX_ANSWERS_LISTED, MAX_ANSWERS_SHOWN
from cnncli.recipe.columns import MASK, NUMBER, PICTURE
from cnncli.report.page import Answer as Line
from cnncli.report.page import Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import percent
from cnncli.results.predictions import Answer, Predicted, Said

SCHEMA: Final = "cnncli.predict/1"

_BAR: Final = 24
"""Characters of a bar for a probability of 1."""
_PARTS: Final = " ▏▎▍▌▋▊▉█"


def page(found: Predicted) -> Page:
    """Return the page."""
    title = f"{printable(found.name)}: {counted(len(found.answers), 'image')}"
    lead = (Text(tuple(map(printable, found.notes)), "note"),) if found.notes else ()
    return Page(title, partial(_sections, found), partial(_document, found), _known(found), lead)


def _known(found: Predicted) -> Line | None:
    """Return how many of the images whose class is known were predicted right; None if none is known."""
    lines = []
    for head in found.answers[0].heads:
        known = [each.heads[head] for each in found.answers if each.heads[head].true]
        if known:
            right = sum(said.guesses[0].name == said.true for said in known)
            of_head = f"{printable(head)}: " if len(found.answers[0].heads) > 1 else ""
            lines.append(
                f"{of_head}{right:,} of {counted(len(known), 'image')} predicted as its folder is called"
            )
    return Line(tuple(lines), good=None) if lines else None


def _sections(found: Predicted, _: int | None) -> Iterator[Section]:
    if len(found.answers) <= MAX_ANSWERS_SHOWN:
        for answer in found.answers:
            yield tuple(_full(answer))
    else:
        yield tuple(_lines(found.answers))
    if found.written is not None:
        count = counted(found.pictured, "image")
        yield (Text((f"{printable(str(found.written))}: {count}",), "good"),)


def _full(answer: Answer) -> Iterator[Table | Text]:
    """Yield everything that is said of an image."""
    yield Text((printable(answer.image),), "heading")
    for head, said in answer.heads.items():
        if len(answer.heads) > 1:
            yield Text((f"{printable(head)}:",))
        if said.form == PICTURE:
            yield Text(("a picture: -o DIR or -o FILE.png writes it",), "note")
        elif said.form == NUMBER:
            names, values = (
                [*map(printable, said.numbers)],
                [f"{value:.5g}" for value in said.numbers.values()],
            )
            yield Table((Column("number", names, cut=True), Column("value", values, right=True)))
        else:
            yield _bars(said)


def _bars(said: Said) -> Table:
    """Return the guesses with a bar for each; the true class, if it is known, has a mark."""
    names = [f"{printable(each.name)}{' *' if each.name == said.true else ''}" for each in said.guesses]
    shares = [each.probability for each in said.guesses]
    what = "share" if said.form == MASK else "probability"
    heading = f"class (* true: {printable(said.true)})" if said.true else "class"
    return Table(
        (
            Column(heading, names, cut=True),
            Column(what, [percent(share) for share in shares], right=True),
            Column("", [_bar(share) for share in shares], rank=1, optional=True),
        )
    )


def _bar(share: float) -> str:
    """Return a bar, in eighths of a character."""
    eighths = round(max(0.0, min(1.0, share)) * _BAR * 8)
    return (_PARTS[-1] * (eighths // 8) + _PARTS[eighths % 8]).rstrip()


def _lines(answers: Sequence[Answer]) -> Iterator[Table | Text]:
    """Yield a table for each head, with a line for each of the first images."""
    shown = answers[:MAX_ANSWERS_LISTED]
    images = Column("image", [printable(each.image) for each in shown], cut=True)
    heads = shown[0].heads
    for head in heads:
        said = [each.heads[head] for each in shown]
        columns = [*_of_head(said)]
        if columns and len(heads) > 1:
            yield Text((printable(head),), "heading")
        if columns:
            yield Table((images, *columns))
    if len(answers) > len(shown):
        more = counted(len(answers) - len(shown), "more image")
        yield Text((f"and {more}: -o FILE.csv writes all, as does --format json",), "note")


def _of_head(said: Sequence[Said]) -> Iterator[Column]:
    """Yield the columns of a head; none of one that outputs pictures."""
    form = said[0].form
    if form == NUMBER:
        for name in said[0].numbers:
            values = [f"{each.numbers[name]:.5g}" for each in said]
            yield Column(printable(name), values, right=True, rank=1, optional=True)
    elif form != PICTURE:
        if any(each.true for each in said):
            yield Column("true", [printable(each.true) or "-" for each in said], cut=True)
        first = [each.guesses[0] for each in said]
        yield Column("predicted", [printable(each.name) for each in first], cut=True)
        what = "share" if form == MASK else "probability"
        yield Column(what, [percent(each.probability) for each in first], right=True)


def _document(found: Predicted) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "name": found.name,
        "weights": str(found.weights),
        "notes": list(found.notes),
        "images": [
            {"image": each.image, "heads": {head: _said(said) for head, said in each.heads.items()}}
            for each in found.answers
        ],
        "unreadable": [each.message for each in found.unreadable],
        "output": None if found.written is None else str(found.written),
    }


def _said(said: Said) -> dict[str, Any]:
    return {
        "form": said.form,
        "true": said.true or None,
        "guesses": [each._asdict() for each in said.guesses],
        "numbers": dict(said.numbers),
    }
