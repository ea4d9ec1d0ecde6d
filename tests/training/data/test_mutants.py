"""Whatever is in a data file, the outcome is data or an error in words, and nothing is printed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from PIL import Image

from cnncli.diagnostics import CnncliError
from cnncli.recipe.data import Data
from cnncli.training.data.load import load
from cnncli.training.data.request import Request
from cnncli.training.data.sources import idx
from cnncli.training.data.sources.coco import table as coco_table
from cnncli.training.data.sources.csv_file import table as csv_table
from cnncli.training.data.sources.maps import Place, read_masks
from cnncli.training.data.sources.pictures import Pictures
from tests.training.data.mutants import (
    archives,
    coco_files,
    csv_files,
    headers,
    idx_files,
    masks,
    mutants,
    pictures,
)


class Kind(NamedTuple):
    """A kind of data file: mutants of a seed, by name, and how such a file is read."""

    mutants: Callable[[int, int], Iterator[tuple[str, bytes]]]
    read: Callable[[Path], object]


def asked(source: str, path: Path) -> Request:
    """What is asked of a file beside which there is an image of 9x7 pixels, called a.png."""
    image = path.parent / "a.png"
    if not image.exists():
        Image.new("L", (7, 9)).save(image)
    columns = {"age": "number", "seen": "tags"} if source == "csv" else None
    return Request(str(path), (1, 9, 7), Data(source=f"{source}:{path}", columns=columns), None)


def read_mask(path: Path) -> None:
    asked("", path)
    read = read_masks([Place(path, path.parent / "a.png")], (9, 7), "crop", None)
    read.found.check([range(1)], 0)


KINDS = {
    "pictures": Kind(
        lambda seed, count: mutants(pictures(), seed, count),
        lambda path: Pictures.prepare((path,), (3, 5, 5), "stretch").read(None),
    ),
    "npz": Kind(
        lambda seed, count: mutants(archives(), seed, count),
        lambda path: load(Data(source=f"npz:{path}"), (1, 5, 4)),
    ),
    "npz headers": Kind(headers, lambda path: load(Data(source=f"npz:{path}"), (1, 5, 4))),
    "tables": Kind(
        lambda seed, count: mutants(csv_files(), seed, count), lambda path: csv_table(asked("csv", path))
    ),
    "annotations": Kind(
        lambda seed, count: mutants(coco_files(), seed, count), lambda path: coco_table(asked("coco", path))
    ),
    "masks": Kind(lambda seed, count: mutants(masks(), seed, count), read_mask),
    "idx": Kind(lambda seed, count: mutants(idx_files(), seed, count), lambda path: idx.read(path, "images")),
}


def outcome(read: Callable[[Path], object], path: Path, content: bytes) -> str:
    """Return how reading a file ends; an error names the file, in words."""
    path.write_bytes(content)
    try:
        read(path)
    except CnncliError as error:
        first = error.diagnostics[0]  # another one counts the files that cannot be read
        assert path.name in first.message, first
        assert len(first.message) > len(str(path)) + 8, first
        return "refused"
    finally:
        path.unlink()
    return "read"


def check(kind: str, folder: Path, seed: int, count: int, capfd: pytest.CaptureFixture[str]) -> None:
    make, read = KINDS[kind]
    found = Counter(outcome(read, folder / f"a{name}", content) for name, content in make(seed, count))
    assert set(found) == {"read", "refused"}
    assert min(found.values()) > count // 50
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", KINDS)
def test_a_few(tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str) -> None:
    check(kind, tmp_path, 0, 300, capfd)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(1, 21))
@pytest.mark.parametrize("kind", KINDS)
def test_many(tmp_path: Path, capfd: pytest.CaptureFixture[str], kind: str, seed: int) -> None:
    check(kind, tmp_path, seed, 5_000, capfd)
