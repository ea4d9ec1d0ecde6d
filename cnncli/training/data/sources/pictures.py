"""Image files as one tensor of bytes, decoded several at a time; notes count each kind of conversion."""

from __future__ import annotations

import itertools
import math
import os
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple, TypeVar

import torch
from PIL import Image
from torch import Tensor

from cnncli.diagnostics import CnncliError, Diagnostic, UsageError, counted, listing, usage_error
from cnncli.layers import shape_text
from cnncli.limits import MAX_FILES_NAMED
from cnncli.training.data.recorded import WHOLE_RANGE, Levels
from cnncli.training.data.resize import conform, resize_images, resize_notes, resizing_memory, shrinkage
from cnncli.training.data.room import Room, ensure_memory
from cnncli.training.data.sources.decoding import (
    File,
    UnreadableError,
    decoded,
    decoding_memory,
    named,
    opened,
    scaled,
    shrink_while_decoding,
)
from cnncli.training.data.sources.reading_notes import conversion_notes, decoder_notes
from cnncli.training.data.sources.remarks import Remarks
from cnncli.training.data.space import MEMORY, Space

T = TypeVar("T")

_AHEAD: Final = 256
"""Images decoded before those in front of them are counted."""

_TOGETHER: Final = 4
"""Images that a thread decodes one after another: a change of threads costs as much as a small image."""


class Done(NamedTuple):
    """What was done to an image, what its decoder warned about, and the range of its 16-bit values."""

    changes: tuple[str, ...]
    remarks: tuple[str, ...]
    range: Levels | None = None


class Found:
    """What was found in the files of ``paths``: errors, conversions, warnings, ranges of 16-bit images.

    ``unreadable`` has an error for each file that cannot be read, ``faults`` all other errors, by file.
    """

    def __init__(self, paths: Sequence[File]) -> None:
        self._paths = paths
        self.faults: dict[int, tuple[Diagnostic, ...]] = {}
        self.unreadable: dict[int, Diagnostic] = {}
        self.changes: Counter[str] = Counter()
        self.warned: list[str] = []
        self.ranges: dict[int, Levels] = {}

    def note(self, index: int, done: Done | CnncliError) -> None:
        """Note what came of a file."""
        if isinstance(done, UnreadableError):
            self.unreadable[index] = done.diagnostics[0]
            return
        if isinstance(done, CnncliError):
            self.faults[index] = done.diagnostics
            return
        self.changes.update(done.changes)
        self.warned += [f"{self._paths[index]}: {remark}" for remark in done.remarks[:1]]
        if done.range is not None:
            self.ranges[index] = done.range

    def check(self, parts: Sequence[range], skip: float) -> None:
        """Check that at most a share ``skip`` of each part cannot be read, and that nothing else is wrong.

        Raises:
            UsageError: otherwise; names the files.
        """
        faults, above = [each for of_file in self.faults.values() for each in of_file], []
        for part in parts:
            found = [each for index, each in self.unreadable.items() if index in part]
            most = min(int(len(part) * skip + 1e-9), max(0, len(part) - 1))
            if len(found) > most:
                faults = [*faults, *found]
                files = f"{len(found)} of {counted(len(part), 'file')} cannot be read"
                expected = f"at most {most} (train.data.skip={skip:g})"
                hint = "repair or remove them, or raise train.data.skip, a share of the files"
                above.append(Diagnostic("usage", files, expected=expected, hint=hint))
        if faults:
            raise UsageError([*_cut(faults), *above])

    def skipped(self) -> tuple[str, ...]:
        """Return a line about the files that were left out."""
        if not self.unreadable:
            return ()
        names = listing([str(self._paths[index]) for index in sorted(self.unreadable)], MAX_FILES_NAMED)
        were = "was" if len(self.unreadable) == 1 else "were"
        files = f"{counted(len(self.unreadable), 'file')} of {len(self._paths)}"
        return (f"{files} cannot be read and {were} left out: {names}",)


class Images(NamedTuple):
    """What was read: notes, the levels of 16-bit images, and for each part of the files two tensors.

    These are ``pixels``, uint8 [N, *the spec's input], and ``kept``, the numbers within the part of the files
    that the images are of, int64 [N]: all that could be read.
    """

    pixels: tuple[Tensor, ...]
    kept: tuple[Tensor, ...]
    notes: tuple[str, ...]
    levels: Levels | None


class Attempt(NamedTuple):
    """What could be read of some files, whatever is wrong with the others.

    ``pixels`` are uint8 [N, *the spec's input], and ``kept`` the numbers of their files, ascending;
    ``faults`` has an error for each of the others. ``changes`` counts the conversions by what they are;
    ``warned`` is what decoders say of files, ``printed`` what libtiff does.
    """

    pixels: Tensor
    kept: tuple[int, ...]
    faults: Mapping[int, Diagnostic]
    changes: Counter[str]
    warned: list[str]
    printed: tuple[str, ...]


class _Decoded(NamedTuple):
    """What was decoded: the ``images`` of each part, uint8, with a gap for each file that was not."""

    images: list[Tensor]
    parts: list[range]
    found: Found
    levels: Levels | None
    printed: tuple[str, ...]


class Pictures(NamedTuple):
    """Files to read as images of one ``shape``: (channels, height, width).

    ``levels`` are those of 16-bit images; None if their own range is measured. A share ``skip`` of the files
    may be unreadable.
    """

    paths: tuple[File, ...]
    shape: tuple[int, int, int]
    flat: bool
    resize: str
    levels: Levels | None = None
    skip: float = 0.0

    @classmethod
    def prepare(
        cls,
        paths: tuple[File, ...],
        input_shape: tuple[int, ...],
        resize: str,
        levels: Levels | None = None,
        skip: float = 0.0,
    ) -> Pictures:
        """Determine the shape before all images are decoded.

        For a spec whose input is a vector, all images must have the size of the first one.

        Raises:
            UsageError: the spec's input is not an image.
        """
        if len(input_shape) == 3:
            shape = (input_shape[0], input_shape[1], input_shape[2])
        elif len(input_shape) == 1:
            shape = _shape_for_vector(paths, input_shape[0])
        else:
            raise usage_error(
                f"images do not match the spec's input {shape_text(input_shape)}",
                expected="an input of channels, height and width",
                received=shape_text(input_shape),
                hint="signals and volumes are read from npz:FILE",
            )
        return cls(paths, shape, len(input_shape) == 1, resize, levels, skip)

    def read(
        self,
        progress: Callable[[int, int], None] | None,
        parts: Sequence[int] = (),
        space: Space = MEMORY,
    ) -> Images:
        """Return all images.

        Images of 16 bits are decoded twice if their levels are not known: first to find the range of those in
        the first part.

        Args:
            progress: called with (files read, of how many).
            parts: the number of files of each part, in their order; by default they are one part. A share of
                each may be unreadable.
            space: where the images of a part are put.

        Raises:
            UsageError: with one diagnostic for each file that cannot be read or converted.
            CnncliError: there is no room for the images.
        """
        images, ranges, found, levels, printed = self._decoded(progress, parts or (len(self.paths),), space)
        found.check(ranges, self.skip)
        kept = [[index - part.start for index in part if index not in found.unreadable] for part in ranges]
        images = [_chosen(part, numbers) for part, numbers in zip(images, kept, strict=True)]
        conversions = conversion_notes(found.changes, sum(map(len, kept)))
        notes = (*found.skipped(), *conversions, *decoder_notes(found.warned, printed))
        flattened = [self._flattened(part) for part in images]
        numbers = tuple(torch.tensor(each, dtype=torch.int64) for each in kept)
        return Images(tuple(part for part, _ in flattened), numbers, (*notes, *flattened[0][1]), levels)

    def attempt(self, progress: Callable[[int, int], None] | None) -> Attempt:
        """Return all images that can be read, and what is wrong with the other files.

        Raises:
            CnncliError: there is no room for the images.
        """
        (images,), _, found, _, printed = self._decoded(progress, (len(self.paths),), MEMORY)
        faults = {index: each[0] for index, each in found.faults.items()} | found.unreadable
        kept = [index for index in range(len(self.paths)) if index not in faults]
        pixels, _ = self._flattened(_chosen(images, kept))
        return Attempt(pixels, tuple(kept), faults, found.changes, found.warned, printed)

    def _flattened(self, images: Tensor) -> tuple[Tensor, tuple[str, ...]]:
        """Return images as the spec's input has them, and a note if that is a vector."""
        return conform(images, (math.prod(self.shape),), self.resize) if self.flat else (images, ())

    def _decoded(
        self, progress: Callable[[int, int], None] | None, sizes: Sequence[int], space: Space
    ) -> _Decoded:
        """Decode all files, in parts of these ``sizes``.

        Raises:
            CnncliError: there is no room for the images.
        """
        count = len(self.paths)
        space.check(count * math.prod(self.shape), f"{count} images of {shape_text(self.shape)}")
        ends = [*itertools.accumulate(sizes)]
        ranges = [range(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        images = [space.empty((size, *self.shape)) for size in sizes]
        room = Room(space.memory_beside(sum(part.nbytes for part in images)))
        remarks, found, levels = Remarks(), Found(self.paths), self.levels

        def read_one(index: int) -> Done | CnncliError:
            part = bisect(ends, index)
            place = images[part][index - ranges[part].start]
            return self._read_one(self.paths[index], place, room, remarks, levels)

        with remarks.kept(), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
            for index, done in enumerate(in_order(pool, read_one, count)):
                found.note(index, done)
                if progress is not None:
                    progress(index + 1, count)
            if levels is None and found.ranges:
                measured = _joint(each for index, each in found.ranges.items() if index < sizes[0])
                levels = measured or WHOLE_RANGE
                for index, done in zip(found.ranges, pool.map(read_one, found.ranges), strict=True):
                    found.note(index, done)
        return _Decoded(images, ranges, found, levels, remarks.printed)

    def _read_one(
        self, path: File, place: Tensor, room: Room, remarks: Remarks, levels: Levels | None
    ) -> Done | CnncliError:
        """Read a file into its ``place``, uint8 [*shape]; return an error to report it with others.

        Without ``levels``, of an image of 16 bits only the range is returned.
        """
        try:
            with (
                remarks.of_this_thread() as heard,
                named(path),
                opened(path) as image,
                room.reserved(self._memory(image), f"decoding {image.width} x {image.height} pixels"),
            ):
                factor = 1 if self.flat else shrink_while_decoding(image, self._shrinkage)
                with remarks.of_libtiff(image):
                    pixels, changes = decoded(image)
                image.close()
                if pixels.dtype != torch.uint8:
                    found = Levels(*map(int, torch.aminmax(pixels)))
                    if levels is None:
                        return Done((), (), found)
                    pixels, changes = scaled(pixels, levels), (*changes, *_scaling(found, levels))
                received = tuple(pixels.shape)
                self._check_size(received)
                place[...] = resize_images(pixels.unsqueeze(0), self.shape, self.resize)[0]
        except CnncliError as error:
            return error
        drafted = (f"decoded at 1/{factor} of the size (JPEG)",) if factor > 1 else ()
        # Sizes may differ from file to file, so the notes do not name the original size.
        whole = (received[0], *(factor * side for side in received[1:]))
        resized = resize_notes("", whole, self.shape, self.resize)
        return Done((*changes, *drafted, *(note.strip() for note in resized)), tuple(heard))

    def _shrinkage(self, size: tuple[int, int]) -> float:
        """Return how many times smaller an image of a height and width becomes."""
        return shrinkage(size, self.shape[1:], self.resize)

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


def _chosen(images: Tensor, kept: Sequence[int]) -> Tensor:
    """Return the images ``kept``, in ascending order, moved within the memory that all of them have."""
    for place, index in enumerate(kept):
        if place != index:
            images[place] = images[index]
    return images[: len(kept)]


def _joint(ranges: Iterable[Levels]) -> Levels | None:
    """Return the range of values that have these ranges; None without any."""
    ends = [*zip(*ranges, strict=True)]
    return Levels(min(ends[0]), max(ends[1])) if ends else None


def _scaling(found: Levels, levels: Levels) -> Iterator[str]:
    """Yield what making bytes of 16-bit values of a range does to them."""
    yield f"of 16 bits, scaled: {levels.black} to {levels.white} became 0 to 255"
    if found.black < levels.black or found.white > levels.white:
        yield "of 16 bits with values outside that range, which were cut to it"


def in_order(pool: ThreadPoolExecutor, work: Callable[[int], T], count: int) -> Iterator[T]:
    """Yield the results for 0, 1, ... in this order, but work only a limited number ahead."""

    def some(start: int) -> list[T]:
        return [work(index) for index in range(start, min(start + _TOGETHER, count))]

    for start in range(0, count, _AHEAD):
        for results in pool.map(some, range(start, min(start + _AHEAD, count), _TOGETHER)):
            yield from results


def _shape_for_vector(paths: Sequence[File], features: int) -> tuple[int, int, int]:
    """Return the shape of the first image that can be read."""
    for path in paths[:-1]:
        try:
            return _vector_shape(path, features)
        except UnreadableError:
            continue
    return _vector_shape(paths[-1], features)


def _vector_shape(first: File, features: int) -> tuple[int, int, int]:
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
    faults = sorted(faults, key=lambda fault: fault.message)
    if len(faults) <= MAX_FILES_NAMED:
        return faults
    more = Diagnostic("usage", f"and {len(faults) - MAX_FILES_NAMED} more files")
    return [*faults[:MAX_FILES_NAMED], more]
