"""Columns of files that belong to images: masks and target pictures, for the heads that learn them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor

from cnncli.diagnostics import listing, usage_error
from cnncli.layers import shape_text
from cnncli.recipe.columns import MASK, PICTURE, Column
from cnncli.training.data.dataset import IGNORED
from cnncli.training.data.recorded import Levels
from cnncli.training.data.request import Request
from cnncli.training.data.sources.maps import OUTSIDE, Frame, Maps, Place, read_masks, read_targets

BLACK_AND_WHITE: Final = ("black", "white")
"""The classes of masks that have no other values than 0 and 255."""


class Files(NamedTuple):
    """The form of a column of files, ``mask`` or ``picture``, and its files; None without a target."""

    form: str
    paths: tuple[Path | None, ...]


class FileColumns(NamedTuple):
    """The columns of files, their targets, [n, ...], notes, and which samples have all files, bool [n]."""

    columns: Mapping[str, Column]
    targets: Mapping[str, Tensor]
    notes: tuple[str, ...]
    whole: Tensor


def read_columns(
    files: Mapping[str, Files],
    images: Sequence[Path],
    request: Request,
    levels: Levels,
    ends: Sequence[int],
) -> FileColumns:
    """Read the files that belong to some images, if a head learns them.

    Args:
        files: those of each column, one for each image.
        images: the images, part by part.
        request: what the network needs.
        levels: those of the images.
        ends: where each part begins, and where the last one ends.

    Raises:
        UsageError: files cannot be read, or do not fit their images.
    """
    used = {name: each for name, each in files.items() if name in request.outputs}
    if used and len(request.shape) != 3:
        message = f"{listing([*used])} cannot be cut as the input {shape_text(request.shape)}"
        raise usage_error(message, expected="an input of channels, height and width")
    columns, targets, notes = dict[str, Column](), dict[str, Tensor](), list[str]()
    whole = torch.ones(len(images), dtype=torch.bool)
    for name, own in used.items():
        places = [Place(path, image) for path, image in zip(own.paths, images, strict=True)]
        maps = _READERS[own.form](places, request, request.outputs[name], levels)
        maps.found.check([range(*each) for each in pairwise(ends)], request.data.skip)
        whole[list(maps.found.unreadable)] = False
        columns[name], targets[name], said = _COLUMNS[own.form](name, maps, ends[1], request)
        notes += [*maps.found.skipped(), *said]
    unused = [name for name, each in files.items() if each not in used.values()]
    if unused:
        notes.append(f"no head learns {listing(unused)}, so these files are not read")
    return FileColumns(columns, targets, tuple(notes), whole)


def _masks(places: Sequence[Place], request: Request, shape: tuple[int, ...], levels: Levels) -> Maps:
    del shape, levels
    return read_masks(places, request.shape[1:], request.resize, request.reading)


def _targets(places: Sequence[Place], request: Request, shape: tuple[int, ...], levels: Levels) -> Maps:
    """Read pictures in the shape of an output.

    Where an output is smaller than the input, but not a whole number of times, its network has lost borders
    in convolutions without padding: then pictures are read in the size of the input, and the middle is kept.
    """
    size = request.shape[1:]
    loses = any(out < given and given % out for out, given in zip(shape[1:], size, strict=True))
    frame = Frame((shape[0], *size) if loses else shape, size, request.resize)
    maps = read_targets(places, frame, levels, request.reading)
    pixels = maps.pixels
    for axis, (received, wanted) in enumerate(zip(frame.shape[1:], shape[1:], strict=True), 2):
        pixels = pixels.narrow(axis, (received - wanted) // 2, wanted)
    return maps._replace(pixels=pixels)


_READERS: Final = {MASK: _masks, PICTURE: _targets}


def _mask_column(
    name: str, maps: Maps, train: int, request: Request
) -> tuple[Column, Tensor, tuple[str, ...]]:
    """Return the column of masks, its targets, and what is to be said of them."""
    known = request.known.get(name)
    there = _values(maps.values)
    two = there == [0, IGNORED] if known is None else known.names == BLACK_AND_WHITE
    masks = maps.pixels
    if two:
        others = [str(value) for value in there if value not in (0, IGNORED)]
        if others:
            message = f"masks of '{name}' have other values than 0 and 255"
            raise usage_error(message, expected="0 for black, 255 for white", received=listing(others))
        masks = torch.where(masks == IGNORED, 1, masks)
        note = f"masks of '{name}' have the values 0 and 255 only: 255 is the class white"
        return Column(MASK, BLACK_AND_WHITE), _without_outside(masks), (note,)
    trained = [value for value in _values(maps.values[:train]) if value != IGNORED]
    classes = 1 + max(trained, default=0)
    unknown = [str(value) for value in there if classes <= value < IGNORED]
    if unknown:
        raise usage_error(
            f"masks of '{name}' that are held out have classes that those to train on do not have",
            expected=f"classes from 0 to {classes - 1}",
            received=listing(unknown),
        )
    notes = tuple(_remarks(name, there, known, [each for each in range(classes) if each not in trained]))
    return Column(MASK, tuple(map(str, range(classes)))), _without_outside(masks), notes


def _remarks(name: str, there: Sequence[int], known: Column | None, absent: Sequence[int]) -> Iterator[str]:
    """Yield what is to be said of masks with the values ``there``, of which classes are ``absent``.

    ``known`` is the column of masks that a network was trained on; None of masks to train on.
    """
    if known is None and absent:
        yield f"no mask of '{name}' to train on has a pixel of {listing([*map(str, absent)])}"
    if known is not None and there == [0, IGNORED]:
        classes = listing(known.names)
        yield (
            f"masks of '{name}' have the values 0 and 255 only: 255 is left out, since the network was "
            f"trained on masks of {classes}"
        )


def _values(found: Tensor) -> list[int]:
    """Return the values that any of some masks have, of bool [N, 256]."""
    values: list[int] = found.any(0).nonzero().flatten().tolist()
    return values


def _without_outside(masks: Tensor) -> Tensor:
    """Return masks in which pixels beyond their images are left out."""
    return masks.masked_fill(masks == OUTSIDE, IGNORED)


def _picture_column(
    name: str, maps: Maps, train: int, request: Request
) -> tuple[Column, Tensor, tuple[str, ...]]:
    """Return the column of pictures, its targets, and what is to be said of them."""
    del name, train, request
    return Column(PICTURE, (), tuple(maps.pixels.shape[1:])), maps.pixels, ()


_COLUMNS: Final = {MASK: _mask_column, PICTURE: _picture_column}
