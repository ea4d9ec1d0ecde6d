from __future__ import annotations

import os
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cnncli.diagnostics import UsageError
from cnncli.recipe.data import Data
from cnncli.training.data import room
from cnncli.training.data.dataset import Dataset, of_classes
from cnncli.training.data.load import load, load_measured
from cnncli.training.data.sources import arrays

Array = NDArray[Any]


def numbers(*shape: int) -> Array:
    return (np.arange(int(np.prod(shape))) % 251).astype(np.uint8).reshape(shape)


def loaded(folder: Path, x: Array, shape: tuple[int, ...], resize: str = "stretch", **arrays: Any) -> Dataset:
    path = folder / "data.npz"
    content = {
        "x_train": x,
        "y_train": np.arange(len(x)) % 3,
        "x_test": x[:3],
        "y_test": np.arange(3),
    } | arrays
    np.savez(path, **{name: array for name, array in content.items() if array is not None})
    return load(Data(source=f"npz:{path}", resize=resize), shape)


@pytest.mark.parametrize(
    ("stored", "spec", "moved"),
    [
        ((6, 5, 4), (1, 5, 4), False),
        ((6, 1, 5, 4), (1, 5, 4), False),
        ((6, 5, 4, 1), (1, 5, 4), True),
        ((6, 3, 5, 4), (3, 5, 4), False),
        ((6, 5, 4, 3), (3, 5, 4), True),
        ((6, 3, 4, 3), (3, 4, 3), False),  # either end could be channels, one reading has the spec's size
        ((6, 3, 4, 3), (3, 3, 4), True),
        ((6, 7), (7,), False),
        ((6, 9), (1, 9), False),
        ((6, 9, 2), (2, 9), True),
        ((6, 2, 9), (2, 9), False),
        ((6, 4, 5, 3, 2), (2, 4, 5, 3), True),
        ((6, 4, 5, 3), (1, 4, 5, 3), False),
    ],
)
def test_layouts(tmp_path: Path, stored: tuple[int, ...], spec: tuple[int, ...], moved: bool) -> None:
    x = numbers(*stored)
    expected = np.moveaxis(x, -1, 1) if moved else x.reshape(6, *spec)
    found = loaded(tmp_path, x, spec)
    np.testing.assert_array_equal(found.train.images.numpy(), expected)
    np.testing.assert_array_equal(found.test.images.numpy(), expected[:3])
    assert found.notes == ()
    assert found.classes == ("0", "1", "2")


def test_channels_are_recognized_where_the_size_is_another(tmp_path: Path) -> None:
    found = loaded(tmp_path, numbers(6, 5, 4, 3), (3, 8, 8))
    assert found.input_shape == (3, 8, 8)
    assert found.notes == ("3x5x4 images stretched to 3x8x8 (bilinear), which changes their aspect ratio",)


def test_color_for_a_gray_spec(tmp_path: Path) -> None:
    found = loaded(tmp_path, numbers(6, 5, 4, 3), (1, 5, 4))
    assert found.notes == ("3x5x4 images with color reduced to gray (ITU-R 601 luma)",)


def test_flattening_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    x = numbers(6, 5, 4, 3)
    found = loaded(tmp_path, x, (60,))
    np.testing.assert_array_equal(found.train.images.numpy(), x.reshape(6, 60))


@pytest.mark.parametrize(("layout", "axis"), [("channels first", 0), ("channels last", 2)])
def test_an_ambiguous_layout_must_be_stated(tmp_path: Path, layout: str, axis: int) -> None:
    x = numbers(6, 3, 3, 3)
    with pytest.raises(UsageError, match="can be channels first or channels last") as caught:
        loaded(tmp_path, x, (3, 3, 3))
    assert "layout=" in caught.value.diagnostics[0].hint
    found = loaded(tmp_path, x, (3, 3, 3), layout=np.array(layout))
    np.testing.assert_array_equal(found.train.images.numpy(), np.moveaxis(x, axis + 1, 1))


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floats_are_rounded_to_bytes(tmp_path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "_CHUNK_VALUES", 45)  # several pieces
    x = np.random.default_rng(0).random((6, 5, 4)).astype(kind)
    x[0, 0, :2] = (0, 1)
    found = loaded(tmp_path, x, (1, 5, 4))
    np.testing.assert_array_equal(found.train.images[:, 0].numpy(), np.rint(x.astype(np.float64) * 255))
    assert found.notes == (f"float images from 0 to 1 rounded to bytes ({np.dtype(kind)})",)


def test_bytes_in_wider_integers(tmp_path: Path) -> None:
    found = loaded(tmp_path, numbers(6, 5, 4).astype(np.int64), (1, 5, 4))
    np.testing.assert_array_equal(found.train.images[:, 0].numpy(), numbers(6, 5, 4))


def test_labels_of_one_column(tmp_path: Path) -> None:
    found = loaded(tmp_path, numbers(6, 5, 4), (1, 5, 4), y_train=np.array([[0], [1], [2], [2], [1], [0]]))
    assert found.train.labels.tolist() == [0, 1, 2, 2, 1, 0]


X = numbers(6, 5, 4)


@pytest.mark.parametrize(
    ("x", "hint"),
    [
        (X * 2.0, "divide by 255"),
        (X * 30.0, "divide by the largest value that a pixel can have"),
        (X / 60 - 1, r"seem to be normalized: .* undo it with \(x \+ 1\) / 2"),
        ((X / 255 - 0.1) / 0.04, r"seem to be normalized: .* undo it with x \* deviation \+ mean"),
        (X.astype(np.int16) * 8, r"uint8 alone would wrap: \(x \* \(255 / 1023\)\)\.round"),
        (X.astype(np.uint16) * 30, r"uint8 alone would wrap: \(x \* \(255 / 4095\)\)\.round"),
        (X.astype(np.int32) - 128, "as it is stored in images"),
    ],
)
def test_values_of_another_range_are_told_from_each_other(tmp_path: Path, x: Any, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        loaded(tmp_path, x, (1, 5, 4))
    assert re.search(hint, caught.value.diagnostics[0].hint)
    assert "save the images as uint8" not in caught.value.diagnostics[0].hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_test": None}, "has no array y_test"),
        ({"x_train": X / 100}, r"x_train has float64 values from 0\.0 to 1\.19"),
        ({"x_train": X - 1.0}, r"x_train has float64 values from -1\.0"),
        ({"x_train": np.where(X == 7, np.nan, 0.5)}, "values that are not finite numbers, in image 0"),
        ({"x_train": np.where(X % 20, 0.5, np.inf)}, "numbers, in 6 images, the first of them 0"),
        ({"x_train": X.astype(np.int16) * 3}, "x_train has int16 values from 0 to 357"),
        ({"x_train": X.astype(complex)}, "x_train has values of type complex128"),
        ({"x_train": X > 5}, "x_train has values of type bool"),
        ({"x_train": X[:0]}, "x_train is empty"),
        ({"x_train": X[:, 0, 0]}, "x_train has no images"),
        ({"x_train": numbers(6, 1, 1, 5, 4)}, r"x_train has the shape 6x1x1x5x4"),
        ({"x_train": numbers(6, 7, 5, 4)}, "images of 7x5x4 cannot be converted to the spec's 1x5x4"),
        ({"y_train": np.eye(6)}, "y_train has 2 axes"),
        ({"y_train": np.zeros(6)}, "y_train does not have integers"),
        ({"y_train": np.zeros(5, dtype=int)}, "has 5 labels for 6 images"),
        ({"y_train": np.array([0, 1, 2, 0, 1, -1])}, "has a negative label"),
        ({"y_train": np.array([0, 1, 2, 0, 1, 10**9])}, "label 1000000000, but only 6 training images"),
        ({"y_train": np.array([0, 1, 2, 0, 1, 2**63], dtype=np.uint64)}, "more than 64 bits"),
        ({"y_test": np.array([0, 1, 3])}, "the held-out data has the label 3"),
        ({"layout": np.array("NHWC?")}, "unknown layout"),
        ({"x_train": np.array([[{}] * 4] * 6, dtype=object)}, "x_train is not an array of numbers"),
        ({"layout": np.array(["channels", "last"])}, "unknown layout .*received 2"),
    ],
)
def test_wrong_arrays(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        loaded(tmp_path, X, (1, 5, 4), **changes)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", b"text", bytes(100)])
def test_files_that_are_not_archives(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot read"):
        load(Data(source=f"npz:{path}"), (1, 5, 4))


def test_single_array(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", X)
    with pytest.raises(UsageError, match="is a single array"):
        load(Data(source=f"npz:{tmp_path / 'data.npy'}"), (1, 5, 4))


def test_damage_within_is_noticed(tmp_path: Path) -> None:
    loaded(tmp_path, X, (1, 5, 4))
    path = tmp_path / "data.npz"
    content = bytearray(path.read_bytes())
    content[content.index(X.tobytes()) + 10] ^= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match="cannot read"):
        load(Data(source=f"npz:{path}"), (1, 5, 4))


HEADER = "{'descr': '|u1', 'fortran_order': False, 'shape': %s, }\n"


def npy(shape: str) -> bytes:
    header = (HEADER % shape).encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"no array", npy("(10,"), npy("(-1,)"), npy(f"({10**30},)"), npy("(0, 10**30)")),
        *(npy("(True, 8)") + bytes(8), npy("(2, 3)") + bytes(5), npy("(2, 3)") + bytes(7)),
        npy("()").replace(b"|u1", b"|V9"),
    ],
)
def test_archives_without_arrays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", content)
    with pytest.raises(UsageError, match=r"cannot read|is not an array|x_train is damaged"):
        load(Data(source=f"npz:{path}"), (1, 5, 4))


def test_what_an_archive_unpacks_to_is_compared_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data.npz"
    zeros = np.zeros((2**14, 64, 64), dtype=np.uint8)
    labels = np.zeros(2**14, dtype=int)
    np.savez_compressed(path, x_train=zeros, y_train=labels, x_test=zeros[:1], y_test=labels[:1])
    assert path.stat().st_size < 2**18
    monkeypatch.setattr(room, "available_memory", lambda: 2**26)
    tracemalloc.start()
    try:
        with pytest.raises(UsageError, match=r"data\.npz, unpacked, would take 64\.1 MiB of memory"):
            load(Data(source=f"npz:{path}"), (1, 64, 64))
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_refused(tmp_path: Path, compression: int) -> None:
    path = tmp_path / "data.npz"
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", npy("(2, 2)") + bytes(4))
    with pytest.raises(UsageError, match="x_train has an unknown compression"):
        load(Data(source=f"npz:{path}"), (1, 2, 2))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "data.npz")
    with pytest.raises(UsageError, match="it is not a file"):
        load(Data(source=f"npz:{tmp_path / 'data.npz'}"), (1, 5, 4))


@pytest.mark.parametrize(
    ("left_out", "what", "count"),
    [
        ((), "the 3 images of its array x_test", 3),
        (("x_train", "y_train"), "the 3 images of its array x_test", 3),
        (("x_test", "y_test"), "the 6 images of its array x_train", 6),
    ],
)
def test_what_is_measured(tmp_path: Path, left_out: tuple[str, ...], what: str, count: int) -> None:
    labels = {"y_test": np.array([7, 2, 7]), "y_train": np.array([7, 2, 7, 2, 7, 7])}
    arrays: dict[str, Any] = {"x_train": X, "x_test": X[:3]} | labels
    np.savez(tmp_path / "a.npz", **{name: array for name, array in arrays.items() if name not in left_out})
    found = load_measured(Data(source=f"npz:{tmp_path / 'a.npz'}"), (1, 5, 4), of_classes("0123456789"))
    assert (found.what, found.split.count, found.classes) == (what, count, ("2", "7"))
    assert found.as_known(of_classes("0123456789")).labels.tolist() == [7, 2, 7, 2, 7, 7][:count]


def test_half_a_part_is_not_measured(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=X, y_train=np.zeros(6, dtype=int), x_test=X)
    with pytest.raises(UsageError, match="has no array y_test"):
        load_measured(Data(source=f"npz:{tmp_path / 'a.npz'}"), (1, 5, 4), of_classes("0"))
