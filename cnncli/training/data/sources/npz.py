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
from numpy.typing import NDArray
from torch import Tensor

from cnncli.diagnostics import CnncliError, UsageError, counted, listing, usage_error
from cnncli.layers import shape_text
from cnncli.recipe.data import Data
from cnncli.training.data.catalog import Catalog, in_a_line
from cnncli.training.data.dataset import WHOLE_RANGE, Dataset, Measured
from cnncli.training.data.holdout import own_validation
from cnncli.training.data.room import ensure_memory
from cnncli.training.data.sources.assemble import Part, assemble, assemble_measured
from cnncli.training.data.sources.stored import Stored, catalog_of
from cnncli.training.data.sources.streams import filled
from cnncli.training.data.space import MEMORY, Space

_NAMES = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")
_PARTS = ("train", "test")
_OPTIONAL = "val"
_LAYOUTS = ("channels first", "channels last")
_CHUNK_VALUES = 1 << 24
_LARGEST = 255
_FORM = "an .npz file of plain arrays, as numpy.savez writes it"
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

Array = NDArray[Any]


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
            _check_values(array, f"x_{part}")
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
        return None if array is None else _labels(array, f"y_{part}")
    except UsageError as error:
        warnings.append(in_a_line(error))
        return None


def _as_stored(array: Array) -> Tensor:
    """Return an array: integers of 8 bits as uint8, of 16 bits as int32, all other values as floats."""
    if array.dtype.kind != "f" and array.size and array.min() >= 0 and array.max() <= WHOLE_RANGE.white:
        return torch.from_numpy(array.astype(np.uint8 if array.max() <= _LARGEST else np.int32))
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
    images, notes = _as_bytes(arrays.pop(f"x_{part}"), where, space)
    images = _channels_first(images, input_shape, layout, where, space)
    return Part(images, _labels(arrays.pop(f"y_{part}"), f"{path}: y_{part}")), tuple(notes)


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
    if layout not in _LAYOUTS:
        raise usage_error(f"{path}: unknown layout", expected=" or ".join(_LAYOUTS), received=layout)
    return layout


def _as_bytes(array: Array, where: str, space: Space) -> tuple[Tensor, list[str]]:
    """Return the images as bytes, and a note if they were not integers.

    Raises:
        UsageError: their values cannot become bytes.
    """
    _check_values(array, where)
    if array.dtype == np.uint8:
        if not array.flags.c_contiguous:
            ensure_memory(array.size, f"{where} in another order")
        return torch.from_numpy(np.ascontiguousarray(array)), []
    floating = array.dtype.kind == "f"
    space.check(array.size, f"{where} as bytes", 2 * 8 * max(_CHUNK_VALUES, array[0].size))
    note = [f"float images from 0 to 1 rounded to bytes ({array.dtype})"] if floating else []
    return _rounded(array, _LARGEST if floating else 1, space), note


def _check_values(array: Array, where: str) -> None:
    """Check that values are bytes, integers from 0 to 255 or floats from 0 to 1.

    Raises:
        UsageError: they are not.
    """
    if array.ndim < 2:
        raise usage_error(f"{where} has no images", expected="at least 2 axes", received=f"{array.ndim}")
    if array.size == 0:
        raise usage_error(
            f"{where} is empty", expected="at least one image", received=shape_text(array.shape)
        )
    if array.dtype.kind not in "iuf":
        raise usage_error(
            f"{where} has values of type {array.dtype}",
            expected="unsigned bytes, integers from 0 to 255 or floats from 0 to 1",
            received=str(array.dtype),
        )
    floating = array.dtype.kind == "f"
    low, high = array.min(), array.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise _not_finite(array, where)
    if low < 0 or high > (1 if floating else _LARGEST):
        raise usage_error(
            f"{where} has {array.dtype} values from {low} to {high}",
            expected="floats from 0 to 1" if floating else "integers from 0 to 255",
            received=f"{low} to {high}",
            hint=_range_hint(float(low), float(high), floating=floating),
        )


def _not_finite(array: Array, where: str) -> UsageError:
    """Return the error about values that are not numbers, or are infinite: how many images have them."""
    images = [number for number, image in enumerate(array) if not np.isfinite(image).all()]
    which = (
        f"image {images[0]}" if len(images) == 1 else f"{len(images)} images, the first of them {images[0]}"
    )
    return usage_error(
        f"{where} has values that are not finite numbers, in {which}",
        expected="floats from 0 to 1",
        received="NaN or infinity",
        hint="leave these images out, or find out where the values come from (a division by 0?)",
    )


def _range_hint(low: float, high: float, *, floating: bool) -> str:
    """Return what to do with values of another range. A conversion to uint8 alone would wrap them."""
    if floating and low < 0:
        undo = "(x + 1) / 2" if low >= -1 and high <= 1 else "x * deviation + mean"
        return f"the images seem to be normalized: save them as they were before, or undo it with {undo}"
    if floating:
        return f"divide by {'255' if high <= 255 else 'the largest value that a pixel can have'}"
    if low < 0:
        return "save gray or color as it is stored in images: integers from 0 to 255"
    largest = next(most for bits in (10, 12, 14, 16, 32, 64) if high <= (most := 2**bits - 1))
    return f"scale them first, since uint8 alone would wrap: (x * (255 / {largest})).round().astype('uint8')"


def _rounded(array: Array, scale: int, space: Space) -> Tensor:
    """Return the nearest byte to each value times ``scale``, computed in chunks to save memory."""
    result = space.empty(array.shape).numpy()
    step = max(1, _CHUNK_VALUES // (array.size // len(array)))
    for start in range(0, len(array), step):
        chunk = array[start : start + step].astype(np.float64)
        result[start : start + step] = np.rint(chunk * scale)
    return torch.from_numpy(result)


def _channels_first(
    images: Tensor, shape: tuple[int, ...], layout: str | None, where: str, space: Space
) -> Tensor:
    """Return ``images`` as [N, channels, *spatial]; the spec's input ``shape`` identifies the axes."""
    received = tuple(images.shape[1:])
    if len(shape) == 1:
        return images
    if len(received) == len(shape) - 1:
        return images.unsqueeze(1)
    if len(received) != len(shape):
        raise usage_error(
            f"{where} has the shape {shape_text(tuple(images.shape))}",
            expected=f"images for an input of {shape_text(shape)}, with or without an axis of channels",
            received=f"{len(received)} axes besides the one of the images",
        )
    last_moved = (received[-1], *received[:-1])
    if (layout or _layout(received, last_moved, shape, where)) == "channels first":
        return images
    space.check(images.nbytes, f"{where} with channels first")
    return space.empty((len(images), *last_moved)).copy_(images.movedim(-1, 1))


def _layout(received: tuple[int, ...], moved: tuple[int, ...], shape: tuple[int, ...], where: str) -> str:
    """Return the layout that matches the spec: its shape, else its channels, else gray or color."""
    readings = dict(zip(_LAYOUTS, (received, moved), strict=True))
    for suits in (
        [name for name, reading in readings.items() if reading == shape],
        [name for name, reading in readings.items() if reading[0] == shape[0]],
        [name for name, reading in readings.items() if reading[0] in (1, 3)],
    ):
        if len(suits) == 1:
            return suits[0]
        if suits:
            raise usage_error(
                f"{where}: {shape_text(received)} can be {' or '.join(_LAYOUTS)}",
                expected="an unambiguous shape",
                received=shape_text(received),
                hint="add an array to the file: layout='channels last' (or 'channels first')",
            )
    raise usage_error(
        f"{where}: images of {shape_text(received)} cannot be converted to the spec's {shape_text(shape)}",
        expected=f"{shape[0]} channels first or last",
        received=shape_text(received),
    )


def _labels(array: Array, where: str) -> Tensor:
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        raise usage_error(
            f"{where} has {array.ndim} axes",
            expected="one label for each image",
            received=shape_text(array.shape),
            hint="for one-hot labels, save labels.argmax(axis=1)" if array.ndim == 2 else "",
        )
    if array.dtype.kind not in "iu":
        raise usage_error(f"{where} does not have integers", expected="integers", received=str(array.dtype))
    if array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise usage_error(f"{where} has a label that needs more than 64 bits", received=str(array.max()))
    return torch.from_numpy(array.astype(np.int64))
