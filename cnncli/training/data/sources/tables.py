"""Samples whose images are files: what is known of them before any is read, and how they are read."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final, NamedTuple, Self

import torch
from torch import Tensor

from cnncli.diagnostics import UsageError, counted, listing, usage_error
from cnncli.recipe.columns import CLASS, FORMS, LABEL, MASK, NUMBER, TAGS, Column
from cnncli.training.data.catalog import HELD_OUT, Catalog, Item, Masks, Tools, in_a_line
from cnncli.training.data.dataset import Dataset, Measured, Split
from cnncli.training.data.holdout import held_out as held_out_indices
from cnncli.training.data.holdout import own_validation
from cnncli.training.data.recorded import WHOLE_RANGE, Levels
from cnncli.training.data.request import Request
from cnncli.training.data.sources.file_columns import Files, read_columns
from cnncli.training.data.sources.maps import Place, stored_mask
from cnncli.training.data.sources.pictures import Pictures
from cnncli.training.data.sources.stored import of_files
from cnncli.training.data.targets import class_counts


@dataclass(frozen=True, eq=False, slots=True)
class Samples:
    """Samples with image files at ``paths``.

    ``columns`` and ``targets``, [N, ...], are those that are not files, as
    :class:`~cnncli.training.data.dataset.Split` has them; ``files`` are the other columns.
    """

    paths: tuple[Path, ...]
    columns: Mapping[str, Column]
    targets: Mapping[str, Tensor]
    files: Mapping[str, Files]

    def chosen(self, indices: Sequence[int]) -> Self:
        """Return the samples of these numbers, in this order."""
        index = torch.tensor([*indices], dtype=torch.int64)
        return replace(
            self,
            paths=tuple(self.paths[each] for each in indices),
            targets={name: each[index] for name, each in self.targets.items()},
            files={
                name: each._replace(paths=tuple(each.paths[number] for number in indices))
                for name, each in self.files.items()
            },
        )


class Table(NamedTuple):
    """The samples of a source, those of each part by their numbers, notes, and what identifies its files.

    ``keys`` are names that do not change when the files are moved. Without ``parts`` all samples are in
    ``train``. Without a part ``test``, the one for validation is in its place.
    """

    name: str
    samples: Samples
    keys: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    parts: bool
    notes: tuple[str, ...]
    identity: str
    val: tuple[int, ...] = ()


def with_usual(samples: Samples) -> Samples:
    """Return samples whose columns can also be asked for by the usual name of their form.

    That is the case where there is only one column of the form, and none is called so. All columns of numbers
    together have the usual name of numbers.
    """
    forms = {name: each.form for name, each in samples.columns.items()}
    forms |= {name: each.form for name, each in samples.files.items()}
    columns, targets, files = dict(samples.columns), dict(samples.targets), dict(samples.files)
    for form in FORMS.values():
        own = [name for name in forms if forms[name] == form.name]
        if not own or form.usual in forms or (len(own) > 1 and form.name != NUMBER):
            continue
        if form.name == NUMBER:
            names = tuple(each for name in own for each in columns[name].names)
            columns[form.usual] = Column(NUMBER, names)
            targets[form.usual] = torch.cat([targets[name] for name in own], 1)
        elif own[0] in files:
            files[form.usual] = files[own[0]]
        else:
            columns[form.usual], targets[form.usual] = columns[own[0]], targets[own[0]]
    return replace(samples, columns=columns, targets=targets, files=files)


class _Read(NamedTuple):
    """What was read: each part of the samples, their columns, notes, and the levels of 16-bit images.

    ``rows`` are the numbers of the samples that were read, int64 [N], all parts one after another.
    """

    parts: tuple[Split, ...]
    columns: Mapping[str, Column]
    notes: tuple[str, ...]
    levels: Levels | None
    rows: Tensor


def load(table: Table, request: Request) -> Dataset:
    """Read all samples.

    Raises:
        UsageError: files cannot be read, targets do not match their images, a part has no samples, or a class
            has none to train on.
        CnncliError: there is no room for the images.
    """
    table = _with_parts(table)
    if table.val and request.data.holdout:
        raise own_validation(table.name, request.data.holdout)
    parts = [table.train, *([table.val] if table.val else []), table.test]
    read = _read(table.samples.chosen([row for part in parts for row in part]), request, None, parts)
    train, *val, test = read.parts
    _check_classes(read.columns, train)
    return Dataset(
        name=table.name,
        columns=read.columns,
        train=train,
        test=test,
        notes=(*table.notes, *read.notes),
        identity=table.identity,
        levels=read.levels,
        val=val[0] if val else None,
        unread=tuple(name for name in table.samples.files if name not in read.columns),
    )


def held_out(table: Table, request: Request) -> Measured:
    """Read what :func:`load` holds out, and nothing else.

    Raises:
        UsageError: as :func:`load` does, but only for files that are held out.
    """
    table = _with_parts(table)
    return _measured(table, table.test, "its held-out images", request)


def measure(table: Table, request: Request) -> Measured:
    """Read the test part, or all samples if there is none, to measure a network on.

    Raises:
        UsageError: there are no samples, or files cannot be read.
    """
    indices = table.test or table.train
    images = counted(len(indices), "image")
    what = f"the {images} of its test part" if table.test else f"all {images}"
    return _measured(table, indices, what, request)


def _measured(table: Table, rows: Sequence[int], what: str, request: Request) -> Measured:
    read = _read(table.samples.chosen(rows), request, request.levels, [rows])
    (split,), columns = read.parts, dict(read.columns)
    targets = dict(split.targets)
    for name, column in read.columns.items():
        if column.form == CLASS:
            columns[name], targets[name] = _with_present(column, targets[name])
    return Measured(
        name=table.name,
        columns=columns,
        split=Split(split.images, targets),
        what=what,
        notes=(*table.notes, *read.notes),
        files=tuple(table.keys[rows[number]] for number in read.rows.tolist()),
    )


def _with_present(column: Column, labels: Tensor) -> tuple[Column, Tensor]:
    """Return a column of the classes that samples have, and their numbers in it; -1 stays."""
    present = labels[labels >= 0].unique()
    numbers = torch.full((len(column.names) + 1,), -1, dtype=torch.int64)
    numbers[present] = torch.arange(len(present))
    return Column(CLASS, tuple(column.names[each] for each in present.tolist())), numbers[labels]


def _with_parts(table: Table) -> Table:
    """Return a table with a part to train on and one that is held out, if need be a fixed fifth.

    Raises:
        UsageError: one of them has no samples.
    """
    if table.parts:
        missing = [name for name, part in (("train", table.train), ("test or val", table.test)) if not part]
        if missing:
            message = f"{table.name} has no part {listing(missing)}"
            raise usage_error(message, expected="train, and test or val; or no parts")
        return table
    if len(table.train) < 2:
        raise usage_error(f"{table.name} has {counted(len(table.train), 'image')}", expected="two or more")
    found = table.samples.targets.get(LABEL)
    labels = [0] * len(table.keys) if found is None else found.tolist()
    counts = Counter(labels)
    # The only image of a class is trained on.
    held = tuple(row for row in held_out_indices(labels, table.keys) if counts[labels[row]] > 1)
    if not held:
        message = f"{table.name}: each class has one image, so none can be held out"
        raise usage_error(message, expected="a class with two images or more")
    of_each = " of each class" if found is not None else ""
    note = f"{len(held)} of {counted(len(table.train), 'image')} held out, a fixed fifth{of_each}"
    kept = tuple(sorted({*table.train} - {*held}))
    return table._replace(train=kept, test=held, notes=(note, *table.notes))


def catalog(table: Table) -> Catalog:
    """Return all images, also of a table that cannot be trained on."""
    warnings: tuple[str, ...] = ()
    parts = table.parts
    try:
        table = _with_parts(table)
    except UsageError as error:
        warnings = (f"cannot be trained on: {in_a_line(error)}",)
    places = dict.fromkeys(table.train, "train") | dict.fromkeys(table.val, "val")
    places |= dict.fromkeys(table.test, "test" if parts else HELD_OUT)
    column, labels = _labels(table.samples)
    order = [*table.train, *table.val, *table.test]
    items = tuple(Item(places[row], table.keys[row], labels[row] if labels else ()) for row in order)
    samples = table.samples.chosen(order)
    return Catalog(
        name=table.name,
        classes=column.names,
        items=items,
        opened=of_files(samples.paths),
        notes=table.notes,
        warnings=warnings,
        numbers=_all_numbers(samples),
        masks=_all_masks(samples),
    )


def _all_numbers(samples: Samples) -> dict[str, Tensor]:
    """Return every number by its name, float32 [N]."""
    return {
        each: samples.targets[name][:, place]
        for name, column in samples.columns.items()
        if column.form == NUMBER
        for place, each in enumerate(column.names)
    }


def _all_masks(samples: Samples) -> dict[str, Masks]:
    """Return what reads the masks of each column, of columns with the same files the first."""
    found: dict[str, tuple[Path | None, ...]] = {}
    for name, files in samples.files.items():
        if files.form == MASK and files.paths not in found.values():
            found[name] = files.paths
    return {name: partial(_mask_of, paths, samples.paths) for name, paths in found.items()}


def _mask_of(paths: Sequence[Path | None], images: Sequence[Path], index: int, tools: Tools) -> Tensor | None:
    return stored_mask(Place(paths[index], images[index]), tools)


def _labels(samples: Samples) -> tuple[Column, list[tuple[int, ...]]]:
    """Return the column of classes, or of tags, and the numbers of each sample in it."""
    for form in (CLASS, TAGS):
        name = FORMS[form].usual
        if name in samples.columns:
            return samples.columns[name], [*map(_NUMBERS[form], samples.targets[name])]
    return Column(CLASS), []


def _class_of(label: Tensor) -> tuple[int, ...]:
    return (int(label),) if label >= 0 else ()


def _tags_of(tags: Tensor) -> tuple[int, ...]:
    return tuple((tags == 1).nonzero().flatten().tolist())


_NUMBERS: Final = {CLASS: _class_of, TAGS: _tags_of}


def identity_of(content: bytes, paths: Iterable[Path | None]) -> str:
    """Return the SHA-256 of some content and of the sizes of files; of a file that does not exist, none."""
    digest = hashlib.sha256(content)
    for path in paths:
        try:
            size = None if path is None else path.stat().st_size
        except (OSError, ValueError):  # the latter for a name with a null character
            size = None
        digest.update(f" {size}".encode())
    return digest.hexdigest()


def _read(samples: Samples, request: Request, levels: Levels | None, parts: Sequence[Sequence[int]]) -> _Read:
    """Read samples, those of the first of the ``parts`` first; that part is trained on."""
    how, sizes = request.data, [*map(len, parts)]
    pictures = Pictures.prepare(samples.paths, request.shape, how.resize, levels, how.skip)
    images, kept, notes, levels = pictures.read(request.reading, sizes, request.space)
    starts = accumulate(sizes, initial=0)
    rows = torch.cat([start + numbers for start, numbers in zip(starts, kept, strict=False)])
    ends = [*accumulate(map(len, kept), initial=0)]
    read = samples.chosen(rows.tolist())
    maps = read_columns(read.files, read.paths, request, levels or WHOLE_RANGE, ends)
    columns = {**samples.columns, **maps.columns}
    targets = {**read.targets, **maps.targets}
    splits = []
    for pixels, (start, end) in zip(images, pairwise(ends), strict=True):
        split = Split(pixels, {name: each[start:end] for name, each in targets.items()})
        whole = maps.whole[start:end]
        splits.append(split if whole.all() else split.chosen(whole.nonzero().flatten()))
    return _Read(tuple(splits), columns, (*notes, *maps.notes), levels, rows[maps.whole])


def _check_classes(columns: Mapping[str, Column], train: Split) -> None:
    """Check that each class has a sample to train on, whatever could not be read.

    Raises:
        UsageError: names the classes without one.
    """
    for name, column in columns.items():
        if column.form == CLASS:
            counts = class_counts(CLASS, train.column(name), len(column.names)).tolist()
            empty = [each for each, count in zip(column.names, counts, strict=True) if not count]
            if empty:
                message = f"no training image can be read of {listing(empty)}"
                raise usage_error(message, expected=f"at least one of each class of '{name}'")
