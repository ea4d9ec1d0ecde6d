"""What ``cnncli data`` finds in a source."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class ClassCounts(NamedTuple):
    """The images of a class in each part; ``name`` is None for images without a class."""

    name: str | None
    counts: tuple[int, ...]


class Spread(NamedTuple):
    """The sizes of images along an axis."""

    axis: str
    smallest: int
    median: float
    largest: int


class Channel(NamedTuple):
    """The values of a channel of all images of a kind.

    ``mean`` and ``deviation`` (of the population) are divided by the ``scale`` of the kind; ``smallest`` and
    ``largest`` are values as they are stored.
    """

    name: str
    smallest: float
    largest: float
    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class KindOfImages:
    """Images with the same channels and values: ``color``, ``gray``, ``gray of 16 bits``.

    ``scale`` is the largest value that they can have: 255, or 65,535; 1 where there is no such value.
    ``first`` are the names of some of the images.
    """

    name: str
    count: int
    scale: int
    channels: tuple[Channel, ...]
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Images with exactly the same pixels: how many, the names of the first, and where they are.

    ``classes`` has the class of an image, or all its tags, as one text.
    """

    count: int
    first: tuple[str, ...]
    parts: tuple[str, ...]
    classes: tuple[str, ...]


class Numbers(NamedTuple):
    """The numbers of a column: how many samples have one, and how they are spread."""

    name: str
    present: int
    smallest: float
    largest: float
    mean: float
    deviation: float


class MaskClass(NamedTuple):
    """A value of the masks of a column: in how many masks it is, and the share of all their pixels."""

    column: str
    value: int
    masks: int
    share: float


class Unreadable(NamedTuple):
    """An image, or its mask, that cannot be read, and the message about it, which names it too."""

    name: str
    reason: str


class Sheet(NamedTuple):
    """A contact sheet: its file, and how many images of how many classes it has."""

    path: Path
    images: int
    classes: int


@dataclass(frozen=True, slots=True)
class Survey:
    """What there is in a source.

    ``parts`` are the names of its parts, ``images`` the numbers of images in them that can be read, and
    ``classes`` those of each class or tag; an image may have several tags.
    ``sizes`` has an entry for each axis of the images besides that of channels; ``distinct_sizes`` is the
    number of different ones, ``commonest_size`` the most frequent, with its number of images. ``duplicates``
    has those in several parts first. ``numbers`` and ``masks`` are what other columns have, ``wrong_masks``
    the masks that cannot be read or do not fit their images. ``warnings`` are what should be looked at before
    a training, ``notes`` what was left out and what is done to images when they are read.
    """

    source: str
    parts: tuple[str, ...]
    images: tuple[int, ...]
    classes: tuple[ClassCounts, ...]
    sizes: tuple[Spread, ...]
    distinct_sizes: int
    commonest_size: tuple[tuple[int, ...], int]
    kinds: tuple[KindOfImages, ...]
    duplicates: tuple[Duplicates, ...]
    unreadable: tuple[Unreadable, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    numbers: tuple[Numbers, ...] = ()
    masks: tuple[MaskClass, ...] = ()
    wrong_masks: tuple[Unreadable, ...] = ()
    sheet: Sheet | None = None

    @property
    def count(self) -> int:
        """The images that can be read."""
        return sum(self.images)

    @property
    def leaks(self) -> tuple[Duplicates, ...]:
        """Images that are in several parts, so that what is measured on one part was seen in another."""
        return tuple(each for each in self.duplicates if len(each.parts) > 1)

    @property
    def contradictions(self) -> tuple[Duplicates, ...]:
        """Images that are in several classes, or that have other tags each time."""
        return tuple(each for each in self.duplicates if len(each.classes) > 1)
