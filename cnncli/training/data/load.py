"""Loading data by name, from any of :data:`~cnncli.recipe.data.SOURCES`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

import torch

from cnncli.diagnostics import UsageError, counted, listing, usage_error
from cnncli.recipe.columns import CLASS, LABEL, Column
from cnncli.recipe.data import Data, Source, parse_source
from cnncli.recipe.metrics import TEST, VAL
from cnncli.results.training import Reading
from cnncli.training.data.catalog import Catalog
from cnncli.training.data.dataset import Dataset, Measured, Split
from cnncli.training.data.holdout import (
    SAME_SHARE,
    check_validation,
    for_validation,
    share_of,
    validation_note,
)
from cnncli.training.data.recorded import WHOLE_RANGE, Levels
from cnncli.training.data.request import NO_COLUMNS, NO_OUTPUTS, Outputs, Request
from cnncli.training.data.sources import (
    coco,
    csv_file,
    digits,
    folder,
    hub,
    idx,
    npz,
    packed,
    pairs,
    remote,
    samples,
    scenes,
    shards,
    tables,
)
from cnncli.training.data.sources.samples import Found
from cnncli.training.data.sources.tables import Table
from cnncli.training.data.space import MEMORY, Space
from cnncli.training.data.targets import class_counts

_Read = TypeVar("_Read", Dataset, Measured)
_T = TypeVar("_T")

_UNBALANCED: Final = 10
"""How many times as many images one class has as another if a note says so."""


_TABLES: Final[Mapping[str, Callable[[Request], Table]]] = {
    "csv": csv_file.table,
    "pairs": pairs.table,
    "coco": coco.table,
}
"""The sources that list files with their targets: what finds the list."""

_ARCHIVES: Final[Mapping[str, Callable[[str], Found]]] = {"shards": shards.found, "hf": hub.found}
"""The sources whose samples have a class each and lie inside of larger files: what finds them."""


def _listed(read: Callable[[Table, Request], _T]) -> dict[str, Callable[[Request], _T]]:
    """Return what reads each of the sources that list files."""

    def of(table: Callable[[Request], Table]) -> Callable[[Request], _T]:
        return lambda request: read(table(request), request)

    return {name: of(table) for name, table in _TABLES.items()}


def _archived(read: Callable[[Found, Request], _T]) -> dict[str, Callable[[Request], _T]]:
    """Return what reads each of the sources of archives."""

    def of(found: Callable[[str], Found]) -> Callable[[Request], _T]:
        return lambda request: read(found(request.place), request)

    return {name: of(found) for name, found in _ARCHIVES.items()}


LOADERS: Final[Mapping[str, Callable[[Request], Dataset]]] = {
    "digits": lambda request: digits.load(request.shape, request.resize),
    "scenes": lambda request: scenes.load(request.shape),
    "idx": lambda request: idx.load(
        request.path, request.shape, request.resize, request.data.first_label, request.space
    ),
    "folder": lambda request: folder.load(
        request.path, request.shape, request.data, request.reading, request.holdout, request.space
    ),
    "npz": lambda request: npz.load(request.path, request.shape, request.data, request.space),
    "packed": lambda request: packed.load(request.path, request.shape, request.data),
    **_archived(samples.load),
    **_listed(tables.load),
}
MEASURERS: Final[Mapping[str, Callable[[Request], Measured]]] = {
    "idx": lambda request: idx.measure(request.path, request.shape, request.resize),
    "folder": lambda request: folder.measure(
        request.path, request.shape, request.data, request.classes, request.levels, request.reading
    ),
    "npz": lambda request: npz.measure(request.path, request.shape, request.resize),
    **_archived(samples.measure),
    **_listed(tables.measure),
}
"""The sources that can be read without a training part; of the others the held-out part is measured."""

HOLDERS: Final[Mapping[str, Callable[[Request], Measured]]] = {
    "idx": lambda request: idx.held_out(request.path, request.shape, request.resize),
    "folder": lambda request: folder.held_out(
        request.path, request.shape, request.data, request.levels, request.reading
    ),
    "npz": lambda request: npz.held_out(request.path, request.shape, request.resize),
    **_archived(samples.held_out),
    **_listed(tables.held_out),
}
"""The sources whose test part can be read without the training part; of the others all parts are read."""

VALIDATORS: Final[Mapping[str, Callable[[Request], Measured]]] = {
    "folder": lambda request: folder.held_out(
        request.path,
        request.shape,
        request.data,
        request.levels,
        request.reading,
        VAL,
        request.holdout,
    ),
}
"""The same for the validation part."""

CATALOGS: Final[Mapping[str, Callable[[Request], Catalog]]] = {
    "digits": lambda _: digits.catalog(),
    "scenes": lambda _: scenes.catalog(),
    "idx": lambda request: idx.catalog(request.path),
    "folder": lambda request: folder.catalog(request.path),
    "npz": lambda request: npz.catalog(request.path),
    "packed": lambda request: packed.catalog(request.path),
    **_archived(lambda found, _: samples.catalog(found)),
    **_listed(lambda table, _: tables.catalog(table)),
}
"""All images of each source, in their own sizes, also of one that cannot be trained on."""

PLACES: Final[Mapping[str, Callable[[str], str]]] = {"shards": remote.absolute, "hf": hub.absolute}
"""How the places of sources that are not paths are written from anywhere."""

IDENTITIES: Final[Mapping[str, Callable[[Request], str]]] = {
    "folder": lambda request: folder.identity(request.path),
    "packed": lambda request: packed.identity(request.path),
    **_listed(lambda table, _: table.identity),
}
"""The sources whose identity is known before an image is read."""


def load(
    data: Data,
    input_shape: tuple[int, ...],
    reading: Reading = None,
    outputs: Outputs = NO_OUTPUTS,
    holdout: float = 0.0,
    space: Space = MEMORY,
) -> Dataset:
    """Read data and convert it to the shape of a network's input, or to a larger one that is shrunk later.

    A validation part is split off before the training part is limited, so it is the same for each limit.

    Args:
        data: the source, and how it is read.
        input_shape: that of the images, (channels, *spatial) or (features,).
        reading: called while images are read.
        outputs: as in :class:`Request`.
        holdout: the share of the training part that is split off for validation, if neither the source has
            such a part nor ``data`` a share.
        space: where images are put that are many.

    Raises:
        UsageError: the source does not exist, is damaged or does not match the spec, or a setting has no
            effect on it.
    """
    data.check()
    request = Request("", input_shape, data, reading, outputs, holdout=holdout, space=space)
    dataset = _read(LOADERS, request)
    if dataset.val is None:
        dataset = with_validation(dataset, data.holdout, holdout)
    dataset = dataset if data.limit == 1 else limited(dataset, data.limit)
    return replace(dataset, notes=(*dataset.notes, *_unbalanced(dataset)))


def catalog(source: str) -> Catalog:
    """Return all images of a source, to look at them; of files none is opened yet.

    Raises:
        UsageError: the source does not exist, is damaged or has no images.
    """
    kind, place = parse_source(source)
    where = _located(place, kind)
    with _reported(where, source):
        return CATALOGS[kind.name](Request(where, (), Data(source=source), None))


def load_measured(
    data: Data,
    input_shape: tuple[int, ...],
    known: Mapping[str, Column],
    reading: Reading = None,
    levels: Levels = WHOLE_RANGE,
    outputs: Outputs = NO_OUTPUTS,
) -> Measured:
    """Read data to measure a network on: its test part if it has parts, otherwise all of it.

    ``known`` are the columns that the network was trained on, ``levels`` those of the 16-bit images; see
    :class:`Request` for ``outputs``.

    Raises:
        UsageError: the source does not exist, is damaged or does not match the spec.
    """
    kind, _ = parse_source(data.source)
    if kind.name in MEASURERS:
        return _read(MEASURERS, Request("", input_shape, data, reading, outputs, known, levels))
    return held_out_part(load(data, input_shape, reading, outputs))


def with_validation(dataset: Dataset, holdout: float | None, default: float) -> Dataset:
    """Return the data with a share of its training images as the validation part, chosen by their numbers.

    The share is ``holdout``, or ``default`` if that is None; for 0 nothing changes.
    """
    train, share = dataset.train, default if holdout is None else holdout
    if not share:
        return dataset
    held = for_validation(strata(train), [str(number) for number in range(train.count)], share)
    check_validation(held, dataset.name)
    chosen = torch.zeros(train.count, dtype=torch.bool)
    chosen[held] = True
    by_class, asked = LABEL in train.columns, holdout is not None
    note = validation_note(len(held), train.count - len(held), by_class=by_class, asked=asked)
    return replace(
        dataset,
        train=train.chosen((~chosen).nonzero().flatten()),
        val=train.chosen(chosen.nonzero().flatten()),
        notes=(*dataset.notes, note),
        normalization=None,
    )


def limited(dataset: Dataset, share: float) -> Dataset:
    """Return the data with a share of its training images; the held-out part stays whole, for comparisons."""
    indices = torch.tensor(share_of(strata(dataset.train), share), dtype=torch.int64)
    part = dataset.train.chosen(indices)
    how = SAME_SHARE if LABEL in part.columns else ""
    note = f"limited to {part.count:,} of {dataset.train.count:,} training images{how}"
    return replace(dataset, train=part, notes=(*dataset.notes, note), normalization=None)


def strata(split: Split) -> list[int]:
    """Return the class of each sample, to take a share of each; the same one if the data has no classes."""
    return split.labels.tolist() if LABEL in split.columns else [0] * split.count


def _unbalanced(dataset: Dataset) -> tuple[str, ...]:
    """Return a note if one class has many times as many training images as another, which accuracy hides.

    Classes without any have a note of their own.
    """
    if LABEL not in dataset.columns:
        return ()
    counts = class_counts(CLASS, dataset.train.column(LABEL), len(dataset.classes)).tolist()
    return unbalanced(dataset.classes, counts)


def unbalanced(classes: Sequence[str], counts: Sequence[int]) -> tuple[str, ...]:
    """Return a note if one of the ``classes`` has many times as many training images as another."""
    sizes = sorted((count, name) for count, name in zip(counts, classes, strict=True) if count)[::-1]
    if not sizes or sizes[0][0] < _UNBALANCED * sizes[-1][0]:
        return ()
    each = listing([f"{count:,} {name}" for count, name in sizes], limit=8)
    return (f"unbalanced classes, from {sizes[-1][0]:,} to {sizes[0][0]:,} training images: {each}",)


def load_held_out(
    data: Data,
    input_shape: tuple[int, ...],
    reading: Reading = None,
    levels: Levels = WHOLE_RANGE,
    outputs: Outputs = NO_OUTPUTS,
    known: Mapping[str, Column] = NO_COLUMNS,
    part: str = TEST,
    holdout: float = 0.0,
) -> Measured:
    """Read a part that :func:`load` holds out, without decoding the training part where that is possible.

    ``levels`` and ``known`` columns are those that :func:`load` has found, ``holdout`` is what it was given;
    see :class:`Request` for ``outputs``.

    Raises:
        UsageError: the source does not exist, is damaged or does not match the spec.
    """
    kind, _ = parse_source(data.source)
    holders = HOLDERS if part == TEST else VALIDATORS
    if kind.name not in holders:
        return held_out_part(load(data, input_shape, reading, outputs, holdout), part)
    request = Request("", input_shape, data, reading, outputs, known, levels, holdout)
    found = _read(holders, request)
    return replace(found, what=_held_out(found.split, part))


def training_files(data: Data, holdout: float) -> tuple[str, ...]:
    """Return the names of the files of the training part of a folder; none for another source."""
    kind, place = parse_source(data.source)
    if kind.name != "folder":
        return ()
    return folder.training_files(Path(_located(place, kind)), data, holdout)


def held_out_part(dataset: Dataset, part: str = TEST) -> Measured:
    """Return a held-out part of a data set, to measure a network on.

    Raises:
        UsageError: it has no validation part, which was asked for.
    """
    split = dataset.test if part == TEST else dataset.val
    if split is None:
        raise usage_error(f"{dataset.name} has no validation part", expected="the data as it was trained on")
    return Measured(dataset.name, dataset.columns, split, _held_out(split, part), dataset.notes)


def identity(data: Data) -> str | None:
    """Return the identity that a :class:`Dataset` of some data has, without reading an image.

    None if the source has none, or cannot be trained on.
    """
    kind, place = parse_source(data.source)
    if kind.name not in IDENTITIES:
        return None
    try:
        return IDENTITIES[kind.name](Request(_located(place, kind), (), data, None))
    except (OSError, UsageError):
        return None


def _held_out(split: Split, part: str) -> str:
    return f"the {counted(split.count, 'held-out image' if part == TEST else 'validation image')}"


def resolved(source: str) -> str:
    """Return a source with an absolute path, as :class:`Dataset` and :class:`Measured` name it.

    Raises:
        UsageError: it does not exist.
    """
    kind, place = parse_source(source)
    return f"{kind.name}:{_located(place, kind)}" if kind.place else kind.name


def _read(readers: Mapping[str, Callable[[Request], _Read]], request: Request) -> _Read:
    """Read the source of a request, whose path is not known yet."""
    source = request.data.source
    kind, place = parse_source(source)
    where = _located(place, kind)
    with _reported(where, source):
        return readers[kind.name](request._replace(place=where))


@contextmanager
def _reported(place: str, source: str) -> Iterator[None]:
    """Report what sources do not report themselves: a folder without permission, a loop of links.

    Raises:
        UsageError: within the block something cannot be read.
    """
    try:
        yield
    except OSError as error:
        where = error.filename if error.filename is not None else place
        raise usage_error(f"cannot read {where}: {error.strerror or error}", received=source) from error


def _located(place: str, kind: Source) -> str:
    """Return the absolute path of a source, or its pattern; an address as it is.

    Raises:
        UsageError: it is a path that does not exist.
    """
    if not kind.is_path:
        return PLACES[kind.name](place) if kind.name in PLACES else place
    received = f"{kind.name}:{place}"
    try:
        path = Path(place).expanduser().resolve()
        exists = path.exists()
    except (OSError, RuntimeError, ValueError) as error:  # too long, an unknown user, a null character
        message = f"no such file or folder: {place}: {error}"
        raise usage_error(message, expected=kind.form, received=received) from error
    if not exists:
        raise usage_error(f"no such file or folder: {path}", expected=kind.form, received=received)
    return str(path)
