"""A table of what a network predicts: a row for each sample, in a file of comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import torch
from torch import Tensor

from cnncli.diagnostics import listing, usage_error
from cnncli.language.description import OUTPUT
from cnncli.recipe.columns import CLASS, FORMS, NUMBER, TAGS
from cnncli.training.data.feed import Batch
from cnncli.training.new_files import check_new, write_new
from cnncli.training.predicting.shown import Shown
from cnncli.training.tasks.objective import HeadTask, Objective

SUFFIX: Final = ".csv"
_PRESENT: Final = 0.5
"""The least probability of a tag that counts as predicted."""

Kept: TypeAlias = tuple[Tensor, ...]
"""What is kept of a batch for a head, each [n, ...]; the last one is which samples have a target."""


class _Cells(NamedTuple):
    """How a head is written whose target has some form.

    ``kept(head, said, target)`` is what a batch leaves; ``headings`` follow from the names of its classes,
    tags or numbers, and ``rows`` are the cells of all samples, from what is kept on the CPU.
    """

    kept: Callable[[HeadTask, Tensor, Tensor], tuple[Tensor, ...]]
    headings: Callable[[Sequence[str]], tuple[str, ...]]
    rows: Callable[[Sequence[str], Kept], Iterator[tuple[str, ...]]]


class Predictions:
    """Keeps what is predicted of each sample of an evaluation, of those heads that a table can have."""

    def __init__(self, objective: Objective, path: Path) -> None:
        """Begin with no sample; ``path`` is that of a new file (:func:`check_table`).

        Raises:
            UsageError: all heads output masks or pictures.
        """
        self._path = path
        heads = {name: objective.heads[name] for name in objective.inference}
        self._heads = {name: head for name, head in heads.items() if head.target.form in _CELLS}
        self._left_out = tuple(name for name in heads if name not in self._heads)
        if not self._heads:
            forms = listing([*dict.fromkeys(FORMS[each.target.form].what for each in heads.values())])
            raise usage_error(
                "a table cannot have what this network predicts",
                expected="a head that learns classes, tags or numbers",
                received=forms,
                hint="'cnncli predict' writes pictures of it",
            )
        self._kept: dict[str, list[Kept]] = {name: [] for name in self._heads}

    @property
    def notes(self) -> tuple[str, ...]:
        """A note about the heads that are not in the table; none if all are."""
        return (f"not in the table: {listing(self._left_out)}",) if self._left_out else ()

    def heard(self, outputs: Mapping[str, Tensor], batch: Batch) -> None:
        """Keep what is predicted of a batch."""
        for name, head in self._heads.items():
            target, present = head.target.compared(batch).alone
            if present is None:
                present = torch.ones(len(target), dtype=torch.bool, device=target.device)
            self._keep(name, outputs[name], target, present)

    def took(self, batch: Shown) -> None:
        """Keep what is predicted of images without targets, but for classes that are known."""
        for name, head in self._heads.items():
            values = batch.outputs[name]
            if head.target.form == CLASS:
                labels = batch.labels[name].to(values.device)
                self._keep(name, values, labels.clamp(min=0), labels >= 0)
            else:
                unknown = torch.zeros(len(values), dtype=torch.bool, device=values.device)
                self._keep(name, values, torch.zeros_like(values), unknown)

    def _keep(self, name: str, values: Tensor, target: Tensor, present: Tensor) -> None:
        head = self._heads[name]
        found = _CELLS[head.target.form].kept(head, head.reading.said(values), target)
        self._kept[name].append((*found, present))

    def finish(self, images: Sequence[str]) -> int:
        """Write the table, with the names of the images that were kept; return how many these are.

        Raises:
            CnncliError: the file cannot be written.
        """
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["image", *self._headings()])
        columns = [self._rows(name) for name in self._heads]
        for image, *cells in zip(images, *columns, strict=True):
            table.writerow([image, *(cell for of_head in cells for cell in of_head)])
        # A file name that is not UTF-8 contains lone surrogates in Python.
        write_new(self._path, text.getvalue().encode(errors="backslashreplace"))
        return len(images)

    def _headings(self) -> Iterator[str]:
        for name, head in self._heads.items():
            prefix = "" if name == OUTPUT else f"{name}."
            for heading in _CELLS[head.target.form].headings(head.target.names):
                yield f"{prefix}{heading}"

    def _rows(self, name: str) -> Iterator[tuple[str, ...]]:
        target = self._heads[name].target
        kept = tuple(torch.cat(each).cpu() for each in zip(*self._kept[name], strict=True))
        return _CELLS[target.form].rows(target.names, kept)


def check_table(path: Path) -> None:
    """Check that a table may be written here.

    Raises:
        UsageError: it may not.
    """
    check_new(path, (SUFFIX,))


def _class_kept(head: HeadTask, said: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    probability, predicted = head.reading.probabilities(said).max(1)
    return target, predicted, probability


def _class_rows(names: Sequence[str], kept: Kept) -> Iterator[tuple[str, ...]]:
    for true, predicted, probability, present in zip(*(each.tolist() for each in kept), strict=True):
        yield names[true] if present else "", names[predicted], f"{probability:.6f}"


def _values_kept(_: HeadTask, said: Tensor, target: Tensor) -> tuple[Tensor, ...]:
    return target, said


def _tag_rows(names: Sequence[str], kept: Kept) -> Iterator[tuple[str, ...]]:
    for true, said, present in zip(*(each.tolist() for each in kept), strict=True):
        own = "|".join(name for name, value in zip(names, true, strict=True) if present and value)
        found = "|".join(name for name, value in zip(names, said, strict=True) if value >= _PRESENT)
        yield own, found, *(f"{value:.6f}" for value in said)


def _number_rows(_: Sequence[str], kept: Kept) -> Iterator[tuple[str, ...]]:
    for true, said, present in zip(*(each.tolist() for each in kept), strict=True):
        pairs = zip(true, said, strict=True)
        yield tuple(
            cell for own, found in pairs for cell in (f"{own:.9g}" if present else "", f"{found:.9g}")
        )


_CELLS: Final[Mapping[str, _Cells]] = {
    CLASS: _Cells(_class_kept, lambda _: ("true", "predicted", "probability"), _class_rows),
    TAGS: _Cells(
        _values_kept,
        lambda names: ("true", "predicted", *(f"probability.{name}" for name in names)),
        _tag_rows,
    ),
    NUMBER: _Cells(
        _values_kept,
        lambda names: tuple(f"{part}.{name}" for name in names for part in ("true", "predicted")),
        _number_rows,
    ),
}
"""By the form of a head's target; masks and pictures are not in a table."""
