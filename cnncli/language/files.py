"""Spec files on disk: which paths exist, and all specs below a folder in natural order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from cnncli.diagnostics import usage_error

SUFFIXES: Final = (".yaml", ".yml")

_DIGITS: Final = re.compile("([0-9]+)")

Natural: TypeAlias = "tuple[tuple[str | int, ...], ...]"
"""A key by which paths are sorted."""


def checked_path(path: str | Path) -> str | Path:
    """Return the path of a file that is to be read.

    Raises:
        UsageError: it is empty: ``Path("")`` would be the working directory.
    """
    if not str(path):
        raise usage_error("the path of the file is empty", expected="the path of a file")
    return path


def exists(path: str | Path) -> bool:
    """Return whether this is a file, a folder or a link, even a broken one."""
    return os.path.lexists(path)


def is_folder(path: str | Path) -> bool:
    """Return whether this is a folder; an empty or invalid path is not."""
    return os.path.isdir(path)  # noqa: PTH112 - Path("") is the current folder, and long names raise


def resolved(path: Path) -> Path:
    """Return the path without links; an invalid path as it is, since reading it reports the error."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path


def neighbors(path: Path) -> list[str]:
    """Return the names of the spec files in the folder of a path, which itself need not exist."""
    try:
        return [each.name for each in path.parent.iterdir() if each.suffix in SUFFIXES]
    except OSError:
        return []


def below(folder: Path) -> list[Path]:
    """Return the spec files in a folder and the folders below it, in natural order.

    Like shell patterns, this skips folders whose names start with a dot and does not follow links to
    folders. A broken link is included, so that reading it reports the error.

    Raises:
        UsageError: a folder cannot be read.
    """
    return sorted(_walk(folder), key=natural)


def natural(path: Path) -> Natural:
    """Return a sort key that compares numbers within names as numbers: resnet50 before resnet101."""
    return tuple(_parts(part) for part in (*path.parent.parts, path.stem, path.suffix))


def _parts(text: str) -> tuple[str | int, ...]:
    # Every second part is a number, so numbers are compared with numbers and strings with strings.
    return tuple(int(part) if index % 2 else part for index, part in enumerate(_DIGITS.split(text)))


def _walk(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(folder, name) for name in names if name.endswith(SUFFIXES))
        # Reading a pipe or a device might never end.
        yield from (path for path in paths if path.is_file() or not path.exists())


def _unreadable(error: OSError) -> NoReturn:
    raise usage_error(f"'{error.filename}' cannot be read: {error.strerror}")
