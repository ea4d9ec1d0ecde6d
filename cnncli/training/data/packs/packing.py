"""Packing: a data set is decoded once, right into files that a training maps into memory."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cnncli.recipe.data import Data
from cnncli.results.training import Packed
from cnncli.training.data.dataset import Dataset, Split
from cnncli.training.data.packs.files import NewFiles
from cnncli.training.data.packs.folder import whole_folder
from cnncli.training.data.packs.manifest import Array, Manifest, Part, write_manifest
from cnncli.training.data.space import Space

_PLAIN: Final = re.compile(r"[A-Za-z0-9_]{1,60}")
_IMAGES: Final = "images"


def whole(data: Data) -> Data:
    """Return how data is read to be packed: all of it, in the parts that it has of its own.

    Shares are taken of the pack when a network is trained on it.
    """
    return data.replaced({"limit": 1.0, "holdout": None})


def pack(folder: Path, resize: str, read: Callable[[Space], Dataset]) -> Packed:
    """Write a data set to a new folder, which is created whole or not at all.

    Images that are decoded are written by the threads that decode them, to files that are mapped, so they are
    never in memory together.

    Args:
        folder: the folder.
        resize: the rule by which images are given their size.
        read: reads the data; images are put into the space that it gets.

    Raises:
        UsageError: the data cannot be read, or the folder is not empty.
        CnncliError: the folder cannot be written.
    """
    with whole_folder(folder) as temporary:
        files = NewFiles(temporary)
        dataset = read(files)
        manifest = _written(dataset, resize, files)
        write_manifest(temporary, manifest)
        nbytes = sum(path.stat().st_size for path in temporary.iterdir())
    return Packed(
        folder=folder,
        source=dataset.name,
        input_shape=dataset.input_shape,
        train_count=dataset.train.count,
        val_count=dataset.val_count,
        test_count=dataset.test.count,
        classes=dataset.classes,
        nbytes=nbytes,
        notes=dataset.notes,
    )


def _written(dataset: Dataset, resize: str, files: NewFiles) -> Manifest:
    """Write all arrays, and return the manifest of them."""
    measured, identity = dataset.normalized(), dataset.fingerprint()
    parts = {"train": dataset.train, "test": dataset.test}
    parts |= {} if dataset.val is None else {"val": dataset.val}
    for part, split in parts.items():
        files.keep(split.rows, _file_name(part, _IMAGES))
        for number, name in enumerate(split.columns):
            files.keep(split.column(name), _file_name(part, name, number))
    arrays = files.finish()
    return Manifest(
        source=dataset.name,
        input=dataset.input_shape,
        resize=resize,
        columns=dataset.columns,
        notes=dataset.notes,
        identity=identity,
        levels=dataset.levels,
        normalization=measured,
        train=_part("train", dataset.train, arrays),
        test=_part("test", dataset.test, arrays),
        val=None if dataset.val is None else _part("val", dataset.val, arrays),
    )


def _part(part: str, split: Split, arrays: dict[str, Array]) -> Part:
    targets = {name: arrays[_file_name(part, name, number)] for number, name in enumerate(split.columns)}
    return Part(arrays[_file_name(part, _IMAGES)], targets)


def _file_name(part: str, name: str, number: int | None = None) -> str:
    """Return the name of the file of images, or of the column of this number; its name may be any text."""
    plain = number is None or (_PLAIN.fullmatch(name) and name != _IMAGES)
    return f"{part}-{name if plain else f'column-{number}'}.npy"
