"""``manifest.json`` of a pack: what the files beside it contain, where that came from, and their digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, Final

from cnncli.diagnostics import usage_error
from cnncli.limits import MAX_RECORD_BYTES
from cnncli.recipe.columns import CLASS, MASK, NUMBER, PICTURE, TAGS, Column
from cnncli.recipe.data import RESIZE_RULES
from cnncli.training.data.packs.arrays import damaged
from cnncli.training.data.recorded import Levels, Normalization
from cnncli.training.runs.files import DIGEST, read_bytes, write_json
from cnncli.training.runs.record import read_columns, read_levels, read_normalization, sealed
from cnncli.training.runs.values import DamagedError, members, parse_json, several, text, whole

SCHEMA: Final = "cnncli.pack/1"
MANIFEST: Final = "manifest.json"
TYPES: Final[Mapping[str, str]] = {
    CLASS: "int64",
    TAGS: "uint8",
    NUMBER: "float32",
    MASK: "uint8",
    PICTURE: "uint8",
}
"""The type of the values of a column, by its form."""


@dataclass(frozen=True, slots=True)
class Array:
    """A file: its name, the shape and the type of its values, and the SHA-256 of all of its bytes."""

    file: str
    shape: tuple[int, ...]
    dtype: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Part:
    """The arrays of a part: its images, and the targets of each column; all have equally many samples."""

    images: Array
    targets: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a pack contains.

    ``source``, ``identity`` and ``levels`` are those of the data set that was packed, ``resize`` the rule by
    which its images got the shape ``input``; ``notes`` say what was done to them. ``normalization`` is that
    of all training images.
    """

    source: str
    input: tuple[int, ...]
    resize: str
    columns: Mapping[str, Column]
    notes: tuple[str, ...]
    identity: str
    levels: Levels | None
    normalization: Normalization
    train: Part
    test: Part
    val: Part | None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest of a pack.

    Raises:
        CnncliError: the file cannot be written.
    """
    values = {each.name: getattr(manifest, each.name) for each in fields(manifest)}
    values |= {
        "columns": {name: each._asdict() for name, each in manifest.columns.items()},
        "normalization": asdict(manifest.normalization),
        "train": asdict(manifest.train),
        "test": asdict(manifest.test),
        "val": None if manifest.val is None else asdict(manifest.val),
    }
    write_json(folder / MANIFEST, sealed({"schema": SCHEMA} | values))


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a pack.

    Raises:
        UsageError: it is missing, damaged, changed or from another version of the format.
    """
    path = folder / MANIFEST
    expected = "a folder that cnncli pack created"
    if not path.is_file():
        received = f"a folder without {MANIFEST}" if folder.is_dir() else "not a folder"
        raise usage_error(f"{folder} is not a pack", expected=expected, received=received)
    content = read_bytes(path, MAX_RECORD_BYTES)
    try:
        value = parse_json(content.decode())
    except (ValueError, RecursionError) as error:
        raise usage_error(f"cannot read {path}: {error}", expected=expected) from error
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        raise usage_error(f"{path} does not describe a pack", expected=f'"schema": "{SCHEMA}"')
    try:
        if value != sealed(value):
            raise DamagedError("its digest is not that of its content")
        return _parse(value)
    except DamagedError as error:
        raise damaged(path, str(error)) from error


def _parse(value: dict[str, Any]) -> Manifest:
    found = members(value, "the pack", ("schema", *(each.name for each in fields(Manifest)), DIGEST))
    shape = several(found["input"], "input", partial(whole, least=1))
    columns = read_columns(found["columns"], "columns")
    if not shape:
        raise DamagedError("input is empty")
    if found["resize"] not in RESIZE_RULES:
        raise DamagedError(f"resize is {found['resize']!r}")
    return Manifest(
        source=text(found["source"], "source"),
        input=shape,
        resize=found["resize"],
        columns=columns,
        notes=several(found["notes"], "notes", text),
        identity=text(found["identity"], "identity"),
        levels=None if found["levels"] is None else read_levels(found["levels"], "levels"),
        normalization=read_normalization(found["normalization"], shape),
        train=_part(found["train"], "train", shape, columns),
        test=_part(found["test"], "test", shape, columns),
        val=None if found["val"] is None else _part(found["val"], "val", shape, columns),
    )


def _part(value: Any, name: str, shape: tuple[int, ...], columns: Mapping[str, Column]) -> Part:
    found = members(value, name, Part.__slots__)
    images = _array(found["images"], f"{name}.images")
    if images.shape[1:] != shape or images.dtype != "uint8":
        raise DamagedError(f"{name}.images has no images of the input's shape")
    targets = {
        key: _array(each, f"{name}.targets.{key}")
        for key, each in members(found["targets"], f"{name}.targets", columns).items()
    }
    for key, target in targets.items():
        form = columns[key].form
        if target.shape[0] != images.shape[0] or target.dtype != TYPES[form]:
            raise DamagedError(f"{name}.targets.{key} has no {images.shape[0]} values of {TYPES[form]}")
    return Part(images, targets)


def _array(value: Any, name: str) -> Array:
    found = members(value, name, Array.__slots__)
    file = text(found["file"], f"{name}.file")
    if file != Path(file).name or file.startswith("."):
        raise DamagedError(f"{name}.file is not the name of a file in the pack")
    shape = several(found["shape"], f"{name}.shape", partial(whole, least=1))
    if not shape:
        raise DamagedError(f"{name}.shape is empty")
    return Array(file, shape, text(found["dtype"], f"{name}.dtype"), text(found["sha256"], f"{name}.sha256"))
