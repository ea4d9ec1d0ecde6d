"""Files inside of tar archives: listed once, then read in place, in any order, by any thread."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NamedTuple

from cnncli.diagnostics import UsageError, usage_error

_BLOCK = 512


class Store:
    """A file that stays open, without its position, as long as something refers to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.descriptor = os.dup(file.fileno())

    def __del__(self) -> None:
        os.close(self.descriptor)


class Archive(NamedTuple):
    """A tar archive: its name for messages, and the file in which it has ``size`` bytes from ``start`` on."""

    name: str
    place: Path | Store
    start: int
    size: int

    def window(self, start: int, size: int) -> BinaryIO:
        """Open a part of the archive for reading."""
        return io.BufferedReader(_Window(self.place, self.start + start, size))


class Member(NamedTuple):
    """A file in an archive: its name there, and where its bytes are."""

    archive: Archive
    name: str
    start: int
    size: int

    def __str__(self) -> str:
        return f"{self.archive.name}/{self.name}"

    def content(self) -> BinaryIO:
        """Open the file for reading."""
        return self.archive.window(self.start, self.size)


def members(archive: Archive) -> Iterator[Member]:
    """Yield the regular files of an archive in their order; only their headers are read.

    Raises:
        UsageError: it is not a tar archive, or is damaged.
    """
    with (
        _named(archive.name),
        archive.window(0, archive.size) as file,
        tarfile.open(fileobj=file, mode="r:") as tar,
    ):
        for each in tar:
            if each.offset_data + each.size > archive.size:
                raise damaged(archive.name)
            if each.isreg() and not each.issparse():
                yield Member(archive, each.name, each.offset_data, each.size)
        # tarfile takes a header that it cannot read for the end, which is a block of zeros.
        file.seek(tar.offset)
        if file.read(_BLOCK) != bytes(_BLOCK):
            raise damaged(archive.name)


def damaged(name: str) -> UsageError:
    """Return the error about an archive that does not end where it should."""
    return usage_error(f"{name} is damaged: it is not complete", hint="download or copy it again")


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, OSError, ValueError) as error:
        if isinstance(error, UsageError):
            raise
        raise usage_error(f"cannot read {name}: {error}", expected="a tar archive, not compressed") from error


class _Window(io.RawIOBase):
    """A part of a file, whose position no other reader of the file shares."""

    def __init__(self, place: Path | Store, start: int, size: int) -> None:
        super().__init__()
        self._opened = isinstance(place, Path)
        self._descriptor = os.open(place, os.O_RDONLY) if isinstance(place, Path) else place.descriptor
        self._start, self._size, self._at = start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read = os.pread(
            self._descriptor, min(len(buffer), max(0, self._size - self._at)), self._start + self._at
        )
        buffer[: len(read)] = read
        self._at += len(read)
        return len(read)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("a position before the beginning")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def close(self) -> None:
        if self._opened and not self.closed:
            os.close(self._descriptor)
        super().close()
