"""``folder:DIR``: image files in one folder for each class, in two parts or with a fixed fifth held out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from cnncli.diagnostics import counted, listing, usage_error
from cnncli.recipe.data import Data
from cnncli.recipe.metrics import TEST
from cnncli.results.training import Reading
from cnncli.training.data.catalog import Catalog
from cnncli.training.data.dataset import Dataset, Measured, labeled, of_classes
from cnncli.training.data.recorded import Levels
from cnncli.training.data.sources.layout import for_measuring, for_training
from cnncli.training.data.sources.loose import listed
from cnncli.training.data.sources.pictures import Pictures
from cnncli.training.data.sources.stored import of_files
from cnncli.training.data.space import MEMORY, Space


def load(
    folder: Path,
    input_shape: tuple[int, ...],
    how: Data,
    progress: Reading = None,
    default: float = 0.0,
    space: Space = MEMORY,
) -> Dataset:
    """Read DIR/train/CLASS/*.png, DIR/val and DIR/test, or DIR/CLASS/*.png with a fifth held out.

    With two parts, ``val`` is the test part. Classes are numbered in the order of their names; folders below
    a class belong to it. ``default`` is the share that is split off for validation if neither the folder nor
    ``how`` says anything. Images are put into ``space``.

    Raises:
        UsageError: it is not clear what the classes are, a class has no images or is only in a held-out
            part, or files cannot be read; names all of these files.
    """
    layout = for_training(folder)
    train, val, split_notes = layout.split(how.holdout, default)
    parts = [train, *([] if val is None else [val]), layout.test]
    paths = tuple(path for part in parts for path in part.paths)
    pictures = Pictures.prepare(paths, input_shape, how.resize, skip=how.skip)
    images, kept, notes, levels = pictures.read(progress, [len(part.paths) for part in parts], space)
    splits = [
        labeled(pixels, torch.tensor(part.labels, dtype=torch.int64)[numbers])
        for part, pixels, numbers in zip(parts, images, kept, strict=True)
    ]
    _check_left(folder, layout.classes, splits[0].labels)
    return Dataset(
        name=f"folder:{folder}",
        columns=of_classes(layout.classes),
        train=splits[0],
        test=splits[-1],
        notes=(*layout.notes, *split_notes, *notes),
        identity=layout.fingerprint(),
        levels=levels,
        val=None if val is None else splits[1],
    )


def identity(folder: Path) -> str:
    """Return what :func:`load` gives as the identity of the data, without opening a file.

    Raises:
        UsageError: the folder cannot be trained on.
    """
    return for_training(folder).fingerprint()


def training_files(folder: Path, how: Data, default: float) -> tuple[str, ...]:
    """Return the paths, relative to the folder, of the files of the training part, without opening any.

    Those that cannot be read are among them, and ``how.limit`` is not applied.

    Raises:
        UsageError: the folder cannot be trained on.
    """
    train, _, _ = for_training(folder).split(how.holdout, default)
    return tuple(path.relative_to(folder).as_posix() for path in train.paths)


def held_out(
    folder: Path,
    input_shape: tuple[int, ...],
    how: Data,
    levels: Levels,
    progress: Reading = None,
    part: str = TEST,
    default: float = 0.0,
) -> Measured:
    """Read a part that :func:`load` holds out, and nothing else, with the ``levels`` of the training part.

    Raises:
        UsageError: as :func:`load` does, but only for files that are held out.
    """
    layout = for_training(folder)
    files = layout.test if part == TEST else layout.split(how.holdout, default).val
    if files is None:
        raise usage_error(
            f"{folder} has no validation part any more", expected="the data as it was trained on"
        )
    pictures = Pictures.prepare(files.paths, input_shape, how.resize, levels, how.skip)
    (images,), (kept,), notes, _ = pictures.read(progress)
    split = labeled(images, torch.tensor(files.labels, dtype=torch.int64)[kept])
    columns = of_classes(layout.classes)
    return Measured(
        name=f"folder:{folder}",
        columns=columns,
        split=split,
        what="its held-out images",
        notes=(*layout.notes, *notes),
        files=_names(folder, files.paths, kept),
    )


def measure(
    folder: Path,
    input_shape: tuple[int, ...],
    how: Data,
    known: Sequence[str],
    levels: Levels,
    progress: Reading = None,
) -> Measured:
    """Read the test part of a folder, or all of it if it has no parts; its classes are among the ``known``.

    ``levels`` are those of the data that the network was trained on.

    Raises:
        UsageError: there are no images, a class is unknown, or files cannot be read.
    """
    found = for_measuring(folder, known)
    pictures = Pictures.prepare(found.files.paths, input_shape, how.resize, levels, how.skip)
    (images,), (kept,), notes, _ = pictures.read(progress)
    count = counted(len(kept), "image")
    return Measured(
        name=f"folder:{folder}",
        columns=of_classes(found.classes),
        split=labeled(images, torch.tensor(found.files.labels, dtype=torch.int64)[kept]),
        what=f"the {count} in its folder '{found.part}'" if found.part else f"all {count}",
        notes=(*found.notes, *notes),
        files=_names(folder, found.files.paths, kept),
    )


def _names(folder: Path, paths: Sequence[Path], kept: Tensor) -> tuple[str, ...]:
    """Return the paths, relative to the folder, of the files that were read."""
    return tuple(paths[number].relative_to(folder).as_posix() for number in kept.tolist())


def catalog(folder: Path) -> Catalog:
    """Return all images of a folder, also of one that cannot be trained on.

    Raises:
        UsageError: it is not a folder, or has no images.
    """
    found = listed(folder)
    opened = of_files(found.paths)
    return Catalog(f"folder:{folder}", found.classes, found.items, opened, found.notes, found.warnings)


def _check_left(folder: Path, classes: Sequence[str], labels: Tensor) -> None:
    """Check that each class still has a training image, whatever could not be read.

    Raises:
        UsageError: names the classes without one.
    """
    counts = torch.bincount(labels, minlength=len(classes)).tolist()
    empty = [name for name, count in zip(classes, counts, strict=True) if not count]
    if empty:
        raise usage_error(
            f"{folder}: no training image can be read of {listing(empty)}",
            expected="at least one image of each class",
        )
