"""What a folder of images contains: parts, classes, and the files of each class.

A folder has parts (``train``, ``test``), each with a folder for each class, or it has the folders of the
classes itself. Which is the case follows from the names alone, so names that could mean either are errors.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from cnncli.diagnostics import listing, usage_error
from cnncli.training.data.holdout import (
    check_validation,
    for_validation,
    held_out,
    own_validation,
    validation_note,
)
from cnncli.training.data.sources.decoding import FORMATS
from cnncli.training.data.sources.walk import Files, Walk, subfolders

Role: TypeAlias = Literal["train", "test", "val"]

PART_NAMES: Final[Mapping[Role, tuple[str, ...]]] = {
    "train": ("train", "training", "trn"),
    "test": ("test", "testing", "tst"),
    "val": ("val", "valid", "validation", "dev"),
}
"""The names of the parts, in any case, and with words around them that say nothing (:func:`role_of`)."""

_ROLES: Final = {name: role for role, names in PART_NAMES.items() for name in names}
_FILLERS: Final = frozenset({"set", "data", "dataset", "split", "images", "imgs", "img", "pictures"})
_TESTS: Final = listing([*PART_NAMES["test"], *PART_NAMES["val"]], last=" or ")


class TrainingFiles(NamedTuple):
    """The files to train on, those of the validation part, and a note about what was split off."""

    train: Files
    val: Files | None
    notes: tuple[str, ...]


class Layout(NamedTuple):
    """What to train on: the names of the classes, the files of the parts, and notes.

    ``val`` is a validation part of the folder's own; None without one.
    """

    classes: tuple[str, ...]
    train: Files
    test: Files
    notes: tuple[str, ...]
    val: Files | None = None

    def fingerprint(self) -> str:
        """Return the SHA-256 of the names and sizes of all files, their parts and classes.

        No file is opened: a fingerprint of contents would read all images whenever one part is measured.
        """
        digest = hashlib.sha256(repr(self.classes).encode())
        for files in (self.train, self.test, *([] if self.val is None else [self.val])):
            sizes = [path.stat().st_size for path in files.paths]
            digest.update(repr(sorted(zip(files.keys, sizes, files.labels, strict=True))).encode())
        return digest.hexdigest()

    def split(self, holdout: float | None, default: float) -> TrainingFiles:
        """Return the files that are trained on, and those of the validation part.

        Args:
            holdout: the share of the training part that is split off, as the recipe says.
            default: the share without a word in the recipe, if the folder has no validation part.

        Raises:
            UsageError: the folder has a validation part, and the recipe asks for another.
        """
        share = default if holdout is None else holdout
        if self.val is not None and holdout:
            raise own_validation(str(self.train.root.parent), holdout)
        if self.val is not None or not share:
            return TrainingFiles(self.train, self.val, ())
        held = for_validation(self.train.labels, self.train.keys, share)
        check_validation(held, str(self.train.root))
        kept = sorted({*range(len(self.train.paths))} - {*held})
        note = validation_note(len(held), len(kept), by_class=True, asked=holdout is not None)
        return TrainingFiles(_chosen(self.train, kept), _chosen(self.train, held), (note,))


class Measurable(NamedTuple):
    """What to measure: the classes that have images, the files, and what part of the folder they are."""

    classes: tuple[str, ...]
    files: Files
    part: str
    notes: tuple[str, ...]


def for_training(folder: Path) -> Layout:
    """Return the classes and files of a folder, to train on.

    Raises:
        UsageError: it is not clear what the classes are, a class has no images or is only in the held-out
            part, or a folder is reached twice.
    """
    parts = parts_of(folder)
    test = parts.get("test") or parts.get("val")
    if "train" in parts and test is not None:
        val = parts.get("val") if "test" in parts else None
        return _with_parts(folder, parts["train"], test, val if val and subfolders(val) else None)
    if parts:
        there = next(iter(parts.values())).name
        raise usage_error(
            f"{folder} has a folder '{there}', but not its counterpart",
            expected=f"train and {_TESTS}, or one folder for each class",
            received=there,
            hint=f"if '{there}' is a class, give its folder another name",
        )
    return _one_part(folder)


def for_measuring(folder: Path, known: Sequence[str]) -> Measurable:
    """Return the files of a folder to measure a network of the classes ``known`` on.

    These are the files of its test part, or of its validation part if it has no test part; if it has no
    parts, or only one for training, all there are. Classes may be absent; if none are known, a network that
    learns no classes is measured, and the folder may have any.

    Raises:
        UsageError: there are no images, or a folder is not one of the known classes.
    """
    names = [path.name for path in subfolders(folder)]
    parts = {} if known and set(names) <= set(known) else parts_of(folder)
    place = parts.get("test") or parts.get("val") or parts.get("train") or folder
    walk = Walk()
    classes = _classes(place)
    unknown = [name for name in classes if name not in known]
    if known and unknown:
        raise usage_error(
            f"{place} has classes that the network was not trained on: {listing(unknown)}",
            expected=f"only {listing(known)}",
            received=listing(classes),
        )
    files = walk.files(place, classes, {name: number for number, name in enumerate(classes)})
    if not files.paths:
        raise usage_error(f"{place} has no images", expected=", ".join(FORMATS))
    present = sorted(set(files.labels))
    numbers = {label: number for number, label in enumerate(present)}
    files = files._replace(labels=tuple(numbers[label] for label in files.labels))
    names_of_present = tuple(classes[label] for label in present)
    unused = [] if place == folder else [path.name for path in subfolders(folder) if path != place]
    notes = (*_unused_notes(folder, unused), *walk.notes())
    return Measurable(names_of_present, files, "" if place == folder else place.name, notes)


def parts_of(folder: Path) -> dict[Role, Path]:
    """Return the folders in ``folder`` that have the name of a part.

    Raises:
        UsageError: several have names of the same part.
    """
    found: dict[Role, Path] = {}
    for path in subfolders(folder):
        role = role_of(path.name)
        if role is None:
            continue
        if role in found:
            both = listing([found[role].name, path.name])
            raise usage_error(f"{folder} has two folders for one part: {both}", expected="one of them")
        found[role] = path
    return found


def role_of(name: str) -> Role | None:
    """Return the part that a folder is named after, such as ``Train``, ``test_set`` or ``val2017``."""
    telling = [word for word in _words(name) if word and word not in _FILLERS]
    return _ROLES.get(telling[0]) if len(telling) == 1 else None


def roles_in(name: str) -> set[Role]:
    """Return the parts that a name such as ``imagenet-train-000123`` mentions."""
    return {_ROLES[word] for word in _words(name) if word in _ROLES}


def _words(name: str) -> list[str]:
    words = re.sub(r"[\W_]+", " ", name.casefold()).split()
    words = [word.rstrip("0123456789") for word in words]
    return [word.removesuffix("set") if word.removesuffix("set") in _ROLES else word for word in words]


def _with_parts(folder: Path, train: Path, test: Path, val: Path | None) -> Layout:
    classes = _classes(train)
    named_as_parts = [name for name in classes if role_of(name) is not None]
    if len(named_as_parts) == len(classes):
        raise usage_error(
            f"{train} has folders for parts, not for classes: {listing(classes)}",
            expected="one folder for each class",
            received=listing(classes),
            hint="was an archive unpacked into a folder of its own name? move the folders of the classes up",
        )
    held = [place for place in (test, val) if place is not None]
    _check_known(train, classes, held)
    walk = Walk()
    numbers = {name: number for number, name in enumerate(classes)}
    train_files = walk.files(train, classes, numbers, every=True)
    files = [walk.files(place, [path.name for path in subfolders(place)], numbers) for place in held]
    _check_classes(train, classes, train_files)
    absences = [line for found in files for line in _absences(found, classes)]
    unused = [path.name for path in subfolders(folder) if path not in (train, *held)]
    notes = (*absences, *_unused_notes(folder, unused), *walk.notes())
    return Layout(classes, train_files, files[0], notes, None if val is None else files[1])


def _check_known(train: Path, classes: Sequence[str], held: Sequence[Path]) -> None:
    """Check that the parts ``held`` have no classes but those of the training part.

    Raises:
        UsageError: one has another.
    """
    for place in held:
        unknown = [name for name in _classes(place) if name not in classes]
        if unknown:
            raise usage_error(
                f"{place} has classes that {train} does not have: {listing(unknown)}",
                expected=f"only {listing(classes)}",
                received=listing(unknown),
            )


def _absences(held: Files, classes: Sequence[str]) -> tuple[str, ...]:
    """Return a line about the classes without an image in a held-out part.

    Raises:
        UsageError: it has no images at all.
    """
    if not held.paths:
        raise usage_error(f"{held.root} has no images", expected=", ".join(FORMATS))
    absent = [name for number, name in enumerate(classes) if number not in set(held.labels)]
    return (f"{held.root} has no images of {listing(absent)}",) if absent else ()


def _one_part(folder: Path) -> Layout:
    classes = _classes(folder)
    walk = Walk()
    files = walk.files(folder, classes, {name: number for number, name in enumerate(classes)}, every=True)
    _check_classes(folder, classes, files)
    counts = [files.labels.count(label) for label in range(len(classes))]
    lonely = [name for name, count in zip(classes, counts, strict=True) if count < 2]
    if lonely:
        raise usage_error(
            f"{folder}: a fifth of one image cannot be held out; classes with one image: {listing(lonely)}",
            expected="at least two images of each class",
        )
    held = set(held_out(files.labels, files.keys))
    note = f"{len(held)} of {len(files.paths)} images held out, a fixed fifth of each class"
    kept = [index for index in range(len(files.paths)) if index not in held]
    notes = (note, *walk.notes())
    return Layout(classes, _chosen(files, kept), _chosen(files, sorted(held)), notes)


def _chosen(files: Files, indices: Iterable[int]) -> Files:
    paths, labels = zip(*((files.paths[index], files.labels[index]) for index in indices), strict=True)
    return Files(files.root, paths, labels)


def _check_classes(folder: Path, classes: Sequence[str], files: Files) -> None:
    """Check that folders are classes, and not the parts of a data set under names of their own.

    Raises:
        UsageError: there is only one, or two of them have several folders with the same names.
    """
    if len(classes) == 1:
        raise usage_error(
            f"{folder} has only one class: {classes[0]}",
            expected="one folder for each of two or more classes",
            received=classes[0],
        )
    below: list[set[str]] = [set() for _ in classes]
    for path, label in zip(files.paths, files.labels, strict=True):
        inner = path.relative_to(folder).parts
        if len(inner) > 2:
            below[label].add(inner[1])
    nested = [(name, names) for name, names in zip(classes, below, strict=True) if len(names) > 1]
    for index, (name, names) in enumerate(nested):
        for other, others in nested[index + 1 :]:
            shared = sorted(names & others)
            if len(shared) > 1:
                raise usage_error(
                    f"{folder}: {name} and {other} have folders of the same names: {listing(shared, 6)}",
                    expected="one folder for each class",
                    received=f"folders that look like parts of the data: {listing(classes)}",
                    hint="call the parts train and test; or, if they are classes, merge the folders in them",
                )


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(path.name for path in subfolders(folder))
    if not names:
        raise usage_error(
            f"{folder} has no folders",
            expected="one folder for each class",
            received=listing(sorted(path.name for path in folder.iterdir()), limit=4) or "an empty folder",
        )
    return names


def _unused_notes(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    if not names:
        return ()
    are = "is" if len(names) == 1 else "are"
    return (f"{listing(names, limit=6)} in {folder} {are} not used",)
