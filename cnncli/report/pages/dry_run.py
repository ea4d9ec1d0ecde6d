"""The page of ``cnncli train --dry-run``: what a training would do, need and write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from cnncli.analysis.costs.figures import STEP_PASSES
from cnncli.diagnostics import counted, readable_bytes
from cnncli.report.page import Answer, Page, Section, Text
from cnncli.report.pages import notes, rates, start
from cnncli.report.pages.train import introduction
from cnncli.report.text.columns import Column, Table
from cnncli.report.text.escapes import printable
from cnncli.report.text.numbers import duration, exact, short
from cnncli.results.dry_run import Counts, DryRun, Tried

SCHEMA: Final = "cnncli.dry_run/1"


def page(found: DryRun) -> Page:
    """Return the page."""
    about, tried = found.tried.about, found.tried
    # The first epochs, which were tried, have the smallest images.
    grows = len(about.stages) > 1
    most = "at least about" if grows else "at most about" if about.stop else "about"
    answer = f"a run takes {most} {duration(tried.seconds)}, without the reading of the data"
    return Page(
        f"{printable(about.name)}: dry run on {about.device}",
        partial(_sections, found),
        partial(_document, found),
        Answer((answer,), good=None),
        tuple(introduction(about)),
    )


def _sections(found: DryRun, _: int | None) -> Iterator[Section]:
    tried = found.tried
    for name, counts in tried.counts.items():
        yield (_counts_table(tried, name, counts),)
    yield (Text(tuple(f"{name}: {value}" for name, value in _figures(found))),)
    yield from rates.sections(tried.about.rates)
    yield (_files_table(tried),)
    yield (Text(tuple(_remarks(tried)), "note"),)


def _counts_table(tried: Tried, name: str, counts: Counts) -> Table:
    names = [printable(each) for each in tried.about.columns[name].names]
    parts = (("to train on", counts.train), ("for validation", counts.val), ("held out", counts.test))
    columns = (
        Column(heading, [exact(count) for count in numbers], right=True)
        for heading, numbers in parts
        if numbers
    )
    return Table((Column(printable(name), names, cut=True), *columns))


def _figures(found: DryRun) -> Iterator[tuple[str, str]]:
    """Yield names and values, as a person reads them."""
    tried, times, epochs = found.tried, found.tried.times, found.tried.about.epochs
    yield "steps", f"{tried.steps:,} in an epoch, {tried.all_steps:,} in {counted(epochs, 'epoch')}"
    others = f"; {duration(times.step)} afterwards, the median of {times.measured}" if times.step else ""
    yield "time of a step", f"{duration(times.first)} for the first{others}"
    yield "time after an epoch", f"{duration(times.evaluation)} to evaluate, {duration(times.saving)} to save"
    if times.test:
        yield "time at the end", f"{duration(times.test)} to evaluate the test part"
    step = STEP_PASSES * found.flops * tried.batch
    yield "FLOPs", f"{short(found.flops)} for an image, forward; about {short(step)} for a step"
    predicted = f"{readable_bytes(found.memory)}, predicted" if found.memory is not None else found.why_none
    yield f"memory of a step with a batch of {tried.batch:,}", predicted
    if tried.peak is not None:
        yield (
            f"peak on {tried.about.device}",
            f"{readable_bytes(tried.peak)}, measured, with the data there",
        )


def _files_table(tried: Tried) -> Table:
    return Table(
        (
            Column(f"in {printable(str(tried.about.folder))}", [*tried.files], cut=True),
            Column("bytes", [exact(size) for size in tried.files.values()], right=True),
        )
    )


def _remarks(tried: Tried) -> Iterator[str]:
    steps = counted(tried.tried, "step")
    yield f"carried out: {steps}, evaluations of a batch, and a continuation from a checkpoint"
    yield "all of it in a folder that is removed: nothing is left on the disk"


def _document(found: DryRun) -> dict[str, Any]:
    tried, about, times = found.tried, found.tried.about, found.tried.times
    return {
        "schema": SCHEMA,
        "name": about.name,
        "device": about.device,
        "data": {
            "source": about.data,
            "train_images": about.train_count,
            "val_images": about.val_count,
            "test_images": about.test_count,
            "input": list(about.input_shape),
            "notes": list(about.notes),
            "counts": {
                name: _counts_data(about.columns[name].names, counts) for name, counts in tried.counts.items()
            },
        },
        "transforms": list(about.transforms),
        "corrupt": list(about.corrupt),
        "tasks": list(about.tasks),
        "rates": rates.document(about.rates),
        "start": start.document(about.start),
        "origins": {origin: list(names) for origin, names in about.origins.items()},
        "notes": notes.document(about.spec_notes),
        "epochs": about.epochs,
        "batch": tried.batch,
        "steps": {"epoch": tried.steps, "all": tried.all_steps, "carried_out": tried.tried},
        "seconds": {
            "first_step": times.first,
            "step": times.step,
            "evaluation": times.evaluation,
            "saving": times.saving,
            "test": times.test,
            "run": tried.seconds,
        },
        "flops": {"image": found.flops, "step": STEP_PASSES * found.flops * tried.batch},
        "memory": {"predicted": found.memory, "measured": tried.peak},
        "folder": str(about.folder),
        "files": dict(tried.files),
    }


def _counts_data(names: Sequence[str], counts: Counts) -> list[dict[str, Any]]:
    parts = {part: numbers for part, numbers in counts._asdict().items() if numbers}
    return [
        {"name": name} | {part: numbers[index] for part, numbers in parts.items()}
        for index, name in enumerate(names)
    ]
