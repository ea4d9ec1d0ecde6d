"""Samples that were listed one by one: an image, a label, and a name; their parts, classes and pixels.

What is common to the sources whose images are within other files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cnncli.diagnostics import counted, listing, usage_error
from cnncli.recipe.data import Data
from cnncli.results.training import Reading
from cnncli.training.data.catalog import Catalog, Item
from cnncli.training.data.dataset import Dataset, Levels, Measured, labeled, of_classes
from cnncli.training.data.holdout import held_out, own_validation
from cnncli.training.data.labels import check_labels, first_class, named_labels, numbered_classes
from cnncli.training.data.sources.decoding import File
from cnncli.training.data.sources.pictures import Pictures
from cnncli.training.data.sources.stored import of_files
from cnncli.training.data.space import MEMORY, Space


class Sample(NamedTuple):
    """An image of ``size`` bytes, its label (a number, or the name of a class), a name that never changes."""

    image: File
    size: int
    label: int | str
    key: str


class Listed(NamedTuple):
    """The samples of all parts, and notes; ``val`` is empty without a validation part."""

    train: tuple[Sample, ...]
    test: tuple[Sample, ...]
    val: tuple[Sample, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def parts(self) -> tuple[tuple[Sample, ...], ...]:
        """The parts that there are: training, test, validation."""
        return (self.train, self.test, self.val) if self.val else (self.train, self.test)


class Named(NamedTuple):
    """The classes of samples, and their numbers for each part, int64 [N]."""

    classes: tuple[str, ...]
    parts: tuple[Tensor, ...]
    notes: tuple[str, ...] = ()


def in_two_parts(name: str, samples: Sequence[Sample]) -> Listed:
    """Return samples of the source ``name`` of which a fixed fifth of each class is held out.

    Raises:
        UsageError: a class has a single sample, or labels are of two types.
    """
    _one_type(name, samples)
    labels = [sample.label for sample in samples]
    lonely = sorted(str(label) for label in set(labels) if labels.count(label) < 2)
    if lonely:
        raise usage_error(
            f"{name}: a fifth of one image cannot be held out; classes with one image: {listing(lonely)}",
            expected="at least two images of each class",
        )
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    held = held_out([numbers[label] for label in labels], [sample.key for sample in samples])
    among = set(held)
    note = f"{len(held)} of {len(samples)} images held out, a fixed fifth of each class"
    kept = (sample for index, sample in enumerate(samples) if index not in among)
    return Listed(tuple(kept), tuple(samples[index] for index in held), notes=(note,))


def load_samples(
    name: str,
    listed: Listed,
    input_shape: tuple[int, ...],
    how: Data,
    reading: Reading = None,
    space: Space = MEMORY,
) -> Dataset:
    """Read the images of samples.

    Raises:
        UsageError: labels do not number classes, or files cannot be read.
        CnncliError: there is no room for the images.
    """
    if listed.val and how.holdout:
        raise own_validation(name, how.holdout)
    found = classes_of(name, listed, how.first_label)
    files = tuple(sample.image for part in listed.parts for sample in part)
    pictures = Pictures.prepare(files, input_shape, how.resize, skip=how.skip)
    images, kept, notes, levels = pictures.read(reading, [*map(len, listed.parts)], space)
    train, test, *val = (
        labeled(pixels, labels[numbers])
        for pixels, labels, numbers in zip(images, found.parts, kept, strict=True)
    )
    return Dataset(
        name=name,
        columns=of_classes(found.classes),
        train=train,
        test=test,
        notes=(*listed.notes, *found.notes, *notes),
        identity=_identity(found.classes, listed),
        levels=levels,
        val=val[0] if val else None,
    )


def measure_samples(
    name: str,
    samples: Sequence[Sample],
    what: str,
    input_shape: tuple[int, ...],
    how: Data,
    levels: Levels,
    reading: Reading = None,
) -> Measured:
    """Read the images of samples to measure a network on, with the classes that occur among them.

    Raises:
        UsageError: labels are of two types, or files cannot be read.
    """
    labels = _one_type(name, samples)
    if isinstance(labels, list):
        classes = tuple(sorted(set(labels)))
        numbers = torch.tensor([classes.index(label) for label in labels], dtype=torch.int64)
    else:
        classes, numbers = named_labels(labels)
    files = tuple(sample.image for sample in samples)
    pictures = Pictures.prepare(files, input_shape, how.resize, levels, how.skip)
    (images,), (kept,), notes, _ = pictures.read(reading)
    return Measured(name, of_classes(classes), labeled(images, numbers[kept]), what, notes)


def catalog_of_samples(
    name: str,
    parts: Mapping[str, Sequence[Sample]],
    notes: tuple[str, ...],
    warnings: tuple[str, ...],
) -> Catalog:
    """Return the samples of some parts, to look at them."""
    samples = [(part, sample) for part, listed in parts.items() for sample in listed]
    labels = sorted(
        {sample.label for _, sample in samples}, key=lambda label: (isinstance(label, str), label)
    )
    numbers = {label: number for number, label in enumerate(labels)}
    items = tuple(Item(part, str(sample.image), (numbers[sample.label],)) for part, sample in samples)
    opened = of_files([sample.image for _, sample in samples])
    return Catalog(name, tuple(map(str, labels)), items, opened, notes, warnings)


def classes_of(name: str, listed: Listed, first_label: int | None) -> Named:
    """Return the classes of samples, numbered from the first label on or in the order of their names.

    Raises:
        UsageError: labels are of two types or do not number classes, or only the held-out part has a class.
    """
    count, sizes = len(listed.train), [*map(len, listed.parts)]
    labels = _one_type(name, [sample for part in listed.parts for sample in part])
    if not isinstance(labels, list):
        check_labels(labels, sum(sizes), name)
        train, held = labels[:count], labels[count:]
        first = first_class(train, held, name, first_label)
        classes, notes = numbered_classes(train, held, name, first)
        return Named(classes, (labels - first).split(sizes), notes)
    classes = tuple(sorted(set(labels[:count])))
    unknown = sorted(set(labels[count:]) - set(classes))
    if unknown:
        raise usage_error(
            f"{name}: the held-out part has classes that the training part does not have: {listing(unknown)}",
            expected=f"only {listing(classes)}",
        )
    numbers = {each: number for number, each in enumerate(classes)}
    numbered = torch.tensor([numbers[label] for label in labels], dtype=torch.int64)
    return Named(classes, numbered.split(sizes))


def _one_type(name: str, samples: Sequence[Sample]) -> Tensor | list[str]:
    """Return the labels as int64 [N], or as the names of classes."""
    names = [sample.label for sample in samples if isinstance(sample.label, str)]
    if names and len(names) != len(samples):
        raise usage_error(
            f"{name}: {len(names)} of {counted(len(samples), 'label')} are names, the rest numbers",
            expected="labels of one form",
            received=listing(sorted(set(names)), limit=4),
        )
    return names or torch.tensor([int(sample.label) for sample in samples], dtype=torch.int64)


def _identity(classes: Sequence[str], listed: Listed) -> str:
    """Return the SHA-256 of the names, sizes and labels of all samples, their parts and classes."""
    digest = hashlib.sha256(repr(tuple(classes)).encode())
    for part in listed.parts:
        digest.update(repr([sample[1:] for sample in part]).encode())
    return digest.hexdigest()
