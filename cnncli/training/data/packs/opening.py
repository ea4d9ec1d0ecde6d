"""Opening a pack: every file must be what the manifest says, and is mapped into memory."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from cnncli.diagnostics import usage_error
from cnncli.limits import MAX_HASHED_BYTES
from cnncli.recipe.columns import CLASS
from cnncli.training.data.dataset import Split
from cnncli.training.data.packs.arrays import MappedFile, damaged, open_array
from cnncli.training.data.packs.manifest import MANIFEST, Array, Manifest, Part, read_manifest


class Pack(NamedTuple):
    """A pack that is open: its manifest, and its parts over mapped files."""

    manifest: Manifest
    train: Split
    test: Split
    val: Split | None


def open_pack(folder: Path) -> Pack:
    """Open a pack.

    Raises:
        UsageError: it is not a pack, or a file is missing, or not as it was written.
    """
    manifest = read_manifest(folder)
    train, test = (_split(folder, part, manifest) for part in (manifest.train, manifest.test))
    val = None if manifest.val is None else _split(folder, manifest.val, manifest)
    return Pack(manifest, train, test, val)


def _split(folder: Path, part: Part, manifest: Manifest) -> Split:
    images, *files = _opened(folder, part.images)
    targets = {}
    for name, each in part.targets.items():
        targets[name], file = _opened(folder, each)
        files.append(file)
    for name, column in manifest.columns.items():
        lowest, highest = targets[name].aminmax() if column.form == CLASS else (0, 0)
        if lowest < -1 or highest >= max(1, len(column.names)):
            path = folder / part.targets[name].file
            raise damaged(path, f"its numbers are not those of the {len(column.names)} classes")
    return Split(images, targets, _files=tuple(files))


def _opened(folder: Path, array: Array) -> tuple[Tensor, MappedFile]:
    """Return the values of a file, and the file.

    Of a large file the digest is computed only if the file is newer than the manifest, which is written last.
    """
    path = folder / array.file
    if not path.is_file():  # reading a pipe could block forever
        raise usage_error(f"{path} is missing", expected=f"all files that {MANIFEST} names")
    values, file = open_array(path, array.shape, np.dtype(array.dtype))
    status, written = path.stat(), (folder / MANIFEST).stat()
    if status.st_size <= MAX_HASHED_BYTES or status.st_mtime_ns > written.st_mtime_ns:
        with path.open("rb") as again:
            if hashlib.file_digest(again, "sha256").hexdigest() != array.sha256:
                raise damaged(path, "its content is not what it was when the data was packed")
    return values, file
