"""Archives by a pattern of paths or addresses; those that are elsewhere are downloaded for the time."""

from __future__ import annotations

import glob
import gzip
import itertools
import os
import re
import tempfile
import urllib.request
import zlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from http.client import HTTPException
from pathlib import Path
from typing import IO, Final
from urllib.error import HTTPError

from cnncli.diagnostics import CnncliError, Diagnostic, usage_error
from cnncli.limits import MAX_SHARDS
from cnncli.training.data.sources.streams import Stream
from cnncli.training.data.sources.tars import Archive, Store
from cnncli.training.extras import need

_SCHEME: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.ASCII)
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)", re.ASCII)
_WEB: Final = frozenset({"http", "https"})
_CHUNK: Final = 1 << 20
_ATTEMPTS: Final = 3
_SECONDS: Final = 60
_SERVER_ERROR: Final = 500
_COMPRESSED: Final = (".gz", ".tgz")


def expanded(pattern: str) -> list[str]:
    """Return the paths or addresses that a pattern stands for, in order.

    ``{000..010}`` is a range of numbers with as many digits as its first, ``{a,b}`` a choice; ``*``, ``?``
    and ``[...]`` in a path match the names of files.

    >>> expanded("http://host/{train,val}-{09..10}.tar")[1:3]
    ['http://host/train-10.tar', 'http://host/val-09.tar']

    Raises:
        UsageError: it stands for nothing, or for too much.
    """
    pieces = _BRACES.split(pattern)
    choices = [_choices(piece, pattern) if place % 2 else [piece] for place, piece in enumerate(pieces)]
    names = ["".join(parts) for parts in itertools.islice(itertools.product(*choices), MAX_SHARDS + 1)]
    if not is_remote(pattern):
        names = [
            name
            for each in names
            for name in (sorted(glob.glob(each)) if glob.has_magic(each) else [each])  # noqa: PTH207
        ]
    if not names:
        raise usage_error(
            f"no file matches {pattern}", expected="tar archives, such as 'data/{000..010}.tar'"
        )
    if len(names) > MAX_SHARDS:
        raise usage_error(f"{pattern} stands for too many files", expected=f"at most {MAX_SHARDS:,}")
    return list(dict.fromkeys(names))


def _choices(text: str, pattern: str) -> Sequence[str]:
    found = _RANGE.fullmatch(text)
    if found is None:
        return text.split(",")
    first, last = int(found[1]), int(found[2])
    if not first <= last <= first + MAX_SHARDS:
        expected = f"a range such as 000..010, of at most {MAX_SHARDS:,} numbers"
        raise usage_error(f"{{{text}}} is not a range of files in {pattern}", expected=expected)
    return [f"{number:0{len(found[1])}}" for number in range(first, last + 1)]


def is_remote(pattern: str) -> bool:
    """Return whether a pattern is of addresses, not of paths."""
    return _SCHEME.match(pattern) is not None


def absolute(pattern: str) -> str:
    """Return a pattern of paths from the root of the file system on; one of addresses as it is."""
    return pattern if is_remote(pattern) else str(Path(pattern).absolute())


def archives(names: Sequence[str]) -> list[Archive]:
    """Return the archives of these names.

    What is elsewhere, or compressed, is written to one temporary file, which has no name that could be left
    over; it is gone when nothing refers to it any more.

    Raises:
        UsageError: a file does not exist, or cannot be downloaded.
        CnncliError: the disk is full.
    """
    with tempfile.TemporaryFile() as file:
        store = Store(file)
        return [_archive(name, file, store) for name in names]


def _archive(name: str, file: IO[bytes], store: Store) -> Archive:
    if not is_remote(name) and not name.endswith(_COMPRESSED):
        path = Path(name)
        if not path.is_file():
            raise usage_error(f"no such file: {name}", expected="a tar archive")
        return Archive(name, path, 0, path.stat().st_size)
    start = file.seek(0, os.SEEK_END)
    for attempt in range(1, _ATTEMPTS + 1):
        file.seek(start)
        file.truncate()
        try:
            _fetch(name, file)
            break
        except (HTTPException, OSError, EOFError, zlib.error) as error:
            if attempt == _ATTEMPTS or _is_final(error, name):
                raise usage_error(f"cannot read {name}: {error}", expected="a tar archive") from error
    file.flush()
    return Archive(name, store, start, file.tell() - start)


def _fetch(name: str, store: IO[bytes]) -> None:
    """Write the content of a file to ``store``, not compressed.

    Raises:
        OSError, HTTPException, EOFError, zlib.error: it cannot be read, or not to its end.
        CnncliError: it cannot be written.
    """
    with _opened(name) as file:
        content: Stream = gzip.GzipFile(fileobj=file) if name.endswith(_COMPRESSED) else file
        while chunk := content.read(_CHUNK):
            try:
                store.write(chunk)
            except OSError as error:
                message = f"cannot write {name} to a temporary file: {error.strerror or error}"
                hint = f"make room in {tempfile.gettempdir()}, or set TMPDIR"
                raise CnncliError(Diagnostic("unwritable", message, hint=hint)) from error
        if getattr(file, "length", None):  # what HTTPResponse still expects
            raise EOFError("the connection ended too early")


def _opened(name: str) -> AbstractContextManager[IO[bytes]]:
    scheme = _SCHEME.match(name)
    if scheme is None:
        return Path(name).open("rb")
    if scheme["scheme"] in _WEB:
        request = urllib.request.Request(name, headers={"User-Agent": "cnncli"})  # noqa: S310 - http alone
        response: AbstractContextManager[IO[bytes]] = urllib.request.urlopen(request, timeout=_SECONDS)  # noqa: S310
        return response
    need("fsspec", purpose=f"{scheme['scheme']}://", command="pip install 'cnncli[storage]'")
    import fsspec  # noqa: PLC0415 - an extra

    try:
        opened: AbstractContextManager[IO[bytes]] = fsspec.open(name, "rb")
    except (ImportError, ValueError) as error:  # it needs another package, or does not exist
        raise usage_error(f"cannot read {name}: {error}") from error
    return opened


def _is_final(error: Exception, name: str) -> bool:
    """Return whether it is of no use to try again."""
    return not is_remote(name) or (isinstance(error, HTTPError) and error.code < _SERVER_ERROR)
