from __future__ import annotations

import gzip
import os
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnncli.diagnostics import UsageError
from cnncli.recipe.data import Data
from cnncli.training.data.dataset import of_classes
from cnncli.training.data.load import load, load_measured
from cnncli.training.data.sources import idx

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def encoded(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def numbers(count: int, *shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return (np.arange(count * int(np.prod(shape))) % 251).astype(np.uint8).reshape(count, *shape)


def family(folder: Path, *, zipped: bool = False, prefix: str = "", test: str = "t10k") -> Path:
    for part, count in (("train", 6), (test, 4)):
        for what, axes, array in (
            ("images", 3, numbers(count, 5, 4)),
            ("labels", 1, (np.arange(count) % 3).astype(np.uint8)),
        ):
            name = f"{prefix}{part}-{what}-idx{axes}-ubyte"
            if zipped:
                (folder / f"{name}.gz").write_bytes(gzip.compress(encoded(array)))
            else:
                (folder / name).write_bytes(encoded(array))
    return folder


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize(("prefix", "test"), [("", "t10k"), ("emnist-letters-", "test")])
def test_reads_the_family(tmp_path: Path, zipped: bool, prefix: str, test: str) -> None:
    family(tmp_path, zipped=zipped, prefix=prefix, test=test)
    found = load(Data(source=f"idx:{tmp_path}"), (1, 5, 4))
    np.testing.assert_array_equal(found.train.images[:, 0].numpy(), numbers(6, 5, 4))
    np.testing.assert_array_equal(found.test.images[:, 0].numpy(), numbers(4, 5, 4))
    assert found.train.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert found.classes == ("0", "1", "2")
    assert found.name == f"idx:{tmp_path.resolve()}"


def test_gzip_is_recognized_by_the_content(tmp_path: Path) -> None:
    family(tmp_path)
    path = tmp_path / IMAGES
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert load(Data(source=f"idx:{tmp_path}"), (1, 5, 4)).train.count == 6


def test_plain_file_is_preferred_to_its_twin(tmp_path: Path) -> None:
    family(tmp_path)
    (tmp_path / f"{IMAGES}.gz").write_bytes(b"nonsense")
    assert load(Data(source=f"idx:{tmp_path}"), (1, 5, 4)).train.count == 6


HEADER = struct.pack(">BBBB3I", 0, 0, 8, 3, 6, 5, 4)
PIXELS = numbers(6, 5, 4).tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an idx file"),
        (b"\0\0\x08", "is not an idx file"),
        (b"PNG1" + PIXELS, "is not an idx file"),
        (b"\0\0\x07\x03" + PIXELS, "is not an idx file"),
        (b"\0\0\x0d\x03" + HEADER[4:] + PIXELS, "does not contain images"),
        (b"\0\0\x08\x01" + HEADER[4:8] + bytes(6), "does not contain images"),
        (HEADER[:9], "is damaged: the header is incomplete"),
        (HEADER + PIXELS[:-1], "states 6x5x4 = 120 values, but it has 119"),
        (HEADER + PIXELS + b"x", "states 6x5x4 = 120 values, but it has more"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 0, 5, 4), "is empty"),
        (struct.pack(">BBBB3I", 0, 0, 8, 3, 2**32 - 1, 2**32 - 1, 2**31) + PIXELS, "holds at most 136 bytes"),
        (gzip.compress(HEADER + PIXELS, mtime=0)[:-9], "is damaged: the gzip stream ends early"),
        (gzip.compress(HEADER + PIXELS, mtime=0)[:30] + bytes(30), "is damaged: "),
        (gzip.compress(HEADER + PIXELS, mtime=0)[:-8] + bytes(8), "is damaged: "),
        (encoded(numbers(5, 5, 4)), "has 5 images, but train-labels-idx1-ubyte has 6 labels"),
    ],
)
def test_damaged_images(tmp_path: Path, content: bytes, message: str) -> None:
    family(tmp_path)
    (tmp_path / IMAGES).write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        load(Data(source=f"idx:{tmp_path}"), (1, 5, 4))
    assert IMAGES in str(caught.value)


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    whole = gzip.compress(HEADER + PIXELS, mtime=0)
    path = tmp_path / IMAGES
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        with pytest.raises(UsageError):
            idx.read(path, "images")


def remove_labels(folder: Path) -> None:
    (folder / LABELS).unlink()


def add_another(folder: Path) -> None:
    family(folder, prefix="other-")


def empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (remove_labels, "has no file for train labels"),
        (add_another, "has several data sets"),
        (empty, "has no file for train images, train labels, test images and test labels"),
    ],
)
def test_files_must_be_there_once(tmp_path: Path, change: Callable[[Path], None], message: str) -> None:
    change(family(tmp_path))
    with pytest.raises(UsageError, match=message):
        load(Data(source=f"idx:{tmp_path}"), (1, 5, 4))


def test_path_must_be_a_folder(tmp_path: Path) -> None:
    family(tmp_path)
    with pytest.raises(UsageError, match="is not a folder"):
        load(Data(source=f"idx:{tmp_path / IMAGES}"), (1, 5, 4))


def test_a_held_out_label_without_training_images(tmp_path: Path) -> None:
    family(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(encoded(np.array([0, 1, 2, 3], dtype=np.uint8)))
    with pytest.raises(UsageError, match="the held-out data has the label 3"):
        load(Data(source=f"idx:{tmp_path}"), (1, 5, 4))


def test_class_without_images_is_noted(tmp_path: Path) -> None:
    family(tmp_path)
    (tmp_path / LABELS).write_bytes(encoded(np.array([1, 2, 4, 1, 2, 4], dtype=np.uint8)))
    found = load(Data(source=f"idx:{tmp_path}"), (1, 5, 4))
    assert found.classes == ("0", "1", "2", "3", "4")
    assert found.notes == ("no training image is labeled 0 and 3",)


@pytest.mark.parametrize("zipped", [False, True])
def test_memory_is_that_of_the_values_once(tmp_path: Path, zipped: bool) -> None:
    path, count = tmp_path / IMAGES, 2**24
    content = struct.pack(">BBBB3I", 0, 0, 8, 3, count, 1, 1) + bytes(count)
    path.write_bytes(gzip.compress(content, 1) if zipped else content)
    del content
    tracemalloc.start()
    try:
        assert len(idx.read(path, "images")) == count
        assert tracemalloc.get_traced_memory()[1] < count + 2**22
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("zipped", [False, True])
def test_memory_that_the_file_cannot_fill_is_not_allocated(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / IMAGES
    content = struct.pack(">BBBB3I", 0, 0, 8, 3, 2**20, 2**5, 2**5) + bytes(100)
    path.write_bytes(gzip.compress(content) if zipped else content)
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match="= 1073741824 values, but the file holds at most"):
            idx.read(path, "images")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        os.mkfifo(tmp_path / f"{name}-ubyte")
    with pytest.raises(UsageError, match="has no file for train images"):
        load(Data(source=f"idx:{tmp_path}"), (1, 4, 3))


@pytest.mark.parametrize(
    ("kept", "what", "count"),
    [
        ("train-|t10k-", "the 4 images of its test files", 4),
        ("t10k-", "the 4 images of its test files", 4),
        ("train-", "the 6 images of its train files", 6),
    ],
)
def test_what_is_measured(tmp_path: Path, kept: str, what: str, count: int) -> None:
    family(tmp_path)
    for path in tmp_path.iterdir():
        if not re.match(kept, path.name):
            path.unlink()
    found = load_measured(Data(source=f"idx:{tmp_path}"), (1, 5, 4), of_classes("0123456789"))
    assert (found.what, found.split.count, found.classes) == (what, count, ("0", "1", "2"))
    with pytest.raises(UsageError, match="classes that the network was not trained on: 1"):
        found.as_known(of_classes("02"))
    assert found.as_known(of_classes("210")).labels.tolist() == [2, 1, 0, 2, 1, 0][:count]


def test_half_a_part_is_not_measured(tmp_path: Path) -> None:
    family(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UsageError, match="has no file for test labels"):
        load_measured(Data(source=f"idx:{tmp_path}"), (1, 5, 4), of_classes("012"))
