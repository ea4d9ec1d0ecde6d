"""The page of ``cnncli data``: classes, sizes, values, duplicates, and what cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from cnncli.diagnostics import counted, listing
from cnncli.layers import shape_text
from cnncli.limits import MAX_FILES_NAMED
from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import percent
from cnncli.results.survey import (
    Duplicates,
    KindOfImages,
    MaskClass,
    Numbers,
    Sheet,
    Survey,
    Unreadable,
)

SCHEMA: Final = "cnncli.data/1"

_NO_CLASS: Final = "(no class)"


def page(found: Survey) -> Page:
    """Return the page."""
    classes = counted(sum(each.name is not None for each in found.classes), "class")
    title = f"{printable(found.source)}: {counted(found.count, 'image')}, {classes}"
    return Page(title, partial(_sections, found), partial(_document, found), _answer(found), _lead(found))


def _answer(found: Survey) -> Answer:
    """Return what should be looked at, the worst first."""
    faults = (
        (len(found.leaks), "in several parts, so what is measured on one was seen in another"),
        (len(found.contradictions), "in several classes"),
        (len(found.duplicates) - len(found.leaks), "in one part several times"),
    )
    lines = [f"{counted(count, 'picture')} {_is(count)} {where}" for count, where in faults if count]
    if found.unreadable:
        lines.append(f"{counted(len(found.unreadable), 'image')} cannot be read")
    if found.wrong_masks:
        lines.append(f"{counted(len(found.wrong_masks), 'mask')} cannot be read or used")
    wrong = found.leaks or found.contradictions or found.unreadable or found.wrong_masks
    good = False if wrong else None if lines or found.warnings else True
    return Answer(tuple(lines) or ("all images can be read, and none is there twice",), good)


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _lead(found: Survey) -> Section:
    """Return the warnings and the notes."""
    said = ((found.warnings, "warning"), (found.notes, "note"))
    return tuple(Text(tuple(map(printable, lines)), role) for lines, role in said if lines)


def _sections(found: Survey, _: int | None) -> Iterator[Section]:
    yield (_class_table(found),)
    yield tuple(_sizes(found))
    yield tuple(_values(found.kinds))
    if found.numbers:
        yield (_number_table(found.numbers),)
    if found.masks:
        yield (_mask_table(found.masks),)
    if found.duplicates:
        yield tuple(_same(found.duplicates))
    for failures in (found.unreadable, found.wrong_masks):
        if failures:
            yield (_failures(failures),)
    if found.sheet is not None:
        yield (_sheet(found.sheet),)


def _class_table(found: Survey) -> Table:
    """Return the images of each class in each part, and all images."""
    classes = found.classes
    names = [_NO_CLASS if each.name is None else printable(each.name) for each in classes]
    columns = [Column("class", [*names, "total"], cut=True)]
    for index, (part, count) in enumerate(zip(found.parts, found.images, strict=True)):
        heading = printable(part) or "images"
        columns.append(_counts(heading, [*(each.counts[index] for each in classes), count]))
    if len(found.parts) > 1:
        columns.append(_counts("images", [*(sum(each.counts) for each in classes), found.count]))
    return Table(tuple(columns), totals=1)


def _counts(heading: str, counts: Sequence[int]) -> Column:
    return Column(heading, [f"{count:,}" for count in counts], right=True)


def _sizes(found: Survey) -> Iterator[Table | Text]:
    size, count = found.commonest_size
    if found.distinct_sizes == 1:
        yield Text((f"all images have the size {shape_text(size)}",))
        return
    yield Table(
        (
            Column("size", [each.axis for each in found.sizes]),
            Column("smallest", [f"{each.smallest:,}" for each in found.sizes], right=True),
            Column("median", [f"{each.median:,g}" for each in found.sizes], right=True),
            Column("largest", [f"{each.largest:,}" for each in found.sizes], right=True),
        )
    )
    frequent = f"the most frequent is {shape_text(size)}, of {counted(count, 'image')}"
    yield Text((f"{found.distinct_sizes:,} different sizes; {frequent}",), "note")


def _values(kinds: Sequence[KindOfImages]) -> Iterator[Table | Text]:
    """Yield the channels of each kind, what their figures mean, and examples of the less frequent kinds."""
    channels = [channel for kind in kinds for channel in kind.channels]
    ends = {
        "smallest": [f"{each.smallest:,g}" for each in channels],
        "largest": [f"{each.largest:,g}" for each in channels],
    }
    yield Table(
        (
            Column("kind", [*_firsts(kinds, [kind.name for kind in kinds])]),
            Column("images", [*_firsts(kinds, [f"{kind.count:,}" for kind in kinds])], right=True),
            Column("channel", [each.name for each in channels]),
            *(Column(name, cells, right=True, rank=1, optional=True) for name, cells in ends.items()),
            Column("mean", [f"{each.mean:.4f}" for each in channels], right=True),
            Column("deviation", [f"{each.deviation:.4f}" for each in channels], right=True),
        )
    )
    scales = dict.fromkeys(f"{kind.scale:,}" for kind in kinds if kind.scale > 1)
    if scales:
        yield Text((f"mean and deviation are shares of {listing([*scales], last=' or ')}",), "note")
    yield from (Text((_others(kind),), "warning") for kind in kinds[1:])


def _number_table(numbers: Sequence[Numbers]) -> Table:
    """Return how the numbers of each column are spread."""
    return Table(
        (
            Column("number", [printable(each.name) for each in numbers], cut=True),
            Column("images", [f"{each.present:,}" for each in numbers], right=True),
            Column("smallest", [f"{each.smallest:,.5g}" for each in numbers], right=True),
            Column("largest", [f"{each.largest:,.5g}" for each in numbers], right=True),
            Column("mean", [f"{each.mean:,.5g}" for each in numbers], right=True),
            Column("deviation", [f"{each.deviation:,.5g}" for each in numbers], right=True),
        )
    )


def _mask_table(masks: Sequence[MaskClass]) -> Table:
    """Return the values of masks: how many masks have them, and the share of all pixels."""
    return Table(
        (
            Column("mask", [printable(each.column) for each in masks], cut=True),
            Column("value", [str(each.value) for each in masks], right=True),
            Column("masks", [f"{each.masks:,}" for each in masks], right=True),
            Column("pixels", [percent(each.share) for each in masks], right=True),
        )
    )


def _firsts(kinds: Sequence[KindOfImages], cells: Sequence[str]) -> Iterator[str]:
    """Yield the cell of each kind in the row of its first channel, and nothing in its other rows."""
    for kind, cell in zip(kinds, cells, strict=True):
        yield from (cell, *[""] * (len(kind.channels) - 1))


def _others(kind: KindOfImages) -> str:
    names = _first(kind.first, kind.count)
    return printable(f"{counted(kind.count, 'image')} {_is(kind.count)} {kind.name}: {names}")


def _same(duplicates: Sequence[Duplicates]) -> Iterator[Text]:
    """Yield a line for each picture that is there several times; those in several parts come first."""
    yield Text(("the same pixels",), "heading")
    shown = duplicates[:MAX_FILES_NAMED]
    leaks = tuple(_places(each) for each in shown if len(each.parts) > 1)
    others = tuple(_places(each) for each in shown if len(each.parts) == 1)
    yield from (Text(lines, role) for lines, role in ((leaks, "warning"), (others, "")) if lines)
    yield from _more(len(duplicates))


def _places(each: Duplicates) -> str:
    parts = f" in {listing(each.parts)}" if any(each.parts) else ""
    classes = f" of {listing(each.classes)}" if each.classes else ""
    return printable(f"{each.count:,} images{parts}{classes}: {_first(each.first, each.count)}")


def _first(names: Sequence[str], count: int) -> str:
    """Return the first names of some images."""
    more = f" and {count - len(names):,} more" if count > len(names) else ""
    return f"{', '.join(names)}{more}"


def _failures(unreadable: Sequence[Unreadable]) -> Text:
    lines = tuple(printable(each.reason) for each in unreadable[:MAX_FILES_NAMED])
    return Text((*lines, *(line for text in _more(len(unreadable)) for line in text.lines)), "error")


def _more(count: int) -> Iterator[Text]:
    if count > MAX_FILES_NAMED:
        yield Text((f"and {count - MAX_FILES_NAMED:,} more",), "note")


def _sheet(sheet: Sheet) -> Text:
    images, classes = counted(sheet.images, "image"), counted(sheet.classes, "class")
    return Text((f"{printable(str(sheet.path))}: {images} of {classes}",), "good")


def _document(found: Survey) -> dict[str, Any]:
    size, count = found.commonest_size
    return {
        "schema": SCHEMA,
        "source": found.source,
        "images": found.count,
        "parts": list(found.parts),
        "classes": [
            {"name": each.name, "images": dict(zip(found.parts, each.counts, strict=True))}
            for each in found.classes
        ],
        "sizes": {
            each.axis: {"smallest": each.smallest, "median": each.median, "largest": each.largest}
            for each in found.sizes
        },
        "distinct_sizes": found.distinct_sizes,
        "commonest_size": {"size": list(size), "images": count},
        "kinds": [_kind(each) for each in found.kinds],
        "numbers": [each._asdict() for each in found.numbers],
        "masks": [each._asdict() for each in found.masks],
        "leaks": len(found.leaks),
        "contradictions": len(found.contradictions),
        "duplicates": {
            "count": len(found.duplicates),
            "first": [asdict(each) for each in found.duplicates[:MAX_FILES_NAMED]],
        },
        "unreadable": _failed(found.unreadable),
        "wrong_masks": _failed(found.wrong_masks),
        "warnings": list(found.warnings),
        "notes": list(found.notes),
        "sheet": None if found.sheet is None else found.sheet._asdict() | {"path": str(found.sheet.path)},
    }


def _failed(failures: Sequence[Unreadable]) -> dict[str, Any]:
    return {"count": len(failures), "first": [each._asdict() for each in failures[:MAX_FILES_NAMED]]}


def _kind(kind: KindOfImages) -> dict[str, Any]:
    return {
        "name": kind.name,
        "images": kind.count,
        "scale": kind.scale,
        "channels": [each._asdict() for each in kind.channels],
        "first": list(kind.first),
    }
