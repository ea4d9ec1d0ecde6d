"""Where spec files lie: what is a path to one, and all that are below a folder, in natural order."""

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
"""What paths are sorted by."""


def exists(path: str | Path) -> bool:
    """Whether there is anything of this name: a file, a folder, a link that leads nowhere."""
    return os.path.lexists(path)


def is_folder(path: str | Path) -> bool:
    """Whether this is a folder; an empty text and what is no path at all are none."""
    return os.path.isdir(path)  # noqa: PTH112 - Path("") is the current folder, and long names raise


def resolved(path: Path) -> Path:
    """The path without links; as it is where it is no path at all, which reading it then says."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        return path


def neighbors(path: Path) -> list[str]:
    """The names of the spec files beside a path, whether or not there is a file of that path itself."""
    try:
        return [each.name for each in path.parent.iterdir() if each.suffix in SUFFIXES]
    except OSError:
        return []


def below(folder: Path) -> list[Path]:
    """The spec files in a folder and the folders below it, in natural order.

    As shell patterns do, it passes over folders whose names start with a dot, and follows no links to
    folders. A link to a file that is not there counts, so that whoever reads it says so.

    Raises:
        UsageError: a folder cannot be read.
    """
    return sorted(_walk(folder), key=natural)


def natural(path: Path) -> Natural:
    """A key by which numbers within names count as numbers: resnet50 comes before resnet101."""
    return tuple(_parts(part) for part in (*path.parent.parts, path.stem, path.suffix))


def _parts(text: str) -> tuple[str | int, ...]:
    # Every second part is a number, so that numbers meet numbers, and texts texts.
    return tuple(int(part) if index % 2 else part for index, part in enumerate(_DIGITS.split(text)))


def _walk(top: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(top, onerror=_unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(folder, name) for name in names if name.endswith(SUFFIXES))
        # No pipe or device, which may never end.
        yield from (path for path in paths if path.is_file() or not path.exists())


def _unreadable(error: OSError) -> NoReturn:
    raise usage_error(f"'{error.filename}' cannot be read: {error.strerror}")
