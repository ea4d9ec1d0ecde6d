"""Images for a network that is looked at: a part of a data source, or files, a batch at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import torch
from torch import Tensor

from cnncli.diagnostics import Diagnostic, UsageError, counted, listing, usage_error
from cnncli.language.files import exists
from cnncli.layers import shape_text
from cnncli.limits import MAX_READ_IMAGES
from cnncli.recipe.columns import CLASS, LABEL, Column
from cnncli.recipe.data import SOURCES
from cnncli.recipe.metrics import TEST, TRAIN, VAL
from cnncli.results.training import Reading
from cnncli.training.data.dataset import Split
from cnncli.training.data.feed import Feed
from cnncli.training.data.normalization import unnormalized
from cnncli.training.data.sources.named_files import NamedFiles, named_files
from cnncli.training.data.sources.pictures import Pictures
from cnncli.training.data.sources.reading_notes import conversion_notes, decoder_notes
from cnncli.training.data.targets import NO_CLASS
from cnncli.training.evaluate import evaluation_bounds
from cnncli.training.looking.opened import Opened
from cnncli.training.looking.parts import part_of
from cnncli.training.transforms import held_out_alters, margin_notes

PARTS: Final = (TRAIN, VAL, TEST)
_NUMBERED: Final = re.compile(rf"({'|'.join(PARTS)}):(\d{{1,12}})")
_LEAST_READ: Final = 64
_READ_VALUES: Final = 1 << 22
_CHANNELS: Final = (1, 3)


class Batch(NamedTuple):
    """Images one after another: the first has number ``start``.

    ``inputs`` are what the network sees, float32 [n, *input] on its device; ``labels`` int64 [n] on the CPU,
    -1 without a class; ``files`` are the names of the images, if they have some, and ``classes`` those for
    their labels.
    """

    start: int
    inputs: Tensor
    labels: Tensor
    files: tuple[str, ...]
    classes: tuple[str, ...] = ()


class Images(Protocol):
    """Images in their order.

    ``source`` is their data source, if they have one, and ``part`` the part of it. ``what`` says which images
    they are, and ``classes`` are the names for their labels.
    """

    source: str
    part: str
    what: str
    classes: tuple[str, ...]

    @property
    def most(self) -> int:
        """The number of images, or more, if some cannot be read."""

    def batches(self, reading: Reading = None) -> Iterator[Batch]:
        """Yield all images."""

    def chosen(self, numbers: Sequence[int]) -> Tensor:
        """Return the inputs of images by their numbers."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to images."""

    @property
    def faults(self) -> tuple[Diagnostic, ...]:
        """An error for each image that could not be read."""


@dataclass(eq=False, slots=True)
class OfSource:
    """The images of a part of a data source."""

    opened: Opened
    split: Split
    source: str
    part: str
    what: str
    classes: tuple[str, ...]
    column: str | None
    files: tuple[str, ...]
    notes: tuple[str, ...]
    faults: tuple[Diagnostic, ...] = ()

    @property
    def most(self) -> int:
        """The number of images."""
        return self.split.count

    def batches(self, reading: Reading = None) -> Iterator[Batch]:
        """Yield all images."""
        del reading
        labels = self._labels()
        bounds = evaluation_bounds(self.most, self.split.rows.stored[:1].numel(), self.opened.device)
        for (start, end), inputs in zip(bounds, _inputs(self.opened, self.split, bounds), strict=True):
            yield Batch(start, inputs, labels[start:end], self.files[start:end], self.classes)

    def chosen(self, numbers: Sequence[int]) -> Tensor:
        """Return the inputs of images by their numbers."""
        some = self.split.chosen(torch.tensor(numbers, dtype=torch.int64))
        return torch.cat([*_inputs(self.opened, some, [(0, some.count)])])

    def one(self, number: int) -> Batch:
        """Return an image by its number."""
        labels = self._labels()[number : number + 1]
        return Batch(number, self.chosen([number]), labels, self.files[number : number + 1], self.classes)

    def _labels(self) -> Tensor:
        if self.column is None:
            return torch.full((self.most,), NO_CLASS, dtype=torch.int64)
        return self.split.column(self.column).whole()


@dataclass(eq=False, slots=True)
class OfFiles:
    """The images in files, of which only some are in memory at a time."""

    opened: Opened
    named: NamedFiles
    source: str = ""
    part: str = ""
    what: str = ""
    classes: tuple[str, ...] = ()
    _faults: list[Diagnostic] = field(default_factory=list)
    _changes: Counter[str] = field(default_factory=Counter)
    _warned: list[str] = field(default_factory=list)
    _printed: list[str] = field(default_factory=list)
    _kept: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find the classes: those of the run."""
        self.classes = _classes(self.opened.run.record.data.columns)[1]
        self.what = counted(self.most, "file")
        self._faults = [*self.named.faults]

    @property
    def most(self) -> int:
        """The number of files."""
        return len(self.named.paths)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was done to images."""
        done = conversion_notes(self._changes, len(self._kept))
        decoders = decoder_notes(self._warned, tuple(self._printed))
        return (*self.named.notes, *done, *decoders, *margin_notes(self.opened.settings))

    @property
    def faults(self) -> tuple[Diagnostic, ...]:
        """An error for each image that could not be read."""
        return tuple(self._faults)

    def batches(self, reading: Reading = None) -> Iterator[Batch]:
        """Yield all images that can be read; their numbers are without the others.

        Raises:
            UsageError: none can be read.
        """
        values = torch.Size(self.opened.stored).numel()
        step, start = min(MAX_READ_IMAGES, max(_LEAST_READ, _READ_VALUES // values)), 0
        for first in range(0, self.most, step):
            paths = self.named.paths[first : first + step]
            inputs, kept = self._attempt(paths)
            self._kept += kept
            labels, files = self._labels(kept), tuple(map(str, kept))
            for place, end in evaluation_bounds(len(kept), values, self.opened.device):
                some = slice(place, end)
                yield Batch(start + place, inputs[some], labels[some], files[some], self.classes)
            start += len(kept)
            if reading is not None:
                reading(first + len(paths), self.most)
        if not start:
            raise UsageError(self._faults)

    def chosen(self, numbers: Sequence[int]) -> Tensor:
        """Return the inputs of files by their numbers, after all were read."""
        inputs, kept = self._attempt([self._kept[number] for number in numbers])
        assert len(kept) == len(numbers), "files were removed while they were read"
        return inputs

    def _attempt(self, paths: Sequence[Path]) -> tuple[Tensor, list[Path]]:
        opened = self.opened
        pictures = Pictures.prepare(tuple(paths), opened.stored, opened.settings.data.resize, opened.levels)
        read = pictures.attempt(None)
        self._faults += [fault for _, fault in sorted(read.faults.items())]
        self._changes.update(read.changes)
        self._warned += read.warned
        self._printed += read.printed
        split = Split(read.pixels, {})
        found = (
            [*_inputs(opened, split, [(0, split.count)])] if read.kept else [torch.empty(0, *opened.input)]
        )
        return torch.cat(found), [paths[number] for number in read.kept]

    def _labels(self, paths: Sequence[Path]) -> Tensor:
        """Return the classes of files whose folders have the names of some, -1 of others."""
        numbers = {name: number for number, name in enumerate(self.classes)}
        return torch.tensor([numbers.get(path.absolute().parent.name, NO_CLASS) for path in paths])


def images_of(
    opened: Opened, words: Sequence[str], part: str | None, reading: Reading = None, usual: str = TEST
) -> OfSource | OfFiles:
    """Return the images that words name: a data source, or files, folders and patterns.

    Args:
        opened: the network that sees them.
        words: one source such as ``digits``, or names of files.
        part: the part of a source; None for ``usual``.
        reading: called with (images read, of how many).
        usual: the part if none is asked for.

    Raises:
        CnncliError: they cannot be read, or files have no parts.
    """
    if part is not None and part not in PARTS:
        expected = listing([repr(each) for each in PARTS], last=" or ")
        raise usage_error("no such part of the data", expected=expected, received=repr(part))
    if len(words) == 1 and _is_source(words[0]):
        return _of_source(opened, words[0], part or usual, reading)
    if part is not None:
        received = f"the part '{part}' of {listing(words, 4)}"
        raise usage_error(
            "files have no parts", expected="a data source, such as folder:DIR", received=received
        )
    return OfFiles(opened, named_files(words))


def pictures_of(opened: Opened, words: Sequence[str], reading: Reading = None) -> list[Batch]:
    """Return single images, each as a batch: files, or ``test:17`` for one of the run's own data.

    Raises:
        CnncliError: one cannot be read, or there is none of a number.
    """
    parts: dict[str, OfSource] = {}
    found = []
    for word in words:
        numbered = None if exists(word) else _NUMBERED.fullmatch(word)
        if numbered is None:
            files = OfFiles(opened, named_files([word]))
            found += [one for batch in files.batches() for one in _apart(batch)]
            if files.faults:
                raise UsageError(files.faults)
            continue
        part, number = numbered[1], int(numbered[2])
        if part not in parts:
            parts[part] = _of_source(opened, opened.run.record.data.source, part, reading)
        if number >= parts[part].most:
            received, expected = f"number {number:,}", f"0 to {parts[part].most - 1:,}"
            raise usage_error(f"{word}: no such image", expected=expected, received=received)
        one = parts[part].one(number)
        found.append(one if one.files else one._replace(files=(word,)))
    return found


def class_of(one: Batch) -> str:
    """Return the name of the class of a single image; empty if it is not known."""
    label = int(one.labels[0])
    return one.classes[label] if label >= 0 else ""


def shown(opened: Opened, inputs: Tensor) -> Tensor:
    """Return images as pictures, float32 [n, 1 or 3, height, width] with values from 0 to 1, on the CPU.

    Raises:
        UsageError: they are not pictures.
    """
    check_pictures(opened)
    normalization = opened.run.record.normalization
    return unnormalized(normalization, inputs.detach()).clamp(0, 1).cpu()


def check_pictures(opened: Opened) -> None:
    """Check that a network sees pictures.

    Raises:
        UsageError: its input has other axes, or other channels.
    """
    shape = opened.input
    if len(shape) != 3 or shape[0] not in _CHANNELS:
        message = "images of this network cannot be shown"
        expected = "an input of 1 or 3 channels, height and width"
        raise usage_error(message, expected=expected, received=shape_text(shape))


def _apart(batch: Batch) -> Iterator[Batch]:
    for place in range(len(batch.inputs)):
        some = slice(place, place + 1)
        labels, files = batch.labels[some], batch.files[some]
        yield Batch(batch.start + place, batch.inputs[some], labels, files, batch.classes)


def _is_source(word: str) -> bool:
    name, colon, _ = word.partition(":")
    return name in SOURCES and bool(colon) == bool(SOURCES[name].place)


def _inputs(opened: Opened, split: Split, bounds: list[tuple[int, int]]) -> Iterator[Tensor]:
    """Yield what the network sees of images between bounds."""
    feed = Feed(split, {}, opened.run.record.normalization, opened.device, keep=False)
    alters = held_out_alters(opened.settings, split.count)
    for batch in feed.in_order(bounds, alters):
        yield batch.inputs


def _of_source(opened: Opened, source: str, part: str, reading: Reading) -> OfSource:
    found = part_of(opened, source, part, reading)
    if tuple(found.split.shape) != opened.stored:
        raise usage_error(
            f"{found.name} has images of another size",
            expected=shape_text(opened.stored),
            received=shape_text(found.split.shape),
        )
    column, classes = _classes(found.columns)
    return OfSource(
        opened=opened,
        split=found.split,
        source=found.name,
        part=part,
        what=f"{found.what} of {found.name}",
        classes=classes,
        column=column,
        files=found.files,
        notes=(*found.notes, *margin_notes(opened.settings)),
    )


def _classes(columns: Mapping[str, Column]) -> tuple[str | None, tuple[str, ...]]:
    """Return the column of the classes of images and their names; none if they have no classes."""
    found = columns.get(LABEL)
    return (None, ()) if found is None or found.form != CLASS else (LABEL, found.names)
