"""What decoders of images say beside errors: Pillow's warnings and log, and the lines that libtiff prints."""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import IO, Any

from PIL import Image

_STDERR = 2


class Remarks:
    """What decoders warn about while images are read: kept, by thread, and never printed.

    Warnings of other parts of the program go where they would go otherwise.
    """

    def __init__(self) -> None:
        self._heard = threading.local()
        self._printed = _Printed()

    @property
    def printed(self) -> tuple[str, ...]:
        """The lines that libtiff would have printed, of all images."""
        return tuple(self._printed.lines)

    def of_libtiff(self, image: Image.Image) -> AbstractContextManager[None]:
        """Keep what libtiff prints within the block, if it decodes this image."""
        return self._printed.kept() if image.format == "TIFF" else nullcontext()

    @contextmanager
    def of_this_thread(self) -> Iterator[list[str]]:
        """Yield the list to which the remarks of this thread are added within the block."""
        found: list[str] = []
        self._heard.remarks = found
        try:
            yield found
        finally:
            del self._heard.remarks

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep the remarks of all threads within the block."""
        handler, logger = _Handler(self._add), logging.getLogger("PIL")
        with warnings.catch_warnings():
            others = warnings.showwarning

            def show(message: Warning | str, *rest: Any, **named: Any) -> None:
                if not self._add(str(message)):
                    others(message, *rest, **named)

            warnings.filterwarnings("always", module=rf"PIL\b|{__package__}")
            warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # `opened` decides
            warnings.showwarning = show
            logger.addHandler(handler)
            try:
                yield
            finally:
                logger.removeHandler(handler)

    def _add(self, remark: str) -> bool:
        """Add a remark to the list of this thread, if it reads an image; return whether it does."""
        remarks: list[str] | None = getattr(self._heard, "remarks", None)
        if remarks is None:
            return False
        remarks.append(remark)
        return True


class _Handler(logging.Handler):
    def __init__(self, add: Callable[[str], object]) -> None:
        super().__init__(logging.WARNING)
        self._add = add

    def emit(self, record: logging.LogRecord) -> None:
        self._add(record.getMessage())


class _Printed:
    """Keeps what is written to the descriptor of standard error, by whatever thread.

    libtiff has no other way to report, and Pillow leaves it that way. Threads may decode at the same time, so
    the descriptor is restored by the last one.
    """

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._lock = threading.Lock()
        self._users = 0
        self._open = sys.stderr is not None and _is_open(_STDERR)
        self._saved = -1
        self._file: IO[bytes] | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._divert()
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._restore()

    def _divert(self) -> None:
        if not self._open:  # nothing can be printed, and the number may be that of an image by now
            return
        sys.stderr.flush()
        self._saved = os.dup(_STDERR)
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by _restore
        os.dup2(self._file.fileno(), _STDERR)

    def _restore(self) -> None:
        if self._file is None:
            return
        os.dup2(self._saved, _STDERR)
        os.close(self._saved)
        with self._file as file:
            file.seek(0)
            self.lines += file.read().decode(errors="replace").splitlines()
        self._file = None


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
