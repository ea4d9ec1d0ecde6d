"""``npz:FILE``: NumPy arrays x_train, y_train, x_test and y_test, with images in any common layout.

The arrays x_val and y_val, if they are there, are a validation part.

Nothing is unpickled: an array of Python objects is an error.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from cnncli.diagnostics import CnncliError, UsageError, counted, listing, usage_error
from cnncli.layers import shape_text
from cnncli.recipe.data import Data
from cnncli.training.data.catalog import Catalog, in_a_line
from cnncli.training.data.dataset import Dataset, Measured
from cnncli.training.data.holdout import own_validation
from cnncli.training.data.recorded import WHOLE_RANGE
from cnncli.training.data.sources.arrays import (
    LARGEST,
    LAYOUTS,
    Array,
    as_bytes,
    channels_first,
    check_values,
    labels,
)
from cnncli.training.data.sources.assemble import Part, assemble, assemble_measured
from cnncli.training.data.sources.stored import Stored, catalog_of
from cnncli.training.data.sources.streams import filled
from cnncli.training.data.space import MEMORY, Space

_NAMES = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")
_PARTS = ("train", "test")
_OPTIONAL = "val"
_FORM = "an .npz file of plain arrays, as numpy.savez writes it"
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def load(
    path: Path,
    input_shape: tuple[int, ...],
    how: Data,
    space: Space = MEMORY,
) -> Dataset:
    """Read the arrays of ``path``: images and labels of two parts, or of three; they are put into ``space``.

    Images are unsigned bytes, other integers from 0 to 255, or floats from 0 to 1; [N, H, W], [N, H, W, C]
    or [N, C, H, W], which the spec's input distinguishes. Labels are integers, [N] or [N, 1], from
    ``how.first_label`` on. An optional string ``layout``, "channels first" or "channels last", decides if
    shapes are ambiguous.

    Raises:
        UsageError: the file is damaged or contains something else, or has a validation part and
            ``how.holdout`` asks for another.
    """
    arrays = _read(path, partial(_to_train, path), space)
    has_val = f"x_{_OPTIONAL}" in arrays
    if has_val and how.holdout:
        raise own_validation(str(path), how.holdout)
    names = (*_PARTS, _OPTIONAL) if has_val else _PARTS
    parts = {part: _part(arrays, part, path, input_shape, space) for part in names}
    notes = tuple(note for _, found in parts.values() for note in found)
    train, test, *val = (part for part, _ in parts.values())
    found = assemble(
        f"npz:{path}",
        train,
        test,
        input_shape,
        how.resize,
        how.first_label,
        val[0] if val else None,
        space,
    )
    return replace(found, notes=tuple(dict.fromkeys((*notes, *found.notes))))


def measure(path: Path, input_shape: tuple[int, ...], resize: str) -> Measured:
    """Read ``x_test`` and ``y_test``, or the arrays of the training part if there are no others.

    Raises:
        UsageError: the file is damaged or contains something else.
    """
    arrays = _read(path, partial(_complete, path, ("test",), instead="train"))
    return _measured(path, arrays, input_shape, resize)


def held_out(path: Path, input_shape: tuple[int, ...], resize: str) -> Measured:
    """Read ``x_test`` and ``y_test``.

    Raises:
        UsageError: the file is damaged or contains something else.
    """
    return _measured(path, _read(path, partial(_complete, path, ("test",))), input_shape, resize)


def catalog(path: Path) -> Catalog:
    """Return all images of a file, also of one that cannot be trained on: of one part, or of other values.

    Raises:
        UsageError: the file is damaged, or has no images.
    """
    arrays = _read(path, partial(_present, path))
    layout = _stated_layout(arrays, path)
    parts, warnings, notes = list[Stored](), list[str](), list[str]()
    for part in (*_PARTS, _OPTIONAL):
        array = arrays.pop(f"x_{part}", None)
        if array is None and part == _OPTIONAL:
            continue
        if array is None:
            warnings.append(f"there is no array x_{part}, so it cannot be trained on")
            continue
        try:
            check_values(array, f"x_{part}")
        except UsageError as error:
            warnings.append(f"cannot be trained on: {in_a_line(error)}")
            if array.ndim < 2 or array.dtype.kind not in "iuf":
                continue
        images, moved = _as_pictures(_as_stored(array), layout)
        notes += [f"x_{part} {moved}"] if moved else []
        parts.append(Stored(part, f"x_{part}", images, _labels_or_none(arrays, part, warnings)))
    if not parts:
        raise usage_error(f"{path} has no images", expected=listing(_NAMES), received="; ".join(warnings))
    return catalog_of(f"npz:{path}", parts, tuple(notes), tuple(warnings))


def _labels_or_none(arrays: dict[str, Array], part: str, warnings: list[str]) -> Tensor | None:
    array = arrays.pop(f"y_{part}", None)
    try:
        return None if array is None else labels(array, f"y_{part}")
    except UsageError as error:
        warnings.append(in_a_line(error))
        return None


def _as_stored(array: Array) -> Tensor:
    """Return an array: integers of 8 bits as uint8, of 16 bits as int32, all other values as floats."""
    if array.dtype.kind != "f" and array.size and array.min() >= 0 and array.max() <= WHOLE_RANGE.white:
        return torch.from_numpy(array.astype(np.uint8 if array.max() <= LARGEST else np.int32))
    return torch.from_numpy(array.astype(np.float32 if array.dtype.itemsize <= 4 else np.float64))


def _as_pictures(images: Tensor, layout: str | None) -> tuple[Tensor, str]:
    """Return images with channels first, and a note where that had to be assumed; vectors stay as they are.

    Without a stated layout, the axis of channels is the one of 1 or 3.
    """
    if images.ndim < 4:
        return images.unsqueeze(1) if images.ndim == 3 else images, ""
    first, last = (images.shape[axis] in (1, 3) for axis in (1, -1))
    assumed = "channels last" if last and not first else "channels first"
    is_plain = layout is not None or first != last
    note = "" if is_plain else f"has the shape {shape_text(tuple(images.shape))}: taken as {assumed}"
    return images.movedim(-1, 1) if (layout or assumed) == "channels last" else images, note


def _measured(path: Path, arrays: dict[str, Array], input_shape: tuple[int, ...], resize: str) -> Measured:
    part = "test" if "x_test" in arrays else "train"
    found, notes = _part(arrays, part, path, input_shape)
    what = f"the {counted(len(found.labels), 'image')} of its array x_{part}"
    return assemble_measured(f"npz:{path}", found, what, input_shape, resize, notes)


def _part(
    arrays: dict[str, Array], part: str, path: Path, input_shape: tuple[int, ...], space: Space = MEMORY
) -> tuple[Part, tuple[str, ...]]:
    """Return the images and labels of a part, and notes; its arrays are removed to free their memory."""
    layout = _stated_layout(arrays, path)
    where = f"{path}: x_{part}"
    images, notes = as_bytes(arrays.pop(f"x_{part}"), where, space)
    images = channels_first(images, input_shape, layout, where, space)
    return Part(images, labels(arrays.pop(f"y_{part}"), f"{path}: y_{part}")), tuple(notes)


def _read(
    path: Path, choose: Callable[[Sequence[str]], Sequence[str]], space: Space = MEMORY
) -> dict[str, Array]:
    """Return the arrays whose names ``choose`` returns, of the names of all, and the one called layout."""
    if not path.is_file():  # reading a pipe could block forever
        raise usage_error(f"cannot read {path}: it is not a file", expected=_FORM)
    try:
        with path.open("rb") as file:
            start = file.read(2)
            file.seek(0)
            if start == b"\x93N":
                raise usage_error(f"{path} is a single array", expected=f"an .npz with {listing(_NAMES)}")
            if start != b"PK":
                raise usage_error(f"cannot read {path}: it is not a zip archive", expected=_FORM)
            with zipfile.ZipFile(file) as archive:
                return _arrays(archive, path, choose, space)
    except CnncliError:
        raise
    except MemoryError as error:
        raise usage_error(f"{path} does not fit into memory") from error
    except Exception as error:  # the archive, its compression and the headers of arrays each have their own
        reason = str(error) or type(error).__name__
        raise usage_error(f"cannot read {path}: {reason}", expected=_FORM) from error


def _to_train(path: Path, found: Sequence[str]) -> list[str]:
    """Return the names of the arrays of all parts; the validation part is there if one of its arrays is.

    Raises:
        UsageError: one is not among the names that were ``found``.
    """
    has_val = any(f"{what}_{_OPTIONAL}" in found for what in "xy")
    return _complete(path, (*_PARTS, _OPTIONAL) if has_val else _PARTS, found)


def _complete(path: Path, parts: Sequence[str], found: Sequence[str], instead: str = "") -> list[str]:
    """Return the names of the arrays of ``parts``; if there are none of them, those of the part ``instead``.

    Raises:
        UsageError: one is not among the names that were ``found``.
    """
    names = [f"{what}_{part}" for part in parts for what in "xy"]
    if instead and not any(name in found for name in names):
        others = [f"{what}_{instead}" for what in "xy"]
        names = others if all(name in found for name in others) else names
    missing = [name for name in names if name not in found]
    if missing:
        raise usage_error(
            f"{path} has no array {listing(missing)}",
            expected=listing(names),
            received=listing(found) or "no arrays",
        )
    return names


def _present(path: Path, found: Sequence[str]) -> list[str]:
    """Return the names of the arrays that are there.

    Raises:
        UsageError: none of them has images.
    """
    names = [name for name in _NAMES if name in found]
    if not any(name.startswith("x") for name in names):
        _complete(path, _PARTS, found)
    return names


def _arrays(
    archive: zipfile.ZipFile, path: Path, choose: Callable[[Sequence[str]], Sequence[str]], space: Space
) -> dict[str, Array]:
    """Return the arrays of the archive that are used, after checking what all of them promise to take."""
    files = {each.filename.removesuffix(".npy"): each for each in archive.infolist()}
    wanted = {name: files[name] for name in (*choose([*files]), "layout") if name in files}
    sizes = {name: _promised(archive, file, f"{path}: {name}") for name, file in wanted.items()}
    space.check(sum(sizes.values()), f"{path}, unpacked,")
    arrays = {}
    for name, file in wanted.items():
        with archive.open(file) as stream:
            arrays[name] = _array(stream, f"{path}: {name}", space)
    return arrays


def _array(stream: IO[bytes], where: str, space: Space) -> Array:
    """Return an array whose header has been checked."""
    shape, fortran_order, dtype = _header(stream, where)
    content = space.empty((math.prod(shape) * dtype.itemsize,)).numpy()
    if filled(stream, content.data) < len(content):
        raise usage_error(f"{where} is damaged", expected=f"{len(content):,} bytes", received="fewer")
    values = content.view(dtype)
    return values.reshape(shape, order="F" if fortran_order else "C")


def _promised(archive: zipfile.ZipFile, file: zipfile.ZipInfo, where: str) -> int:
    """Return the bytes of an array, as its header states them.

    Raises:
        UsageError: they are not those that the archive states, or the file is not an array of numbers.
        Exception: what zipfile and numpy raise if the file is damaged.
    """
    if file.compress_type not in _COMPRESSIONS:
        raise usage_error(f"{where} has an unknown compression", expected=_FORM)
    with archive.open(file) as stream:
        if stream.read(6) != np.lib.format.MAGIC_PREFIX:
            raise usage_error(f"{where} is not an array", expected=_FORM)
        stream.seek(0)
        shape, _, dtype = _header(stream, where)
        rest = file.file_size - stream.tell()
    if dtype.hasobject or not all(type(size) is int and size >= 0 for size in shape):
        raise usage_error(f"{where} is not an array of numbers", expected=_FORM)
    stated = math.prod(shape) * dtype.itemsize
    if stated != rest:
        received = f"{rest:,} bytes for {shape_text(shape)} values of type {dtype}"
        raise usage_error(f"{where} is damaged", expected=f"{stated:,} bytes", received=received)
    return stated


def _header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return the shape of an array, whether its first axis varies fastest, and its type."""
    version = np.lib.format.read_magic(stream)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(stream)
    if version == (2, 0):
        return np.lib.format.read_array_header_2_0(stream)
    raise usage_error(f"{where} is not an array of numbers", expected=_FORM)


def _stated_layout(arrays: dict[str, Array], path: Path) -> str | None:
    if "layout" not in arrays:
        return None
    layout = str(arrays["layout"]) if arrays["layout"].size == 1 else shape_text(arrays["layout"].shape)
    if layout not in LAYOUTS:
        raise usage_error(f"{path}: unknown layout", expected=" or ".join(LAYOUTS), received=layout)
    return layout
