"""A pack that is not as it was written is refused, in words."""

from __future__ import annotations

import ctypes
import json
import mmap
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cnncli.diagnostics import UsageError
from cnncli.recipe.data import Data
from cnncli.training.data.dataset import Dataset
from cnncli.training.data.feed import Feed
from cnncli.training.data.load import identity, limited, load
from cnncli.training.data.packs import arrays, opening
from cnncli.training.runs.record import sealed
from tests.training.data.packs.support import SHAPE, manifest, packed, pictures


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("made")
    packed(place / "pack", f"folder:{pictures(place / 'data')}")
    return place / "pack"


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "pack")


def opened(folder: Path, shape: tuple[int, ...] = SHAPE, **how: Any) -> Dataset:
    return load(Data(source=f"packed:{folder}", **how), shape)


def message(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        opened(folder)
    found = caught.value.diagnostics[0]
    assert str(folder) in found.message
    return found.message


def test_another_input_or_rule_says_how_to_pack_again(folder: Path, made: Path) -> None:
    with pytest.raises(UsageError) as caught:
        opened(folder, (3, 9, 9))
    found = caught.value.diagnostics[0]
    assert (found.message, found.received) == (f"{folder} was packed for another input", "3x8x8")
    assert found.hint.endswith(f"cnncli pack folder:{made.parent / 'data'} SPEC -o DIR")
    with pytest.raises(UsageError) as caught:
        opened(folder, resize="pad")
    assert caught.value.diagnostics[0].hint.endswith("or set train.data.resize=crop")


def test_settings_of_other_sources_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"train\.data\.first_label has no effect on packed"):
        opened(folder, first_label=0)


def shorter(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def reshaped(path: Path) -> None:
    np.save(path, np.load(path).reshape(-1))


def text(path: Path) -> None:
    path.write_text("x" * path.stat().st_size)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("file", ["train-images.npy", "test-images.npy", "train-label.npy"])
@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (Path.unlink, " is missing"),
        (pipe, " is missing"),
        (shorter, " bytes, not "),
        (longer, " bytes, not "),
        (text, "it is not an array"),
        (changed, "is damaged: its content is not what it was when the data was packed"),
    ],
)
def test_damaged_files(folder: Path, file: str, damage: Callable[[Path], None], expected: str) -> None:
    damage(folder / file)
    found = message(folder)
    assert file in found
    assert expected in found


def test_another_array(folder: Path) -> None:
    reshaped(folder / "train-images.npy")
    assert "is damaged: it has uint8 values [3072], not uint8 [16, 3, 8, 8]" in message(folder)


def test_large_files_are_compared_if_they_are_newer_than_the_manifest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "MAX_HASHED_BYTES", 0)
    path = folder / "train-images.npy"
    status = path.stat()
    changed(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert opened(folder).train.count == 16  # this change is not noticed, which the documents say
    os.utime(path)
    assert "its content is not" in message(folder)


def test_a_copy_is_the_same_pack(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(folder, folder.parent / "copy", copy_function=shutil.copyfile)
    monkeypatch.setattr(opening, "MAX_HASHED_BYTES", 0)
    assert opened(folder.parent / "copy").fingerprint() == opened(folder).fingerprint()


def test_folders_that_are_not_packs(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert message(tmp_path / "empty").endswith("is not a pack")
    (folder / "manifest.json").unlink()
    assert message(folder).endswith("is not a pack")
    assert identity(Data(source=f"packed:{folder}")) is None


def edited(change: Callable[[Any], None], *, seal: bool = True) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        value = manifest(folder)
        change(value)
        (folder / "manifest.json").write_text(json.dumps(sealed(value) if seal else value))

    return write


def of_images(value: Any) -> Any:
    return value["train"]["images"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edited(lambda value: value.update(resize="pad"), seal=False), "its digest is not that"),
        (edited(lambda value: value.update(resize="squash")), "resize is 'squash'"),
        (edited(lambda value: value.update(input=[])), "input is empty"),
        (edited(lambda value: value.update(input=[3, 8, 9])), "no images of the input's shape"),
        (edited(lambda value: value.update(extra=1)), "unknown key 'extra'"),
        (edited(lambda value: value.pop("identity")), "has no identity"),
        (edited(lambda value: value["columns"]["label"].update(form="x")), "columns.label.form is 'x'"),
        (edited(lambda value: value["train"]["targets"]["label"].update(shape=[3])), "has no 16 values of"),
        (edited(lambda value: value["train"].update(targets={})), "train.targets has no label"),
        (edited(lambda value: of_images(value).update(dtype="int8")), "no images of"),
        (edited(lambda value: of_images(value).update(file="../x.npy")), "is not the name of a file"),
        (edited(lambda value: of_images(value).update(shape=[0, 3, 8, 8])), "is not a whole number of 1"),
        (edited(lambda value: value["columns"]["label"].update(names=["cat"])), "not those of the 1 classes"),
        (edited(lambda value: value.update(schema="cnncli.pack/2")), "does not describe a pack"),
        (edited(lambda value: value.update(schema="cnncli.run/1")), "does not describe a pack"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "cannot read"),
        (lambda folder: (folder / "manifest.json").write_text("[" * 10**5), "cannot read"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff"), "cannot read"),
    ],
)
def test_damaged_manifests(folder: Path, change: Callable[[Path], None], expected: str) -> None:
    change(folder)
    assert expected in message(folder)


class System:
    """Records what the system is told about memory."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []

    def madvise(self, start: ctypes.c_void_p, length: ctypes.c_size_t, advice: int) -> None:
        assert advice == mmap.MADV_WILLNEED
        self.told.append((start.value or 0, length.value))


def test_the_next_batch_is_announced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each image of a batch lies in memory that the system was told about before the batch ahead of it."""
    dataset = limited(opened(folder), 0.5)
    feed = Feed(dataset.train, dataset.columns, dataset.normalized(), torch.device("cpu"), keep=True)
    system, images = System(), feed._images
    assert images.numbers is not None
    assert images.files
    monkeypatch.setattr("cnncli.training.data.rows._LEAST_ANNOUNCED", 100)
    monkeypatch.setattr(arrays, "_SYSTEM", system)
    order = torch.tensor([3, 0, 5, 1, 7, 2])
    batches = feed.shuffled(order, [(0, 2), (2, 4), (4, 6)])
    assert [len(system.told) for _ in batches] == [4, 6, 6]
    for row, (start, length) in zip(images.numbers[order].tolist(), system.told, strict=True):
        begin = images.stored.data_ptr() + row * images.stored[0].nbytes
        assert start % mmap.PAGESIZE == 0
        assert start <= begin
        assert begin + images.stored[0].nbytes == start + length


def test_data_in_memory_is_not_announced(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = load(Data(source=manifest(folder)["source"]), SHAPE)
    feed = Feed(source.train, source.columns, source.normalized(), torch.device("cpu"), keep=True)
    monkeypatch.setattr(arrays, "_SYSTEM", None)
    assert not feed._images.files
    assert len([*feed.shuffled(torch.arange(4), [(0, 2), (2, 4)])]) == 2
