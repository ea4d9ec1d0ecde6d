"""``hf:NAME``: data sets of Hugging Face's library ``datasets``, by name or in a folder of ``save_to_disk``.

A data set has one column of images, and one with the class of each: a ``ClassLabel``, or numbers or names in
a column that is called ``label``. A split belongs to the part that its name says.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from cnncli.diagnostics import listing, usage_error
from cnncli.training.data.sources.layout import Role, role_of
from cnncli.training.data.sources.samples import Found, Sample
from cnncli.training.extras import need

_LABEL: Final = "label"
_MISSING: Final = -1
"""What a ClassLabel has for a sample without a class."""


class Cell(NamedTuple):
    """An image in a row of a split, as the bytes of its file."""

    split: Any
    name: str
    row: int
    column: str

    def __str__(self) -> str:
        return f"{self.name}[{self.row}]"

    def content(self) -> BinaryIO:
        """Open the file for reading."""
        cell = self.split[self.row][self.column] or {}
        if cell.get("bytes") is not None:
            return io.BytesIO(cell["bytes"])
        if not cell.get("path"):
            raise ValueError("there is no image")
        return Path(cell["path"]).open("rb")


def absolute(place: str) -> str:
    """Return the absolute path of a folder; the name of a data set as it is."""
    return str(Path(place).resolve()) if Path(place).is_dir() else place


def found(place: str) -> Found:
    """Return the samples of a data set, whose images are not read yet.

    Raises:
        UsageError: the library is not installed, there is no such data set, or it is not clear which columns
            have images and classes.
    """
    need("datasets", purpose="hf:NAME", command="pip install 'cnncli[hf]'")
    splits = _splits(place)
    parts: dict[Role | None, tuple[Sample, ...]] = {}
    unused = []
    for name, split in splits.items():
        role = role_of(name)
        if role in parts or (role is None and len(splits) > 1):
            unused.append(name)
        else:
            parts[role] = _samples(f"hf:{place}" if len(splits) == 1 else f"hf:{place}:{name}", name, split)
    if not parts:
        raise usage_error(
            f"hf:{place} has no split to train on",
            expected="splits train and test",
            received=listing([*splits]),
        )
    note = f"not used: the splits {listing(unused)}"
    return Found(f"hf:{place}", parts, (note,) if unused else ())


def _splits(place: str) -> Mapping[str, Any]:
    """Return the splits of a data set by their names; a single one without a name is called all."""
    import datasets  # noqa: PLC0415 - an extra

    try:
        read = datasets.load_from_disk if Path(place).is_dir() else datasets.load_dataset
        loaded = read(place)
    except Exception as error:  # of the library, of the network, of the files
        expected = "the name of a data set on the hub, or a folder that save_to_disk has written"
        raise usage_error(f"cannot read hf:{place}: {error}", expected=expected) from error
    return loaded if isinstance(loaded, Mapping) else {"all": loaded}


def _samples(where: str, name: str, split: Any) -> tuple[Sample, ...]:
    import datasets  # noqa: PLC0415 - an extra

    features: Mapping[str, Any] = split.features
    images = [column for column, feature in features.items() if isinstance(feature, datasets.Image)]
    classes = [column for column, feature in features.items() if isinstance(feature, datasets.ClassLabel)]
    plain = [_LABEL] if isinstance(features.get(_LABEL), datasets.Value) else []
    label = (classes if len(classes) == 1 else [_LABEL] if _LABEL in classes else classes) or plain
    if len(images) != 1 or len(label) != 1:
        columns = listing([f"{column} ({type(feature).__name__})" for column, feature in features.items()])
        raise usage_error(
            f"{where}: it is not clear which columns have images and classes",
            expected=f"one column of images and one ClassLabel, or numbers or names called {_LABEL}",
            received=columns,
        )
    (image,), (column,) = images, label
    names = features[column].names if column in classes else None
    rows = split.cast_column(image, datasets.Image(decode=False))
    return tuple(
        Sample(Cell(rows, where, row, image), 0, _class(where, row, value, names), f"{name}/{row}")
        for row, value in enumerate(split[column])
    )


def _class(where: str, row: int, value: Any, names: list[str] | None) -> int | str:
    if names is not None and type(value) is int and 0 <= value < len(names):
        return names[value]
    if names is None and (isinstance(value, str) or type(value) is int):
        return value
    received = "none" if value in (None, _MISSING) else repr(value)
    raise usage_error(f"{where}[{row}] has no class", expected="a number or a name", received=received)
