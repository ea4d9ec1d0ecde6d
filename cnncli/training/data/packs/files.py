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
from cnncli.training.data.rows import Rows

_BYTE = np.dtype(np.uint8)


class NewFiles:
    """Files in a folder, mapped into memory: the :class:`~cnncli.training.data.space.Space` of packing."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unnamed: dict[int, tuple[Path, Tensor]] = {}
        self._named: dict[str, tuple[tuple[int, ...], DType]] = {}

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

    def keep(self, rows: Rows, name: str) -> None:
        """Give an array its file: the one that it is the beginning of, otherwise a new one, as a copy.

        Raises:
            CnncliError: the file cannot be written.
        """
        path, dtype = self._folder / name, dtype_of(rows.stored)
        shape = (rows.count, *rows.stored.shape[1:])
        self._named[name] = shape, dtype
        unnamed, _ = self._unnamed.get(rows.stored.data_ptr(), (None, None))
        in_place = unnamed is not None and rows.numbers is None and rows.stored.is_contiguous()
        if unnamed is not None and in_place and replace_header(unnamed, shape, dtype):
            unnamed.rename(path)
            return
        copy, start = create(path, shape, dtype), 0
        for chunk in rows.chunks():
            copy[start : start + len(chunk)] = chunk
            start += len(chunk)

    def finish(self) -> dict[str, Array]:
        """Return the arrays that were kept, by the names of their files, once these are on the disk.

        Files end where their arrays do from now on, and those of no array are removed.

        Raises:
            CnncliError: a file cannot be written.
        """
        for path, _ in self._unnamed.values():
            path.unlink(missing_ok=True)
        return {name: self._finished(name, *stated) for name, stated in self._named.items()}

    def _finished(self, name: str, shape: tuple[int, ...], dtype: DType) -> Array:
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
