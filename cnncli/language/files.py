"""Spec files on disk: which paths exist, and all specs below a folder in natural order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from itertools import groupby
from pathlib import Path
from typing import Final, NoReturn, TypeAlias

from cnncli.diagnostics import usage_error
from cnncli.limits import MAX_ENTRIES

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


def matching(pattern: str) -> list[Path]:
    """Return the files that a shell pattern matches, in natural order.

    ``**`` is any number of folders. Like ``*``, it does not match names that start with a dot, and unlike
    ``*`` no links to folders: with two links to their own folder, the paths would double at each level.

    Raises:
        UsageError: the pattern has to look at too many files.
    """
    found = _Matches(pattern).of(Path(), list(_once(Path(pattern).parts)))
    return sorted({path for path in found if not path.is_dir()}, key=natural)


def _once(parts: Iterable[str]) -> Iterator[str]:
    """Yield the parts of a pattern, with one ``**`` for several in a row."""
    for part, copies in groupby(parts):
        yield from [part] if part == "**" else copies


class _Matches:
    """Finds the paths that a pattern matches, and counts what it looks at."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._seen = 0

    def of(self, folder: Path, parts: Sequence[str]) -> Iterator[Path]:
        """Yield the paths in a folder that match the parts of a pattern."""
        first, rest = parts[0], parts[1:]
        if first == "**":
            yield from self._below(folder, rest)
        elif not any(character in first for character in "*?["):
            if rest:
                yield from self.of(folder / first, rest)
            elif exists(folder / first):
                yield folder / first
        else:
            for each in self._entries(folder):
                if fnmatchcase(each.name, first) and (first[0] == "." or each.name[0] != "."):
                    yield from self.of(folder / each.name, rest) if rest else [folder / each.name]

    def _below(self, folder: Path, rest: Sequence[str]) -> Iterator[Path]:
        pending = [folder]
        while pending:
            current = pending.pop()
            if rest:
                yield from self.of(current, rest)
            for each in self._entries(current):
                if each.name[0] != ".":
                    if each.is_dir(follow_symlinks=False):
                        pending.append(current / each.name)
                    elif not rest:
                        yield current / each.name

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """Return what is in a folder; nothing if it is not a folder or cannot be read."""
        try:
            with os.scandir(folder) as entries:
                found = list(entries)
        except (OSError, ValueError):
            return []
        self._seen += len(found) + 1
        _check_seen(self._seen, self._pattern)
        return found


def _check_seen(number: int, word: str) -> None:
    if number > MAX_ENTRIES:
        expected = f"a folder or a pattern with at most {MAX_ENTRIES:,}"
        raise usage_error(f"'{word}' leads to too many files and folders", expected=expected)


def _walk(top: Path) -> Iterator[Path]:
    seen = 0
    for folder, folders, names in os.walk(top, onerror=_unreadable):
        seen += len(folders) + len(names)
        _check_seen(seen, str(top))
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(folder, name) for name in names if name.endswith(SUFFIXES))
        # Reading a pipe or a device might never end.
        yield from (path for path in paths if path.is_file() or not path.exists())


def _unreadable(error: OSError) -> NoReturn:
    raise usage_error(f"'{error.filename}' cannot be read: {error.strerror}")
