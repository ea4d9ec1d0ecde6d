"""Image files as one tensor of bytes, decoded several at a time; notes count each kind of conversion."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from cnncli.diagnostics import CnncliError, Diagnostic, UsageError, counted, shortened, usage_error
from cnncli.layers import shape_text
from cnncli.limits import MAX_FILES_NAMED
from cnncli.training.data.resize import conform, resize_images, resize_notes, resizing_memory
from cnncli.training.data.room import Room, available_memory, ensure_memory
from cnncli.training.data.sources.decoding import (
    decoded,
    decoding_memory,
    named,
    opened,
)
from cnncli.training.data.sources.remarks import Remarks

_AHEAD: Final = 256
"""Images decoded before those in front of them are counted."""


class _Done(NamedTuple):
    """What was done to an image, and what its decoder warned about."""

    changes: tuple[str, ...]
    remarks: tuple[str, ...]


class Pictures(NamedTuple):
    """Files to read as images of one ``shape``: (channels, height, width)."""

    paths: tuple[Path, ...]
    shape: tuple[int, int, int]
    flat: bool
    resize: str

    @classmethod
    def prepare(cls, paths: tuple[Path, ...], input_shape: tuple[int, ...], resize: str) -> Pictures:
        """Determine the shape before all images are decoded, and check that they fit into memory.

        For a spec whose input is a vector, all images must have the size of the first one.

        Raises:
            UsageError: the spec's input is not an image, or the images do not fit into memory.
        """
        if len(input_shape) == 3:
            shape = (input_shape[0], input_shape[1], input_shape[2])
        elif len(input_shape) == 1:
            shape = _shape_for_vector(paths[0], input_shape[0])
        else:
            raise usage_error(
                f"images do not match the spec's input {shape_text(input_shape)}",
                expected="an input of channels, height and width",
                received=shape_text(input_shape),
                hint="signals and volumes are read from npz:FILE",
            )
        ensure_memory(len(paths) * math.prod(shape), f"{len(paths)} images of {shape_text(shape)}")
        return cls(paths, shape, len(input_shape) == 1, resize)

    def read(self, progress: Callable[[int, int], None] | None) -> tuple[Tensor, tuple[str, ...]]:
        """Return all images as uint8 [N, *the spec's input], and notes.

        Raises:
            UsageError: with one diagnostic for each file that cannot be read or converted.
        """
        images = torch.empty((len(self.paths), *self.shape), dtype=torch.uint8)
        available = available_memory()
        room = Room(None if available is None else available - images.nbytes)
        remarks = Remarks()
        faults: list[Diagnostic] = []
        changes: Counter[str] = Counter()
        warned: list[str] = []

        def read_one(index: int) -> _Done | CnncliError:
            return self._read_one(self.paths[index], images[index], room, remarks)

        with remarks.kept(), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for index, done in enumerate(_in_order(pool, read_one, len(self.paths))):
                if isinstance(done, CnncliError):
                    faults += done.diagnostics
                else:
                    changes.update(done.changes)
                    warned += [f"{self.paths[index]}: {remark}" for remark in done.remarks[:1]]
                if progress is not None:
                    progress(index + 1, len(self.paths))
        if faults:
            raise UsageError(_cut(sorted(faults, key=lambda fault: fault.message)))
        notes = (*_notes(changes, len(self.paths)), *_warnings(warned, remarks.printed))
        if self.flat:
            flattened, note = conform(images, (math.prod(self.shape),), self.resize)
            return flattened, (*notes, *note)
        return images, notes

    def _read_one(self, path: Path, place: Tensor, room: Room, remarks: Remarks) -> _Done | CnncliError:
        """Read a file into its ``place``, uint8 [*shape]; return an error to report it with others."""
        try:
            with (
                remarks.of_this_thread() as heard,
                named(path),
                opened(path) as image,
                room.reserved(self._memory(image), f"decoding {image.width} x {image.height} pixels"),
            ):
                with remarks.of_libtiff(image):
                    pixels, changes = decoded(image)
                image.close()
                received = tuple(pixels.shape)
                self._check_size(received)
                place[...] = resize_images(pixels.unsqueeze(0), self.shape, self.resize)[0]
        except CnncliError as error:
            return error
        # Sizes may differ from file to file, so the notes do not name the original size.
        resized = resize_notes("", received, self.shape, self.resize)
        return _Done((*changes, *(note.strip() for note in resized)), tuple(heard))

    def _memory(self, image: Image.Image) -> int:
        """Return the bytes that reading an opened image takes at most."""
        turns = ((3, image.height, image.width), (3, image.width, image.height))  # rotated or not
        resizing = max(resizing_memory(turn, self.shape) for turn in turns)
        return decoding_memory(image) + resizing + math.prod(self.shape)

    def _check_size(self, received: tuple[int, ...]) -> None:
        if self.flat and received[1:] != self.shape[1:]:
            ours, first = shape_text(received[1:]), shape_text(self.shape[1:])
            raise usage_error(
                f"has {ours} pixels, but the first image has {first}",
                hint="a spec whose input is a vector needs images of one size",
            )


def _in_order(
    pool: ThreadPoolExecutor, work: Callable[[int], _Done | CnncliError], count: int
) -> Iterator[_Done | CnncliError]:
    """Yield the results for 0, 1, ... in this order, but work only a limited number ahead."""
    for start in range(0, count, _AHEAD):
        yield from pool.map(work, range(start, min(start + _AHEAD, count)))


def _shape_for_vector(first: Path, features: int) -> tuple[int, int, int]:
    remarks = Remarks()
    with remarks.kept(), remarks.of_this_thread(), named(first), opened(first) as image:
        what = f"decoding {image.width} x {image.height} pixels"
        ensure_memory(decoding_memory(image), what)
        with remarks.of_libtiff(image):
            channels, height, width = decoded(image).pixels.shape
    if channels * height * width != features:
        raise usage_error(
            f"{first} has {channels * height * width} values, but the spec's input is a vector of {features}",
            expected=f"{features} values",
            received=shape_text((channels, height, width)),
            hint="give the spec an image as its input: then images are resized",
        )
    return channels, height, width


def _cut(faults: list[Diagnostic]) -> list[Diagnostic]:
    if len(faults) <= MAX_FILES_NAMED:
        return faults
    more = Diagnostic("usage", f"and {len(faults) - MAX_FILES_NAMED} more files")
    return [*faults[:MAX_FILES_NAMED], more]


def _notes(changes: Counter[str], total: int) -> tuple[str, ...]:
    """Return a line for each kind of conversion with the number of images, the most frequent first."""
    return tuple(
        f"{'all' if count == total else count} images {change}" if count != 1 else f"1 image {change}"
        for change, count in changes.most_common()
    )


def _warnings(warned: list[str], printed: tuple[str, ...]) -> tuple[str, ...]:
    """Return a line about the images that Pillow warned about, and one about what libtiff said of all."""
    notes = []
    if warned:
        images = "1 image" if len(warned) == 1 else f"{len(warned)} images"
        notes.append(f"{images} may be damaged, as the decoder warned: {shortened(warned[0], 200)}")
    if printed:
        notes.append(
            f"libtiff reported {counted(len(printed), 'problem')}, the first: {shortened(printed[0], 200)}"
        )
    return tuple(notes)
