"""Samples that were listed one by one: an image, a label, and a name; their parts, classes and pixels.

What is common to the sources whose images are within other files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cnncli.diagnostics import UsageError, counted, listing, usage_error
from cnncli.training.data.catalog import HELD_OUT, Catalog, Item, in_a_line
from cnncli.training.data.dataset import Dataset, Measured, labeled, of_classes
from cnncli.training.data.holdout import held_out as held_out_of
from cnncli.training.data.holdout import own_validation
from cnncli.training.data.labels import check_labels, first_class, named_labels, numbered_classes
from cnncli.training.data.request import Request
from cnncli.training.data.sources.decoding import File
from cnncli.training.data.sources.layout import Role
from cnncli.training.data.sources.pictures import Pictures
from cnncli.training.data.sources.stored import of_files


class Sample(NamedTuple):
    """An image of ``size`` bytes, its label (a number, or the name of a class), a name that never changes."""

    image: File
    size: int
    label: int | str
    key: str


class Found(NamedTuple):
    """The samples of the source ``name`` by the part that they are in, None where none is said, and notes."""

    name: str
    parts: Mapping[Role | None, tuple[Sample, ...]]
    notes: tuple[str, ...] = ()

    @property
    def test(self) -> tuple[Sample, ...]:
        """The samples of the test part, or of the validation part if there is no other."""
        return self.parts.get("test") or self.parts.get("val") or ()


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


def load(found: Found, request: Request) -> Dataset:
    """Read the images of samples.

    With two parts, ``val`` is the test part; without any, a fixed fifth of each class is held out.

    Raises:
        UsageError: labels do not number classes, or images cannot be read; names them.
        CnncliError: there is no room for the images.
    """
    listed, how = _listed(found), request.data
    if listed.val and how.holdout:
        raise own_validation(found.name, how.holdout)
    named = _named(found.name, listed, how.first_label)
    files = tuple(sample.image for part in listed.parts for sample in part)
    pictures = Pictures.prepare(files, request.shape, how.resize, skip=how.skip)
    sizes = [*map(len, listed.parts)]
    images, kept, notes, levels = pictures.read(request.reading, sizes, request.space)
    train, test, *val = (
        labeled(pixels, labels[numbers])
        for pixels, labels, numbers in zip(images, named.parts, kept, strict=True)
    )
    return Dataset(
        name=found.name,
        columns=of_classes(named.classes),
        train=train,
        test=test,
        notes=(*listed.notes, *named.notes, *notes),
        identity=_identity(named.classes, listed),
        levels=levels,
        val=val[0] if val else None,
    )


def held_out(found: Found, request: Request) -> Measured:
    """Read the test part of :func:`load`, with the levels of the training part.

    Raises:
        UsageError: as :func:`load` does, but of images only for those that are held out.
    """
    return _measured(found.name, _listed(found).test, "its held-out images", request)


def measure(found: Found, request: Request) -> Measured:
    """Read the test part, or all samples if there are no parts.

    Raises:
        UsageError: labels are of two types, or images cannot be read.
    """
    samples = found.test or tuple(sample for part in found.parts.values() for sample in part)
    count = counted(len(samples), "image")
    what = f"the {count} of its test part" if found.test else f"all {count}"
    return _measured(found.name, samples, what, request)


def catalog(found: Found) -> Catalog:
    """Return all samples, also of a source that cannot be trained on."""
    warnings: tuple[str, ...] = ()
    parts: dict[str, tuple[Sample, ...]] = {role or "train": part for role, part in found.parts.items()}
    try:
        listed = _listed(found)
        parts = parts if found.test else {"train": listed.train, HELD_OUT: listed.test}
    except UsageError as error:
        warnings = (in_a_line(error),)
    samples = [(part, sample) for part, listed_samples in parts.items() for sample in listed_samples]
    labels = sorted(
        {sample.label for _, sample in samples}, key=lambda label: (isinstance(label, str), label)
    )
    numbers = {label: number for number, label in enumerate(labels)}
    items = tuple(Item(part, str(sample.image), (numbers[sample.label],)) for part, sample in samples)
    opened = of_files([sample.image for _, sample in samples])
    return Catalog(found.name, tuple(map(str, labels)), items, opened, found.notes, warnings)


def _listed(found: Found) -> Listed:
    """Return the samples of each part.

    Raises:
        UsageError: it is not clear which those are, or there are none to train on.
    """
    if None in found.parts and len(found.parts) > 1:
        named = listing([role for role in found.parts if role])
        raise usage_error(
            f"{found.name}: some of it has names of parts ({named}), the rest does not",
            expected="train and test (or val) in every name, or in none",
        )
    train = found.parts.get("train") or found.parts.get(None)
    if train is None:
        received = f"only {listing([str(role) for role in found.parts])}"
        raise usage_error(f"{found.name} has no training part", expected="a part train", received=received)
    if found.test:
        val = found.parts.get("val", ()) if "test" in found.parts else ()
        return Listed(train, found.test, val, found.notes)
    listed = _in_two_parts(found.name, train)
    return listed._replace(notes=(*found.notes, *listed.notes))


def _in_two_parts(name: str, samples: Sequence[Sample]) -> Listed:
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
    held = held_out_of([numbers[label] for label in labels], [sample.key for sample in samples])
    among = set(held)
    note = f"{len(held)} of {len(samples)} images held out, a fixed fifth of each class"
    kept = (sample for index, sample in enumerate(samples) if index not in among)
    return Listed(tuple(kept), tuple(samples[index] for index in held), notes=(note,))


def _measured(name: str, samples: Sequence[Sample], what: str, request: Request) -> Measured:
    """Read the images of samples to measure a network on, with the classes that occur among them."""
    labels = _one_type(name, samples)
    if isinstance(labels, list):
        classes = tuple(sorted(set(labels)))
        numbers = torch.tensor([classes.index(label) for label in labels], dtype=torch.int64)
    else:
        classes, numbers = named_labels(labels)
    files = tuple(sample.image for sample in samples)
    how = request.data
    pictures = Pictures.prepare(files, request.shape, how.resize, request.levels, how.skip)
    (images,), (kept,), notes, _ = pictures.read(request.reading)
    names = tuple(samples[number].key for number in kept.tolist())
    return Measured(name, of_classes(classes), labeled(images, numbers[kept]), what, notes, names)


def _named(name: str, listed: Listed, first_label: int | None) -> Named:
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
