"""What there is in a source, as it is stored: ``cnncli data``."""

from __future__ import annotations

import hashlib
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import torch
from torch import Tensor

from cnncli.diagnostics import CnncliError, counted, usage_error
from cnncli.limits import MAX_EXAMPLES
from cnncli.results.survey import (
    Channel,
    ClassCounts,
    Duplicates,
    KindOfImages,
    MaskClass,
    Numbers,
    Sheet,
    Spread,
    Survey,
    Unreadable,
)
from cnncli.results.training import Reading
from cnncli.training.data.catalog import Catalog, Tools, in_a_line
from cnncli.training.data.contact_sheet import Row, write_sheet
from cnncli.training.data.load import catalog, unbalanced
from cnncli.training.data.moments import Moments
from cnncli.training.data.recorded import WHOLE_RANGE
from cnncli.training.data.room import Room, available_memory
from cnncli.training.data.sources.pictures import in_order
from cnncli.training.data.sources.reading_notes import conversion_notes, decoder_notes
from cnncli.training.data.sources.remarks import Remarks
from cnncli.training.sheets import check_path

_AXES: Final = {1: ("values",), 2: ("length",), 3: ("height", "width"), 4: ("depth", "height", "width")}
"""The names of the axes of an image besides that of channels, by the number of all its axes."""

_VALUES: Final = 256
"""The values that a pixel of a mask can have."""

_COLORS: Final = {1: ("gray",), 3: ("red", "green", "blue")}
_SCALES: Final = {torch.uint8: 255, torch.int32: WHOLE_RANGE.white}


class Kind(NamedTuple):
    """What images have in common whatever their size: channels, the number of axes, the type of values."""

    channels: int
    axes: int
    dtype: torch.dtype

    @classmethod
    def of(cls, pixels: Tensor) -> Kind:
        """Return the kind of an image, which is [channels, *spatial] or [values]."""
        return cls(1 if pixels.ndim == 1 else len(pixels), pixels.ndim, pixels.dtype)

    @property
    def name(self) -> str:
        """The name for people, such as ``gray of 16 bits``."""
        known = {1: "gray", 3: "color"} if self.axes == 3 else {1: "vectors"} if self.axes == 1 else {}
        values = {torch.uint8: "", torch.int32: " of 16 bits"}.get(self.dtype, " of floating-point values")
        return f"{known.get(self.channels, counted(self.channels, 'channel'))}{values}"

    @property
    def scale(self) -> int:
        """The largest value that there can be; 1 if that is not known."""
        return _SCALES.get(self.dtype, 1)

    @property
    def colors(self) -> tuple[str, ...]:
        """The names of the channels."""
        known = _COLORS.get(self.channels) if self.axes == 3 else None
        return known or tuple(str(number) for number in range(self.channels))


class _Masks(NamedTuple):
    """The pixels of each value in the masks of an image, int64 [256] by column; what is wrong with others."""

    pixels: Mapping[str, Tensor]
    faults: tuple[str, ...]


class _Seen(NamedTuple):
    """What was found in an image; ``digest`` is the same for gray pixels that are stored in color."""

    shape: tuple[int, ...]
    kind: Kind
    digest: bytes
    moments: tuple[Moments, ...]
    changes: tuple[str, ...]
    remarks: tuple[str, ...]
    masks: _Masks


def survey(source: str, sheet: Path | None = None, reading: Reading = None) -> Survey:
    """Read all images of a source in their own sizes, and return what there is.

    Args:
        source: as in a recipe, such as ``folder:DIR``.
        sheet: a PNG file that does not exist, for a contact sheet.
        reading: called while images are read.

    Raises:
        CnncliError: the source does not exist or has no image that can be read, or the sheet cannot be
            written.
    """
    if sheet is not None:
        check_path(sheet)
    found = catalog(source)
    tools = Tools(Remarks(), Room(available_memory()))
    tally = _Tally(found)
    with tools.remarks.kept(), ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        work = in_order(pool, lambda index: _look(found, index, tools), len(found.items))
        for index, seen in enumerate(work):
            tally.add(index, seen)
            if reading is not None:
                reading(index + 1, len(found.items))
        result = tally.survey(tools.remarks.printed)
        return result if sheet is None else replace(result, sheet=tally.sheet(sheet, tools))


def _look(found: Catalog, index: int, tools: Tools) -> _Seen | CnncliError:
    """Return what is in an image, or the error if it cannot be read."""
    try:
        with tools.remarks.of_this_thread() as heard, found.opened(index, tools) as picture:
            pixels = picture.pixels
            channels = pixels.unsqueeze(0) if pixels.ndim == 1 else pixels
            moments = tuple(Moments.of(channel.numpy()) for channel in channels)
            if not all(each.is_finite for each in moments):
                raise usage_error(f"{found.items[index].name}: has values that are not finite numbers")
            kind, shape = Kind.of(pixels), tuple(pixels.shape)
            digest, changes = _digest(pixels), picture.changes
        with tools.remarks.of_this_thread() as of_masks:
            masks = _pixels_of_classes(found, index, tools)
        return _Seen(shape, kind, digest, moments, changes, (*heard, *of_masks), masks)
    except CnncliError as error:
        return error


def _pixels_of_classes(found: Catalog, index: int, tools: Tools) -> _Masks:
    """Count the pixels of each value in the masks of an image, and report masks that cannot be read."""
    pixels, faults = dict[str, Tensor](), list[str]()
    for name, read in found.masks.items():
        try:
            mask = read(index, tools)
        except CnncliError as error:
            faults.append(in_a_line(error))
            continue
        if mask is not None:
            pixels[name] = torch.bincount(mask.flatten(), minlength=_VALUES)
    return _Masks(pixels, tuple(faults))


def _digest(pixels: Tensor) -> bytes:
    """Return what tells an image from others, whatever it was compressed with."""
    if pixels.ndim == 3 and len(pixels) == 3 and bool((pixels == pixels[:1]).all()):
        pixels = pixels[:1]
    digest = hashlib.blake2b(f"{tuple(pixels.shape)} {pixels.dtype}".encode(), digest_size=16)
    digest.update(pixels.contiguous().numpy().data)
    return digest.digest()


class _Tally:
    """Adds up what is found in the images of a catalog."""

    def __init__(self, found: Catalog) -> None:
        self._catalog = found
        self._counts: Counter[tuple[int | None, str]] = Counter()
        self._images: Counter[str] = Counter()
        self._sizes: Counter[tuple[int, ...]] = Counter()
        self._moments: dict[Kind, tuple[Moments, ...]] = {}
        self._of_kind: defaultdict[Kind, list[int]] = defaultdict(list)
        self._same: defaultdict[bytes, list[int]] = defaultdict(list)
        self._changes: Counter[str] = Counter()
        self._pixels = {name: torch.zeros(_VALUES, dtype=torch.int64) for name in found.masks}
        self._with_class = {name: torch.zeros(_VALUES, dtype=torch.int64) for name in found.masks}
        self._warned: list[str] = []
        self._unreadable: list[Unreadable] = []
        self._wrong_masks: list[Unreadable] = []

    def add(self, index: int, seen: _Seen | CnncliError) -> None:
        """Add what was found in an image."""
        item = self._catalog.items[index]
        if isinstance(seen, CnncliError):
            self._unreadable.append(Unreadable(item.name, in_a_line(seen)))
            return
        self._counts.update((label, item.part) for label in item.labels or (None,))
        self._images[item.part] += 1
        self._sizes[seen.shape if len(seen.shape) == 1 else seen.shape[1:]] += 1
        before = self._moments.get(seen.kind)
        pairs = zip(before, seen.moments, strict=True) if before else ()
        self._moments[seen.kind] = tuple(a.with_others(b) for a, b in pairs) or seen.moments
        self._of_kind[seen.kind].append(index)
        self._same[seen.digest].append(index)
        self._wrong_masks += [Unreadable(item.name, fault) for fault in seen.masks.faults]
        for name, pixels in seen.masks.pixels.items():
            self._pixels[name] += pixels
            self._with_class[name] += pixels > 0
        self._changes.update(seen.changes)
        self._warned += [f"{item.name}: {remark}" for remark in seen.remarks[:1]]

    def survey(self, printed: tuple[str, ...]) -> Survey:
        """Return what was found; ``printed`` is what libtiff said.

        Raises:
            UsageError: no image can be read.
        """
        found = self._catalog
        if not self._sizes:
            (first, *_) = self._unreadable
            raise usage_error(
                f"{found.name}: none of {counted(len(found.items), 'image')} can be read",
                received=first.reason,
            )
        return Survey(
            source=found.name,
            parts=found.parts,
            images=tuple(self._images[part] for part in found.parts),
            classes=tuple(self._classes()),
            sizes=tuple(self._spreads()),
            distinct_sizes=len(self._sizes),
            commonest_size=self._sizes.most_common(1)[0],
            kinds=tuple(self._kinds()),
            duplicates=tuple(self._duplicates()),
            unreadable=tuple(self._unreadable),
            numbers=tuple(self._numbers()),
            masks=tuple(self._mask_classes()),
            wrong_masks=tuple(self._wrong_masks),
            warnings=(*found.warnings, *self._imbalance(), *decoder_notes(self._warned, printed)),
            notes=(*found.notes, *conversion_notes(self._changes, self._sizes.total())),
        )

    def sheet(self, path: Path, tools: Tools) -> Sheet:
        """Write a contact sheet of images that can be read."""
        by_class: defaultdict[int | None, list[int]] = defaultdict(list)
        for index in sorted(index for indices in self._of_kind.values() for index in indices):
            for label in self._catalog.items[index].labels or (None,):
                by_class[label].append(index)
        labels: list[int | None] = [*range(len(self._catalog.classes)), None]
        rows = [Row(self._name(label), by_class[label]) for label in labels if by_class[label]]
        return write_sheet(self._catalog, rows, tools, self._shaded, path)

    def _name(self, label: int | None) -> str:
        return "no class" if label is None else self._catalog.classes[label]

    def _shaded(self, pixels: Tensor) -> Tensor:
        """Return an image with values from 0 to 1; other values than bytes by the range of its kind."""
        kind = Kind.of(pixels)
        if pixels.dtype == torch.uint8:
            return pixels.float() / kind.scale
        low = min(each.smallest for each in self._moments[kind])
        high = max(each.largest for each in self._moments[kind])
        return ((pixels.double() - low) / ((high - low) or 1)).float()

    def _classes(self) -> Iterator[ClassCounts]:
        names: list[str | None] = [*self._catalog.classes]
        for label, name in [*enumerate(names), (None, None)]:
            counts = tuple(self._counts[label, part] for part in self._catalog.parts)
            if name is not None or any(counts):
                yield ClassCounts(name, counts)

    def _imbalance(self) -> tuple[str, ...]:
        """Return a warning if one class has many times the images of another, in the first part."""
        part = self._catalog.parts[0]
        counts = [self._counts[label, part] for label in range(len(self._catalog.classes))]
        return unbalanced(self._catalog.classes, counts)

    def _spreads(self) -> Iterator[Spread]:
        for axis, name in enumerate(_AXES[next(iter(self._of_kind)).axes]):
            values = sorted(size[axis] for size in self._sizes.elements())
            yield Spread(name, values[0], statistics.median(values), values[-1])

    def _numbers(self) -> Iterator[Numbers]:
        for name, values in self._catalog.numbers.items():
            there = values[~values.isnan()]
            if len(there):
                found = Moments.of(there.numpy())
                yield Numbers(name, found.count, found.smallest, found.largest, found.mean, found.deviation)

    def _mask_classes(self) -> Iterator[MaskClass]:
        for name, pixels in self._pixels.items():
            for value in pixels.nonzero().flatten().tolist():
                share = int(pixels[value]) / int(pixels.sum())
                yield MaskClass(name, value, int(self._with_class[name][value]), share)

    def _kinds(self) -> Iterator[KindOfImages]:
        """Yield the kinds, the most frequent first."""
        for kind, indices in sorted(self._of_kind.items(), key=lambda item: -len(item[1])):
            named = zip(kind.colors, self._moments[kind], strict=True)
            channels = tuple(_channel(name, moments, kind.scale) for name, moments in named)
            yield KindOfImages(kind.name, len(indices), kind.scale, channels, self._names(indices))

    def _duplicates(self) -> Iterator[Duplicates]:
        """Yield the images that are there several times: first those in several parts."""
        several = [indices for indices in self._same.values() if len(indices) > 1]
        found = [self._duplicate(indices) for indices in several]
        yield from sorted(found, key=lambda each: len(each.parts) == 1)

    def _duplicate(self, indices: Sequence[int]) -> Duplicates:
        items = [self._catalog.items[index] for index in indices]
        parts = dict.fromkeys(item.part for item in items)
        classes = dict.fromkeys(", ".join(map(self._name, item.labels)) for item in items if item.labels)
        first = {item.part: index for index, item in zip(indices[::-1], items[::-1], strict=True)}
        names = self._names(sorted(indices, key=lambda index: (index not in first.values(), index)))
        return Duplicates(len(items), names, tuple(parts), tuple(classes))

    def _names(self, indices: Sequence[int]) -> tuple[str, ...]:
        """Return the names of the first images."""
        return tuple(self._catalog.items[index].name for index in indices[:MAX_EXAMPLES])


def _channel(name: str, found: Moments, scale: int) -> Channel:
    return Channel(name, found.smallest, found.largest, found.mean / scale, found.deviation / scale)
