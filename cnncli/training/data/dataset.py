"""Images and targets in memory, which every data source provides."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import torch
from torch import Tensor

from cnncli.diagnostics import listing, usage_error
from cnncli.recipe.columns import CLASS, LABEL, MASK, NUMBER, PICTURE, TAGS, Column, class_names
from cnncli.training.data.normalization import measure
from cnncli.training.data.packs.arrays import MappedFile
from cnncli.training.data.recorded import Levels, Normalization
from cnncli.training.data.rows import Rows

IGNORED: Final = 255
"""The byte of a mask's pixel, or of a sample's tags, that says that there is no target."""


@dataclass(frozen=True, eq=False, slots=True)
class Split:
    """One part of the data: ``images`` uint8 [N, *the input shape], and ``targets`` by the names of columns.

    The targets of a column are, by its form (:mod:`cnncli.recipe.columns`):

    - ``class``: int64 [N], -1 without a target
    - ``tags``: uint8 [N, tags], 0 or 1; :data:`IGNORED` without a target
    - ``number``: float32 [N, numbers], NaN without a target
    - ``mask``: uint8 [N, *the spatial shape of the images], pixels of :data:`IGNORED` are left out
    - ``picture``: uint8 [N, channels, *any spatial shape]
    """

    _images: Tensor
    _targets: Mapping[str, Tensor]
    _numbers: Tensor | None = None
    _files: tuple[MappedFile, ...] = ()

    @property
    def images(self) -> Tensor:
        """All images. If the part is some of a larger one, this gathers them: see :attr:`rows`."""
        return self.rows.whole()

    @property
    def targets(self) -> Mapping[str, Tensor]:
        """The targets of all images, by the names of columns; gathered as :attr:`images` are."""
        return {name: self.column(name).whole() for name in self._targets}

    @property
    def rows(self) -> Rows:
        """The images, which may be more than fits into memory."""
        return Rows(self._images, self._numbers, self._files)

    def column(self, name: str) -> Rows:
        """Return the targets of a column, which may be more than fits into memory."""
        return Rows(self._targets[name], self._numbers, self._files)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self._targets)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of an image."""
        return tuple(self._images.shape[1:])

    @property
    def count(self) -> int:
        """N, the number of images."""
        return self.rows.count

    @property
    def nbytes(self) -> int:
        """The bytes of images and targets together."""
        return self.rows.nbytes + sum(self.column(name).nbytes for name in self._targets)

    @property
    def labels(self) -> Tensor:
        """The targets of the column ``label``."""
        return self.column(LABEL).whole()

    def chosen(self, indices: Tensor) -> Self:
        """Return the samples of these numbers, int64 [n]; none are gathered."""
        return replace(self, _numbers=self.rows.chosen(indices).numbers)


def labeled(images: Tensor, labels: Tensor) -> Split:
    """Return images with one class each, int64 [N]."""
    return Split(images, {LABEL: labels})


def of_classes(names: Sequence[str]) -> dict[str, Column]:
    """Return the columns of images with one of these classes each."""
    return {LABEL: Column(CLASS, tuple(names))}


@dataclass(frozen=True, eq=False, slots=True)
class Dataset:
    """Images with targets in a spec's input shape, split into a training part and held-out parts.

    The test part is there always, the validation part ``val`` if there is anything to choose with it.

    ``name`` is the source as :func:`cnncli.training.data.load.load` takes it, with an absolute path;
    ``notes`` has one line for each conversion of the images. ``identity`` is a text that changes with the
    files; None for data that is read in full from a few files, or from none. ``levels`` are those of 16-bit
    images; None if the training part has none. ``normalization`` is that of the training images, if it is
    known already. ``unread`` are columns of files that no head learns.
    """

    name: str
    columns: Mapping[str, Column]
    train: Split
    test: Split
    notes: tuple[str, ...] = ()
    identity: str | None = None
    levels: Levels | None = None
    val: Split | None = None
    normalization: Normalization | None = None
    unread: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[Split, ...]:
        """All parts: the training part, the test part, and the validation part if there is one."""
        return (self.train, self.test) if self.val is None else (self.train, self.test, self.val)

    @property
    def val_count(self) -> int:
        """The number of images of the validation part; 0 without one."""
        return 0 if self.val is None else self.val.count

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of the column ``label``; none without one."""
        return class_names(self.columns)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one image: (channels, *spatial) or (features,)."""
        return self.train.shape

    def normalized(self) -> Normalization:
        """Return what gives the training images mean 0 and deviation 1."""
        return self.normalization or measure(self.train.rows)

    def fingerprint(self) -> str:
        """Return what tells the data from other data.

        That is its identity, or, without one, the SHA-256 of the columns and of the shapes, targets and
        images of all parts.
        """
        if self.identity is not None:
            return self.identity
        digest = hashlib.sha256(repr(sorted(self.columns.items())).encode())
        for split in self.parts:
            digest.update(repr((split.count, *split.shape)).encode())
            for rows in (*map(split.column, sorted(split.columns)), split.rows):
                for chunk in rows.chunks():
                    digest.update(chunk.contiguous().numpy().data)
        return digest.hexdigest()


@dataclass(frozen=True, eq=False, slots=True)
class Measured:
    """Images with targets to measure a network on.

    The names of ``columns`` are those of the classes, tags and numbers that these images have. ``what`` says
    which images of the source ``name`` they are: ``all 300 images``. ``files`` are the names of the images,
    if they have some.
    """

    name: str
    columns: Mapping[str, Column]
    split: Split
    what: str
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def images(self) -> tuple[str, ...]:
        """The names of the images, or their numbers, from 0."""
        return self.files or tuple(map(str, range(self.split.count)))

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes of the column ``label``; none without one."""
        return class_names(self.columns)

    def as_known(self, known: Mapping[str, Column]) -> Split:
        """Return the images with targets as in the columns that a network was trained on, by their names.

        Columns that the network does not know are left out.

        Raises:
            UsageError: a class, tag or number is not among those of the known column of that name.
        """
        shared = [name for name in known if name in self.columns]
        targets = {name: self._as_known(name, known[name]) for name in shared}
        return Split(self.split.images, targets)

    def _as_known(self, name: str, known: Column) -> Tensor:
        found, target = self.columns[name], self.split.targets[name]
        if found == known or known.form == PICTURE:
            return target
        unknown = [each for each in found.names if each not in known.names]
        if unknown or found.form != known.form:
            what = "classes" if name == LABEL else f"'{name}'"
            raise usage_error(
                f"{self.name} has {what} that the network was not trained on: {listing(unknown)}",
                expected=f"only {listing(known.names)}",
                received=listing(found.names),
            )
        return _RENUMBERED[known.form](target, [known.names.index(each) for each in found.names], known)


def _renumbered_classes(labels: Tensor, numbers: Sequence[int], known: Column) -> Tensor:
    del known
    table = torch.tensor([*numbers, -1], dtype=torch.int64)  # the last one for no target
    return table[labels]


def _renumbered_mask(mask: Tensor, numbers: Sequence[int], known: Column) -> Tensor:
    del known
    table = torch.full((IGNORED + 1,), IGNORED, dtype=torch.uint8)
    table[: len(numbers)] = torch.tensor(numbers, dtype=torch.uint8)
    return table[mask.to(torch.int64)]


def _renumbered_tags(tags: Tensor, numbers: Sequence[int], known: Column) -> Tensor:
    """Return tags [N, known tags]; those that the data does not have are 0."""
    result = tags.new_zeros((len(tags), len(known.names)))
    result[:, list(numbers)] = tags
    missing = (tags == IGNORED).any(1)
    result[missing] = IGNORED
    return result


def _renumbered_numbers(values: Tensor, numbers: Sequence[int], known: Column) -> Tensor:
    result = values.new_full((len(values), len(known.names)), torch.nan)
    result[:, list(numbers)] = values
    return result


_RENUMBERED: Final = {
    CLASS: _renumbered_classes,
    MASK: _renumbered_mask,
    TAGS: _renumbered_tags,
    NUMBER: _renumbered_numbers,
}
