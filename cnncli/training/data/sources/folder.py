"""``folder:DIR``: image files in one folder for each class, in two parts or with a fixed fifth held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from cnncli.diagnostics import Diagnostic, UsageError, listing, usage_error
from cnncli.limits import MAX_FILES_NAMED
from cnncli.training.data.dataset import Dataset, Split
from cnncli.training.data.holdout import held_out
from cnncli.training.data.sources.decoding import FORMATS
from cnncli.training.data.sources.pictures import Pictures

_TEST_NAMES = ("test", "val", "valid", "validation")


class _Files(NamedTuple):
    """Paths and the class of each."""

    paths: tuple[Path, ...]
    labels: tuple[int, ...]


class _Layout(NamedTuple):
    """The content of the folder: the names of the classes, the files of both parts, and notes."""

    classes: tuple[str, ...]
    train: _Files
    test: _Files
    notes: tuple[str, ...]


def load(
    folder: Path,
    input_shape: tuple[int, ...],
    resize: str,
    progress: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Read DIR/train/CLASS/*.png and DIR/test/CLASS/*.png (or val), or DIR/CLASS/*.png with a fifth held out.

    Classes are numbered in the order of their names; folders below a class belong to it.

    Raises:
        UsageError: a class has no images or is only in the held-out part, or files cannot be read; names
            all of these files.
    """
    layout = _layout(folder)
    paths = (*layout.train.paths, *layout.test.paths)
    pictures = Pictures.prepare(paths, input_shape, resize)
    images, notes = pictures.read(progress)
    labels = torch.tensor((*layout.train.labels, *layout.test.labels), dtype=torch.int64)
    count = len(layout.train.paths)
    return Dataset(
        name=f"folder:{folder}",
        classes=layout.classes,
        train=Split(images[:count], labels[:count]),
        test=Split(images[count:], labels[count:]),
        notes=(*layout.notes, *notes),
    )


def _layout(folder: Path) -> _Layout:
    if not folder.is_dir():
        raise usage_error(f"{folder} is not a folder", expected="a folder with one folder for each class")
    train = folder / "train"
    tests = [folder / name for name in _TEST_NAMES if (folder / name).is_dir()]
    if train.is_dir() and tests:
        return _two_parts(train, tests)
    if train.is_dir() or tests:
        there = (train if train.is_dir() else tests[0]).name
        raise usage_error(
            f"{folder} has a folder '{there}', but not its counterpart",
            expected=f"both train and one of {listing(_TEST_NAMES)}, or one folder for each class",
            received=there,
        )
    return _one_part(folder)


def _two_parts(train: Path, tests: Sequence[Path]) -> _Layout:
    classes = _classes(train)
    test = tests[0]
    unknown = [name for name in _classes(test) if name not in classes]
    if unknown:
        raise usage_error(
            f"{test} has classes that {train} does not have: {listing(unknown)}",
            expected=f"only {listing(classes)}",
            received=listing(unknown),
        )
    train_files, ignored = _files(train, classes)
    test_files, ignored_too = _files(test, [name for name in classes if (test / name).is_dir()], classes)
    notes = [f"{path} is not used: {test.name} is the held-out part" for path in tests[1:]]
    return _Layout(classes, train_files, test_files, (*notes, *_ignored_notes(ignored + ignored_too)))


def _one_part(folder: Path) -> _Layout:
    classes = _classes(folder)
    files, ignored = _files(folder, classes)
    counts = [files.labels.count(label) for label in range(len(classes))]
    lonely = [name for name, count in zip(classes, counts, strict=True) if count < 2]
    if lonely:
        raise usage_error(
            f"{folder}: a fifth of one image cannot be held out; classes with one image: {listing(lonely)}",
            expected="at least two images of each class",
        )
    keys = [path.relative_to(folder).as_posix() for path in files.paths]
    held = set(held_out(files.labels, keys))

    def part(of_held: bool) -> _Files:
        chosen = [index for index in range(len(keys)) if (index in held) == of_held]
        return _Files(
            tuple(files.paths[index] for index in chosen), tuple(files.labels[index] for index in chosen)
        )

    note = f"{len(held)} of {len(keys)} images held out, a fixed fifth of each class"
    return _Layout(classes, part(False), part(True), (note, *_ignored_notes(ignored)))


def _classes(folder: Path) -> tuple[str, ...]:
    names = tuple(
        sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    )
    if not names:
        raise usage_error(
            f"{folder} has no folders",
            expected="one folder for each class",
            received=listing(sorted(path.name for path in folder.iterdir()), limit=4) or "an empty folder",
        )
    return names


def _files(
    folder: Path, present: Sequence[str], classes: Sequence[str] | None = None
) -> tuple[_Files, list[Path]]:
    """Return the images of the classes ``present``, numbered as in ``classes``, and all other files."""
    numbers = {name: number for number, name in enumerate(classes or present)}
    paths: list[Path] = []
    labels: list[int] = []
    ignored: list[Path] = []
    faults: list[Diagnostic] = []
    for name in present:
        # A broken link or a pipe is neither a file nor a folder; it is reported as not used.
        files = sorted(path for path in (folder / name).rglob("*") if not path.is_dir())
        images = [path for path in files if _is_image(path)]
        ignored += [path for path in files if not _is_image(path) and not path.name.startswith(".")]
        if not images:
            faults.append(Diagnostic("usage", f"{folder / name} has no images", expected=", ".join(FORMATS)))
        paths += images
        labels += [numbers[name]] * len(images)
    if faults:
        raise UsageError(faults[:MAX_FILES_NAMED])
    return _Files(tuple(paths), tuple(labels)), ignored


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in FORMATS and not path.name.startswith(".") and path.is_file()


def _ignored_notes(ignored: Sequence[Path]) -> tuple[str, ...]:
    if not ignored:
        return ()
    names = listing([path.name for path in ignored], limit=3)
    count = (
        "1 file is not an image and was"
        if len(ignored) == 1
        else f"{len(ignored)} files are not images and were"
    )
    return (f"{count} not used: {names}",)
