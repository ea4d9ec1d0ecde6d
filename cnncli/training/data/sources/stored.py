"""Images as they are stored, in files or in arrays, for a catalog."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from cnncli.diagnostics import UsageError
from cnncli.training.data.catalog import Catalog, Item, Opener, Tools, in_a_line
from cnncli.training.data.labels import check_labels, first_class
from cnncli.training.data.sources.decoding import File, Picture, decoded, decoding_memory, named, opened


def of_files(paths: Sequence[File]) -> Opener:
    """Return what reads the images of files; the memory of an image is reserved as long as it is open."""

    @contextmanager
    def read(index: int, tools: Tools) -> Iterator[Picture]:
        with (
            named(paths[index]),
            opened(paths[index]) as image,
            tools.room.reserved(decoding_memory(image), f"decoding {image.width} x {image.height} pixels"),
        ):
            with tools.remarks.of_libtiff(image):
                picture = decoded(image)
            yield picture

    return read


class Stored(NamedTuple):
    """A part in memory: its name, that of its array, images [N, *any shape], labels int64 [N] if known."""

    part: str
    array: str
    images: Tensor
    labels: Tensor | None


def catalog_of(
    name: str, parts: Sequence[Stored], notes: tuple[str, ...] = (), warnings: tuple[str, ...] = ()
) -> Catalog:
    """Return the catalog of a source whose images are in memory, and whose labels are numbers.

    The classes are the numbers from the smallest label to the largest, or, if those are more numbers than
    there are images, the labels themselves. Labels that do not match the images are left out, with a warning.
    """
    parts, faults = _checked(parts)
    labels = [part.labels for part in parts if part.labels is not None]
    if labels:
        faults += _start(torch.cat(labels), name)
    numbers = _classes(torch.cat(labels)) if labels else []
    position = {number: index for index, number in enumerate(numbers)}
    items = tuple(
        Item(part.part, f"{part.array}[{index}]", () if part.labels is None else (position[label],))
        for part in parts
        for index, label in enumerate(_labels(part))
    )
    return Catalog(
        name,
        tuple(map(str, numbers)),
        items,
        of_arrays([part.images for part in parts]),
        notes,
        (*warnings, *faults),
    )


def _checked(parts: Sequence[Stored]) -> tuple[list[Stored], list[str]]:
    """Return the parts without labels of another number than images, and what is wrong with labels."""
    checked, faults = [], []
    for part in parts:
        labels = part.labels
        if labels is None:
            faults.append(f"{part.array} has no labels")
        else:
            try:
                check_labels(labels, len(part.images), part.array)
            except UsageError as error:
                faults.append(in_a_line(error))
                labels = labels if len(labels) == len(part.images) else None
        checked.append(part._replace(labels=labels))
    return checked, faults


def _start(labels: Tensor, name: str) -> list[str]:
    """Return the fault that labels start at 1, if they do."""
    try:
        first_class(labels, labels, name, None)
    except UsageError as error:
        return [in_a_line(error)]
    return []


def _labels(part: Stored) -> list[int]:
    found: list[int] = ([0] * len(part.images)) if part.labels is None else part.labels.tolist()
    return found


def _classes(labels: Tensor) -> list[int]:
    present: list[int] = labels.unique().tolist()
    span = range(present[0], present[-1] + 1)
    return [*span] if len(span) <= max(len(labels), 256) else present


def of_arrays(parts: Sequence[Tensor]) -> Opener:
    """Return what reads the images of arrays, which are counted one after another."""
    ends = [*accumulate(map(len, parts))]

    def read(index: int, _: Tools) -> AbstractContextManager[Picture]:
        number = bisect(ends, index)
        images = parts[number]
        return nullcontext(Picture(images[index - ends[number]], ()))  # counted from the end of its part

    return read
