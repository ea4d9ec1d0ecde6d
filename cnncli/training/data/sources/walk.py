"""The images below folders, and a walk that finds them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cnncli.diagnostics import Diagnostic, UsageError, counted, listing, usage_error
from cnncli.limits import MAX_FILES_NAMED
from cnncli.training.data.sources.decoding import FORMATS


class Files(NamedTuple):
    """Paths below the folder ``root``, and the class of each."""

    root: Path
    paths: tuple[Path, ...]
    labels: tuple[int, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """A name for each file that does not change when the folder is moved."""
        return tuple(path.relative_to(self.root).as_posix() for path in self.paths)


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder that are not hidden, sorted.

    Raises:
        UsageError: it is not a folder.
    """
    if not folder.is_dir():
        raise usage_error(f"{folder} is not a folder", expected="a folder with one folder for each class")
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


class Walk:
    """Finds images below folders, through links too, and notes what it leaves out."""

    def __init__(self) -> None:
        self._reached: dict[tuple[int, int], Path] = {}
        self._ignored: list[Path] = []
        self._linked: list[Path] = []
        self._hidden: list[Path] = []

    def files(
        self, place: Path, names: Sequence[str], numbers: Mapping[str, int], *, every: bool = False
    ) -> Files:
        """Return the images in the folders ``names`` of ``place``, by the number of the name.

        Raises:
            UsageError: a folder is reached twice, or, with ``every``, a folder has no images.
        """
        paths: list[Path] = []
        labels: list[int] = []
        faults: list[Diagnostic] = []
        for name in names:
            images = self._images(place / name)
            if every and not images:
                message = f"{place / name} has no images"
                faults.append(Diagnostic("usage", message, expected=", ".join(FORMATS)))
            paths += images
            labels += [numbers[name]] * len(images)
        if faults:
            raise UsageError(faults[:MAX_FILES_NAMED])
        return Files(place, tuple(paths), tuple(labels))

    def notes(self) -> tuple[str, ...]:
        """Return a line each about links that were followed, hidden folders, and files that were not used."""
        notes = []
        if self._linked:
            folders = f"{counted(len(self._linked), 'folder')} reached through links"
            notes.append(f"{folders}: {listing([str(path) for path in self._linked], limit=3)}")
        if self._hidden:
            folders = "hidden folder was" if len(self._hidden) == 1 else "hidden folders were"
            places = listing([str(path) for path in self._hidden], limit=3)
            notes.append(f"{len(self._hidden)} {folders} not read: {places}")
        if self._ignored:
            names = listing([path.name for path in self._ignored], limit=3)
            are = "is not an image and was" if len(self._ignored) == 1 else "are not images and were"
            notes.append(f"{counted(len(self._ignored), 'file')} {are} not used: {names}")
        return tuple(notes)

    def _images(self, folder: Path) -> list[Path]:
        """Return the images at any depth below a folder, sorted."""
        images: list[Path] = []
        pending = [folder]
        while pending:
            place = pending.pop()
            for entry in self._entries(place):
                path = place / entry.name
                if entry.name.startswith("."):
                    self._hidden += [path] if path.is_dir() else []
                elif path.is_dir():
                    pending.append(path)
                elif path.suffix.lower() in FORMATS and path.is_file():
                    images.append(path)
                else:  # a broken link or a pipe is neither a file nor a folder
                    self._ignored.append(path)
        return sorted(images)

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        """Return what is in a folder, sorted by name.

        Raises:
            UsageError: another path led to the same folder, so its images would count twice.
        """
        first = self._first(folder)
        if first != folder:
            raise usage_error(
                f"{folder} and {first} are the same folder, so its images would count twice",
                expected="each folder once",
                hint="remove the link",
            )
        return self._scanned(folder)

    def _first(self, folder: Path) -> Path:
        """Return the path by which a folder was reached first, which may be this one."""
        status = folder.stat()
        return self._reached.setdefault((status.st_dev, status.st_ino), folder)

    def _scanned(self, folder: Path) -> list[os.DirEntry[str]]:
        if folder.is_symlink():
            self._linked.append(folder)
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)


class TolerantWalk(Walk):
    """A walk that leaves out a folder where another path has led already, or that cannot be read.

    ``again`` are those that were reached by another path, ``faults`` has an error for each of the others.
    """

    def __init__(self) -> None:
        super().__init__()
        self.again: list[Path] = []
        self.faults: list[Diagnostic] = []

    def notes(self) -> tuple[str, ...]:
        """Return the lines of any walk, and one about folders that were reached again."""
        if not self.again:
            return super().notes()
        places = listing([*dict.fromkeys(map(str, self.again))], limit=3)
        return (*super().notes(), f"read once, although several paths lead there: {places}")

    def _entries(self, folder: Path) -> list[os.DirEntry[str]]:
        try:
            if self._first(folder) == folder:
                return self._scanned(folder)
        except OSError as error:
            self.faults.append(Diagnostic("usage", f"{folder}: cannot be read: {error.strerror}"))
            return []
        self.again.append(folder)
        return []
