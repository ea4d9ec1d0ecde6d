"""A file of a run that follows from its history, and grows with it."""

from __future__ import annotations

from pathlib import Path

from cnncli.training.runs.files import append_bytes, check_regular, read_bytes, write_bytes


class Growing:
    """A file whose content is known: each time only what is missing is written.

    If the file begins as it should, the rest is appended, so that a program that follows it sees it grow,
    also after a run was resumed. Otherwise it is replaced as a whole: after a crash, a failed write, or a
    change by someone else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._content = bytearray()
        self._written: int | None = None
        """How many bytes of the content are in the file; None if that must be found out."""

    def begin(self, content: bytes) -> None:
        """Make this the whole content.

        Raises:
            CnncliError: the file cannot be written.
        """
        self._content, self._written = bytearray(content), None
        self._write()

    def grow(self, more: bytes) -> None:
        """Add to the content.

        Raises:
            CnncliError: the file cannot be written; the next time everything that is missing is.
        """
        self._content += more
        self._write()

    def _write(self) -> None:
        written, self._written = self._written, None
        if written is None or written != self._size():
            written = self._beginning()
        if written is None:
            write_bytes(self._path, bytes(self._content))
        elif written < len(self._content):
            append_bytes(self._path, bytes(self._content[written:]), synced=False)
        self._written = len(self._content)

    def _size(self) -> int | None:
        return self._path.stat().st_size if self._path.exists() else None

    def _beginning(self) -> int | None:
        """Return the size of the file if it is the beginning of the content, else None."""
        check_regular(self._path)
        size = self._size()
        if size is None or size > len(self._content):
            return None
        return size if self._content.startswith(read_bytes(self._path, len(self._content))) else None
