"""Plain .npy files that are mapped into memory: created in full, and opened only if they are whole.

The format is NumPy's (``numpy.lib.format``, version 1.0), so ``numpy.load(path, mmap_mode="r")`` reads them
too. The memory of a map is that of the file: the system reads and drops its pages as it needs to.
"""

from __future__ import annotations

import ctypes
import errno
import io
import math
import mmap
import os
import warnings
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from cnncli.diagnostics import CnncliError, Diagnostic, UsageError, readable_bytes, usage_error

DType = np.dtype[Any]


class MappedFile(NamedTuple):
    """An open file whose content is mapped into memory; one that is deleted stays until it is closed."""

    path: Path
    content: mmap.mmap

    def check(self) -> None:
        """Check that all of the file is still there: reading what is not would end the process.

        Raises:
            UsageError: somebody has made it shorter.
        """
        expected, received = len(self.content), self.content.size()
        if received < expected:
            raise damaged(self.path, f"it has {received:,} bytes now, not {expected:,}")


_ZEROS: Final = bytes(1 << 20)
_SYSTEM: Final = ctypes.CDLL(None) if os.name == "posix" else None


def header(shape: tuple[int, ...], dtype: DType) -> bytes:
    """Return the bytes before the values of an array in C order.

    NumPy leaves room for a longer first axis, so arrays of other lengths have headers of the same size.
    """
    file = io.BytesIO()
    stated = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, stated)
    return file.getvalue()


def create(path: Path, shape: tuple[int, ...], dtype: DType) -> Tensor:
    """Create the file of an array and return its values, zeros; what is written to them is in the file.

    The disk has set the whole file aside by then: where it is full, writing to a map would end the process.

    Raises:
        CnncliError: the file cannot be written, or the disk has no room for it.
    """
    start, size = header(shape, dtype), size_of(shape, dtype)
    try:
        with path.open("x+b") as file:
            file.write(start)
            file.flush()
            _set_aside(file, len(start), size)
            return _values(_mapped(file, len(start), shape, dtype, mmap.ACCESS_WRITE), shape, dtype)
    except OSError as error:
        raise unwritable(path, error, size) from error


def replace_header(path: Path, shape: tuple[int, ...], dtype: DType) -> bool:
    """Make the beginning of a file an array of this shape; return whether the new header fits its place."""
    start = header(shape, dtype)
    with path.open("r+b") as file:
        np.lib.format.read_magic(file)
        np.lib.format.read_array_header_1_0(file)
        if file.tell() != len(start):
            return False
        file.seek(0)
        file.write(start)
    return True


def size_of(shape: tuple[int, ...], dtype: DType) -> int:
    """Return the bytes of the file of an array."""
    return len(header(shape, dtype)) + math.prod(shape) * dtype.itemsize


def open_array(path: Path, shape: tuple[int, ...], dtype: DType) -> tuple[Tensor, MappedFile]:
    """Return a file that must have an array of this shape and type, mapped for reading, and its values.

    Writing to the tensor would end the process.

    Raises:
        UsageError: the file cannot be read, has another array, or not all of it.
    """
    try:
        with path.open("rb") as file:
            return _opened(file, path, shape, dtype)
    except OSError as error:
        limit = "is the address space limited (ulimit -v)? it has to contain the whole file"
        hint = limit if error.errno == errno.ENOMEM else ""
        raise usage_error(f"cannot read {path}: {error.strerror or error}", hint=hint) from error


def _opened(file: BinaryIO, path: Path, shape: tuple[int, ...], dtype: DType) -> tuple[Tensor, MappedFile]:
    try:
        np.lib.format.read_magic(file)
        found, fortran_order, stored = np.lib.format.read_array_header_1_0(file)
    except ValueError as error:
        raise damaged(path, f"it is not an array ({error})") from error
    if (found, fortran_order, stored) != (shape, False, dtype):
        raise damaged(path, f"it has {stored} values {list(found)}, not {dtype} {list(shape)}")
    start = file.tell()
    size, received = start + math.prod(shape) * dtype.itemsize, os.fstat(file.fileno()).st_size
    if received != size:
        raise damaged(path, f"it has {received:,} bytes, not {size:,}")
    content = _mapped(file, start, shape, dtype, mmap.ACCESS_READ)
    return _values(content, shape, dtype), MappedFile(path, content)


def announce(values: Tensor, rows: Tensor) -> None:
    """Let the system read some rows, int64 [n], of a mapped file while something else is computed.

    Otherwise the first access to each page would wait for the disk.
    """
    if _SYSTEM is None:  # Windows
        return
    size, first = values[:1].nbytes, values.data_ptr()
    for row in rows.tolist():
        begin = first + row * size
        page = begin - begin % mmap.PAGESIZE
        _SYSTEM.madvise(ctypes.c_void_p(page), ctypes.c_size_t(begin + size - page), mmap.MADV_WILLNEED)


def damaged(path: Path, why: str) -> UsageError:
    """Return the error about a file that is not as it was written."""
    return usage_error(f"{path} is damaged: {why}", hint="copy the pack again, or pack its source again")


def unwritable(path: Path, error: OSError, size: int = 0) -> CnncliError:
    """Return the error about a file, of so many bytes if they are known, that cannot be written."""
    received = f"{readable_bytes(size)} to write" if size else ""
    hint = "make room on this disk, or write to another one" if error.errno == errno.ENOSPC else ""
    message = f"cannot write {path}: {error.strerror or error}"
    return CnncliError(Diagnostic("unwritable", message, received=received, hint=hint))


def _set_aside(file: BinaryIO, start: int, size: int) -> None:
    """Make a file longer, by zeros that have a place on the disk."""
    if size == start:
        return
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), start, size - start)
        return
    # macOS and Windows
    file.writelines(_ZEROS[: size - begun] for begun in range(start, size, len(_ZEROS)))
    file.flush()


def _mapped(file: BinaryIO, start: int, shape: tuple[int, ...], dtype: DType, access: int) -> mmap.mmap:
    """Map an open file up to the end of the values that begin at an offset."""
    return mmap.mmap(file.fileno(), start + math.prod(shape) * dtype.itemsize, access=access)


def _values(content: mmap.mmap, shape: tuple[int, ...], dtype: DType) -> Tensor:
    """Return the values at the end of a map."""
    count = math.prod(shape)
    start = len(content) - count * dtype.itemsize
    values = np.frombuffer(content, dtype=dtype, count=count, offset=start).reshape(shape)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given (NumPy array|buffer) is not writable")
        return torch.from_numpy(values)
