"""``npz:FILE``: NumPy arrays x_train, y_train, x_test and y_test, with images in any common layout.

Nothing is unpickled: an array of Python objects is an error.
"""

from __future__ import annotations

import lzma
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cnncli.diagnostics import UsageError, listing, usage_error
from cnncli.layers import shape_text
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.room import ensure_memory
from cnncli.training.data.sources.assemble import Part, assemble

_NAMES = ("x_train", "y_train", "x_test", "y_test")
_LAYOUTS = ("channels first", "channels last")
_CHUNK_VALUES = 1 << 24
_FORM = "an .npz file of plain arrays, as numpy.savez writes it"
_DAMAGED = (
    *(OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    # The header of an array has Python's syntax and any numbers; an encrypted archive raises RuntimeError.
    *(SyntaxError, tokenize.TokenError, OverflowError, RuntimeError),
)

Array = NDArray[Any]


def load(path: Path, input_shape: tuple[int, ...], resize: str) -> Dataset:
    """Read the four arrays of ``path``.

    Images are unsigned bytes, other integers from 0 to 255, or floats from 0 to 1; [N, H, W], [N, H, W, C]
    or [N, C, H, W], which the spec's input distinguishes. Labels are integers, [N] or [N, 1]. An optional
    string ``layout``, "channels first" or "channels last", decides if shapes are ambiguous.

    Raises:
        UsageError: the file is damaged or contains something else.
    """
    arrays = _read(path)
    layout = _stated_layout(arrays, path)
    parts = []
    notes: list[str] = []
    for images_name, labels_name in (("x_train", "y_train"), ("x_test", "y_test")):
        images, note = _as_bytes(arrays[images_name], f"{path}: {images_name}")
        notes += note
        images = _channels_first(images, input_shape, layout, f"{path}: {images_name}")
        parts.append(Part(images, _labels(arrays[labels_name], f"{path}: {labels_name}")))
    return assemble(f"npz:{path}", parts[0], parts[1], input_shape, resize, tuple(notes))


def _read(path: Path) -> dict[str, Array]:
    if not path.is_file():  # reading a pipe could block forever
        raise usage_error(f"cannot read {path}: it is not a file", expected=_FORM)
    try:
        # Opened here, because numpy does not close its own file if the archive is damaged.
        with path.open("rb") as file:
            if file.read(2) not in {b"PK", b"\x93N"}:
                raise usage_error(f"cannot read {path}: it is not a zip archive", expected=_FORM)
            file.seek(0)
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise usage_error(f"{path} is a single array", expected=f"an .npz with {listing(_NAMES)}")
            return _wanted(archive, path)
    except UsageError:
        raise
    except MemoryError as error:
        raise usage_error(f"{path} does not fit into memory: {error}") from error
    except _DAMAGED as error:
        raise usage_error(f"cannot read {path}: {error}", expected=_FORM) from error


def _wanted(archive: np.lib.npyio.NpzFile, path: Path) -> dict[str, Array]:
    missing = [name for name in _NAMES if name not in archive]
    if missing:
        raise usage_error(
            f"{path} has no array {listing(missing)}",
            expected=listing(_NAMES),
            received=listing(archive.files) or "no arrays",
        )
    names = [*_NAMES, "layout"] if "layout" in archive else _NAMES
    arrays = {name: archive[name] for name in names}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):  # other files in an archive are bytes
            raise usage_error(f"{path}: {name} is not an array", expected=_FORM)
    return arrays


def _stated_layout(arrays: dict[str, Array], path: Path) -> str | None:
    if "layout" not in arrays:
        return None
    layout = str(arrays["layout"])
    if layout not in _LAYOUTS:
        raise usage_error(f"{path}: unknown layout", expected=" or ".join(_LAYOUTS), received=layout)
    return layout


def _as_bytes(array: Array, where: str) -> tuple[Tensor, list[str]]:
    if array.ndim < 2:
        raise usage_error(f"{where} has no images", expected="at least 2 axes", received=f"{array.ndim}")
    if array.size == 0:
        raise usage_error(
            f"{where} is empty", expected="at least one image", received=shape_text(array.shape)
        )
    if array.dtype == np.uint8:
        return torch.from_numpy(np.ascontiguousarray(array)), []
    if array.dtype.kind not in "iuf":
        raise usage_error(
            f"{where} has values of type {array.dtype}",
            expected="unsigned bytes, integers from 0 to 255 or floats from 0 to 1",
            received=str(array.dtype),
        )
    floating = array.dtype.kind == "f"
    low, high = array.min(), array.max()
    # With a NaN, both ends are NaN, and every comparison is false.
    if not (low >= 0 and high <= (1 if floating else 255)):
        raise usage_error(
            f"{where} has {array.dtype} values from {low} to {high}",
            expected="floats from 0 to 1" if floating else "integers from 0 to 255",
            received=f"{low} to {high}",
            hint="divide by 255, or save the images as uint8" if floating else "save the images as uint8",
        )
    ensure_memory(array.size, f"{where} as bytes")
    note = [f"float images from 0 to 1 rounded to bytes ({array.dtype})"] if floating else []
    return _rounded(array, 255 if floating else 1), note


def _rounded(array: Array, scale: int) -> Tensor:
    """Return the nearest byte to each value times ``scale``, computed in chunks to save memory."""
    result = np.empty(array.shape, dtype=np.uint8)
    step = max(1, _CHUNK_VALUES // (array.size // len(array)))
    for start in range(0, len(array), step):
        chunk = array[start : start + step].astype(np.float64)
        result[start : start + step] = np.rint(chunk * scale)
    return torch.from_numpy(result)


def _channels_first(images: Tensor, shape: tuple[int, ...], layout: str | None, where: str) -> Tensor:
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
    first = layout or _layout(received, last_moved, shape, where)
    return images if first == "channels first" else images.movedim(-1, 1).contiguous()


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
