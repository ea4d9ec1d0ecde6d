"""What was found in a network: features of images, neighbors, and what pictures of its inside show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from cnncli.diagnostics import Diagnostic

NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Features(NamedTuple):
    """Vectors that were written: what a ``layer`` of the network ``name`` computes of ``images``.

    Each has ``values`` values; those of maps are all of them, or pooled over the positions: ``pool`` is
    "mean", "max" or empty. ``what`` says which images they are, ``classes`` are the names for their labels.
    ``unreadable`` has an error for each image that could not be read.
    """

    name: str
    weights: Path
    layer: str
    pool: str
    images: int
    values: int
    what: str
    classes: tuple[str, ...]
    written: Path
    notes: tuple[str, ...] = ()
    unreadable: tuple[Diagnostic, ...] = ()


class Neighbor(NamedTuple):
    """An image near another: its number among those that were searched, distance, class and file."""

    number: int
    distance: float
    label: str
    file: str


class Query(NamedTuple):
    """An image, its class if that is known, and its neighbors, the nearest first."""

    image: str
    label: str
    neighbors: tuple[Neighbor, ...]


class Similar(NamedTuple):
    """The nearest of many ``images`` by the Euclidean distance of what a ``layer`` computes of them.

    ``what`` says which images were searched; ``written`` is a picture of them, if one was asked for.
    """

    name: str
    weights: Path
    layer: str
    pool: str
    images: int
    what: str
    queries: tuple[Query, ...]
    written: Path | None = None
    notes: tuple[str, ...] = ()


class Looked(NamedTuple):
    """What a picture of the inside of a network shows.

    ``what`` is the kind of picture. ``facts`` are single figures by their names, and ``rows`` those of each
    of several things, all with the same names. ``values`` are the numbers behind the picture, tensors by
    their names; no page shows them.
    """

    what: str
    name: str
    weights: Path
    facts: Mapping[str, Any]
    rows: tuple[Mapping[str, Any], ...]
    written: Path | None
    notes: tuple[str, ...] = ()
    values: Mapping[str, Any] = NOTHING
