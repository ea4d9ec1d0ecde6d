"""The files of a pack while they are written: images are read right into them."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
from torch import Tensor

from cnncli.diagnostics import CnncliError, Diagnostic, readable_bytes
from cnncli.training.data.packs.arrays import DType, create, replace_header, size_of, unwritable
from cnncli.training.data.packs.manifest import Array
from cnncli.training.data.room import available_memory, ensure_memory

_CHUNK: int = 1 << 26
"""Bytes that are copied at a time."""
_BYTE = np.dtype(np.uint8)


class NewFiles:
    """Files in a folder, mapped into memory: the :class:`~cnncli.training.data.space.Space` of packing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unnamed: dict[int, tuple[Path, Tensor]] = {}
        self._named: dict[str, Tensor] = {}

    def check(self, needed: int, what: str, memory: int = 0) -> None:
        """Compare the first with what is free on the disk, the second with the memory that is available."""
        ensure_memory(memory, f"making {what}")
        free = shutil.disk_usage(self._folder).free
        if needed > free:
            fault = Diagnostic(
                "unwritable",
                f"{what} would take {readable_bytes(needed)} of the disk",
                expected=f"at most the {readable_bytes(free)} that are free",
                received=readable_bytes(needed),
                hint="make room on this disk, or write to another one",
            )
            raise CnncliError(fault)

    def empty(self, shape: tuple[int, ...]) -> Tensor:
        """Return the values of a new file."""
        path = self._folder / f"unfinished-{len(self._unnamed)}.npy"
        values = create(path, shape, _BYTE)
        # The tensor is kept, so that no other one gets its address.
        self._unnamed[values.data_ptr()] = path, values
        return values

    def memory_beside(self, taken: int) -> int | None:
        """Return the memory that is available: mapped files do not count."""
        del taken
        return available_memory()

    def keep(self, values: Tensor, name: str) -> None:
        """Give an array its file: the one that it is the beginning of, otherwise a new one, as a copy.

        Raises:
            CnncliError: the file cannot be written.
        """
        path, shape, dtype = self._folder / name, tuple(values.shape), dtype_of(values)
        unnamed, _ = self._unnamed.get(values.data_ptr(), (None, None))
        self._named[name] = values
        if unnamed is not None and values.is_contiguous() and replace_header(unnamed, shape, dtype):
            unnamed.rename(path)
            return
        copy = create(path, shape, dtype)
        step = max(1, _CHUNK // max(1, values[:1].nbytes))
        for start in range(0, len(values), step):
            copy[start : start + step] = values[start : start + step]

    def finish(self) -> dict[str, Array]:
        """Return the arrays that were kept, by the names of their files, once these are on the disk.

        Files end where their arrays do from now on, and those of no array are removed.

        Raises:
            CnncliError: a file cannot be written.
        """
        for path, _ in self._unnamed.values():
            path.unlink(missing_ok=True)
        return {name: self._finished(name, values) for name, values in self._named.items()}

    def _finished(self, name: str, values: Tensor) -> Array:
        shape, dtype = tuple(values.shape), dtype_of(values)
        path = self._folder / name
        try:
            with path.open("r+b") as file:
                file.truncate(size_of(shape, dtype))
                os.fsync(file.fileno())
                return Array(name, shape, dtype.name, hashlib.file_digest(file, "sha256").hexdigest())
        except OSError as error:
            raise unwritable(path, error) from error


def dtype_of(values: Tensor) -> DType:
    """Return NumPy's name for the type of a tensor."""
    return values[:0].numpy().dtype
