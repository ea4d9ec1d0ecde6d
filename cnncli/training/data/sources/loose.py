"""All images of a folder, also of one that cannot be trained on: what is wrong becomes a warning."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cnncli.diagnostics import UsageError, counted, listing
from cnncli.training.data.catalog import HELD_OUT, Item, in_a_line
from cnncli.training.data.sources.decoding import FORMATS
from cnncli.training.data.sources.layout import Layout, for_training, role_of
from cnncli.training.data.sources.walk import Walk, subfolders


class Listing(NamedTuple):
    """The images of a folder: classes, files with an item each, notes and warnings."""

    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    items: tuple[Item, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def listed(folder: Path) -> Listing:
    """Return the images of a folder, in the parts that a training would see, if it could be trained on.

    Otherwise the parts are the folders that are named as such, or there is one without a name, and their
    folders are the classes. Images that are in no folder of a class have none.

    Raises:
        UsageError: it is not a folder, or no images are found in it.
        OSError: it cannot be read.
    """
    try:
        return _of_layout(folder, for_training(folder))
    except (UsageError, OSError) as error:
        found = _Loose(folder)
        for place in found.parts() or (folder,):
            found.add(place)
        if not found.paths:
            raise
        return found.listing((), (f"cannot be trained on: {in_a_line(error)}",))


def _of_layout(folder: Path, layout: Layout) -> Listing:
    """Return what a training would see, and other folders of parts."""
    found = _Loose(folder, layout.classes)
    parts = (layout.train.root, layout.test.root)
    whole = parts == (folder, folder)
    names = ("train", HELD_OUT) if whole else tuple(path.name for path in parts)
    for name, files in zip(names, (layout.train, layout.test), strict=True):
        for path, label in zip(files.paths, files.labels, strict=True):
            found.add_image(name, path, layout.classes[label])
    for place in [] if whole else found.parts():
        if place not in parts:
            found.add(place)
    return found.listing(layout.notes)


class _Loose:
    """Collects the images of a folder."""

    def __init__(self, folder: Path, classes: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._classes = classes
        self._walk = Walk()
        self._images: list[tuple[str, str | None]] = []
        self._warnings: list[str] = []
        self.paths: list[Path] = []

    def parts(self) -> list[Path]:
        """Return the folders that are named after a part, those for training first."""
        found = [path for path in subfolders(self._folder) if role_of(path.name) is not None]
        return sorted(found, key=lambda path: role_of(path.name) != "train")

    def add_image(self, part: str, path: Path, name: str | None) -> None:
        """Add an image of the class ``name``."""
        self.paths.append(path)
        self._images.append((part, name))

    def add(self, place: Path) -> None:
        """Add all images of a part, or of the whole folder; what cannot be read becomes a warning."""
        part = "" if place == self._folder else place.name
        try:
            inner = subfolders(place)
            loose = [path for path in sorted(place.iterdir()) if _is_image(path)]
        except OSError as error:
            self._warnings.append(in_a_line(error))
            return
        for path in inner:
            try:
                files = self._walk.files(place, [path.name], {path.name: 0})
            except (UsageError, OSError) as error:
                self._warnings.append(in_a_line(error))
                continue
            for each in files.paths:
                self.add_image(part, each, path.name)
        for path in loose:
            self.add_image(part, path, None)
        if loose:
            are = "is" if len(loose) == 1 else "are"
            where = f"{place}: {counted(len(loose), 'image')} {are} in no folder of a class"
            self._warnings.append(f"{where}: {listing([path.name for path in loose], 3)}")

    def listing(self, notes: tuple[str, ...], warnings: tuple[str, ...] = ()) -> Listing:
        """Return all that was added, with classes in the order of their names after those that were known."""
        names = sorted({name for _, name in self._images if name is not None} - {*self._classes})
        classes = (*self._classes, *names)
        numbers = {name: number for number, name in enumerate(classes)}
        items = tuple(
            Item(part, path.relative_to(self._folder).as_posix(), () if name is None else (numbers[name],))
            for path, (part, name) in zip(self.paths, self._images, strict=True)
        )
        return Listing(
            classes, tuple(self.paths), items, (*notes, *self._walk.notes()), (*warnings, *self._warnings)
        )


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in FORMATS and path.is_file() and not path.name.startswith(".")
