"""What a pack contains: what its source has, as plain arrays, and nothing that is not in the manifest."""

from __future__ import annotations

import errno
import hashlib
import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnncli.diagnostics import CnncliError, UsageError
from cnncli.recipe.data import Data
from cnncli.training.data.dataset import of_classes
from cnncli.training.data.load import identity, load, load_held_out, load_measured
from cnncli.training.data.normalization import measure
from cnncli.training.data.packs import files
from cnncli.training.data.rows import Rows
from tests.training.data.packs.support import RESIZED, SHAPE, manifest, packed, pictures, same, sources

KINDS = ("digits", "idx", "folder", "npz", "npz by column", "shards")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [RESIZED, (1, 9, 7)])
def test_a_pack_has_what_its_source_has(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    source = sources(tmp_path / "data")[kind]
    about = packed(tmp_path / "pack", source, shape, resize="pad")
    ours = load(Data(source=f"packed:{tmp_path / 'pack'}", resize="pad"), shape)
    theirs = load(Data(source=source, resize="pad"), shape)
    assert same(ours.train, theirs.train)
    assert same(ours.test, theirs.test)
    assert ours.columns == theirs.columns
    assert ours.notes == (f"packed from {theirs.name}", *theirs.notes)
    assert (ours.fingerprint(), ours.levels) == (theirs.fingerprint(), theirs.levels)
    assert ours.normalization == measure(Rows(theirs.train.images))
    assert (about.train_count, about.test_count) == (theirs.train.count, theirs.test.count)
    assert about.notes == theirs.notes
    assert about.nbytes == sum(path.stat().st_size for path in (tmp_path / "pack").iterdir())


def test_the_files_are_plain_arrays_with_their_digests(tmp_path: Path) -> None:
    source = sources(tmp_path / "data")["folder"]
    packed(tmp_path / "pack", source)
    theirs = load(Data(source=source), SHAPE)
    found = manifest(tmp_path / "pack")
    names = {"manifest.json"}
    for part, split in (("train", theirs.train), ("test", theirs.test)):
        listed = [found[part]["images"], found[part]["targets"]["label"]]
        for each, expected in zip(listed, (split.images, split.labels), strict=True):
            path = tmp_path / "pack" / each["file"]
            np.testing.assert_array_equal(np.load(path, mmap_mode="r"), expected.numpy())
            assert each["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
            names.add(each["file"])
    assert {path.name for path in (tmp_path / "pack").iterdir()} == names
    assert [path.name for path in tmp_path.iterdir()] == ["data", "pack"]


def test_what_cannot_be_read_is_left_out_of_the_files_too(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "data")
    whole = load(Data(source=f"folder:{folder}"), SHAPE)
    (folder / "cat" / "0.png").write_text("not an image")
    about = packed(tmp_path / "pack", f"folder:{folder}", skip=0.2)
    assert any("1 file of 20 cannot be read" in note for note in about.notes)
    ours = load(Data(source=f"packed:{tmp_path / 'pack'}"), SHAPE)
    assert ours.train.count + ours.test.count == whole.train.count + whole.test.count - 1
    sizes = [np.load(path).shape[0] for path in sorted((tmp_path / "pack").glob("*-images.npy"))]
    assert sizes == [ours.test.count, ours.train.count]


def test_levels_of_16_bits_are_kept(tmp_path: Path) -> None:
    for name, high in (("a", 1000), ("b", 4000)):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(2):
            values = np.array([[0, high, high // 2]], dtype=np.uint16)
            Image.fromarray(values).save(tmp_path / "data" / name / f"{number}.png")
    packed(tmp_path / "pack", f"folder:{tmp_path / 'data'}", (1, 1, 3))
    found = load(Data(source=f"packed:{tmp_path / 'pack'}"), (1, 1, 3))
    assert found.levels == (0, 4000)
    assert found.train.images.amax().item() == 255


def test_the_held_out_part_is_what_is_measured(tmp_path: Path) -> None:
    source = sources(tmp_path / "data")["folder"]
    packed(tmp_path / "pack", source)
    ours = f"packed:{tmp_path / 'pack'}"
    assert identity(Data(source=ours)) == identity(Data(source=source))
    theirs = load_held_out(Data(source=source), SHAPE)
    for found in (
        load_held_out(Data(source=ours), SHAPE),
        load_measured(Data(source=ours), SHAPE, of_classes(("cat", "dog"))),
    ):
        assert same(found.split, theirs.split)
        assert found.what == "the 4 held-out images"


def test_a_pack_of_a_pack_is_the_same(tmp_path: Path) -> None:
    packed(tmp_path / "pack", sources(tmp_path / "data")["folder"])
    packed(tmp_path / "again", f"packed:{tmp_path / 'pack'}")
    for part in ("train", "test"):
        assert manifest(tmp_path / "again")[part] == manifest(tmp_path / "pack")[part]


def test_shares_are_taken_of_the_pack_and_not_packed(tmp_path: Path) -> None:
    source = sources(tmp_path / "data")["idx"]
    packed(tmp_path / "pack", source, limit=0.5, holdout=0.25)
    found = {
        place: load(Data(source=place, limit=0.5, holdout=0.25), SHAPE)
        for place in (source, f"packed:{tmp_path / 'pack'}")
    }
    theirs, ours = found.values()
    assert load(Data(source=ours.name), SHAPE).train.count == 40
    assert (ours.train.count, ours.val_count) == (15, 10)
    assert all(same(*parts) for parts in zip(ours.parts, theirs.parts, strict=True))
    assert ours.normalization is None
    assert ours.normalized() == theirs.normalized() == measure(Rows(theirs.train.images))


def test_a_validation_part_of_its_own_is_packed(tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        pictures(tmp_path / "data" / part, count={"train": 6, "val": 2, "test": 3}[part])
    source = f"folder:{tmp_path / 'data'}"
    assert packed(tmp_path / "pack", source).val_count == 4
    ours = load(Data(source=f"packed:{tmp_path / 'pack'}"), SHAPE)
    theirs = load(Data(source=source), SHAPE)
    assert all(same(*parts) for parts in zip(ours.parts, theirs.parts, strict=True))
    with pytest.raises(UsageError, match="has a validation part, so"):
        load(Data(source=f"packed:{tmp_path / 'pack'}", holdout=0.2), SHAPE)


@pytest.mark.parametrize("there", ["a file", "a folder with files", "a link"])
def test_nothing_is_overwritten(tmp_path: Path, there: str) -> None:
    folder = tmp_path / "pack"
    if there == "a file":
        folder.write_text("x")
    elif there == "a link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    else:
        folder.mkdir()
        (folder / "x").write_text("x")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=r"exists|is not empty"):
        packed(folder, "digits")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    packed(tmp_path / "pack", "digits", (1, 8, 8))
    assert load(Data(source=f"packed:{tmp_path / 'pack'}"), (1, 8, 8)).train.count == 1438


def test_what_a_killed_process_has_left_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".pack.partial").mkdir()
    (tmp_path / ".pack.partial" / "unfinished-0.npy").write_text("x")
    packed(tmp_path / "pack", "digits", (1, 8, 8))
    assert [path.name for path in tmp_path.iterdir()] == ["pack"]


def test_a_link_under_the_temporary_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "precious").write_text("x")
    (tmp_path / ".pack.partial").symlink_to(tmp_path / "other")
    with pytest.raises(UsageError, match="is a link"):
        packed(tmp_path / "pack", "digits")
    assert (tmp_path / "other" / "precious").exists()


def test_errors_of_the_source_leave_nothing(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "data")
    for path in folder.rglob("*.png"):
        path.write_text("not an image")
    with pytest.raises(UsageError, match="cannot be read"):
        packed(tmp_path / "pack", f"folder:{folder}")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_disk_without_room_is_an_error_before_anything_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = pictures(tmp_path / "data")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CnncliError, match=r"20 images of 3x8x8 would take 3\.8 KiB of the disk") as caught:
        packed(tmp_path / "pack", f"folder:{folder}")
    assert caught.value.diagnostics[0].code == "unwritable"
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_so_is_a_disk_that_fills_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(CnncliError, match=r"cannot write .*: No space left on device") as caught:
        packed(tmp_path / "pack", "digits")
    assert caught.value.diagnostics[0].code == "unwritable"
    assert not [*tmp_path.iterdir()]


def test_a_limit_on_files_is_an_error_in_words(tmp_path: Path) -> None:
    """``ulimit -f``: a real error of the system, in the middle of packing."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(CnncliError, match=r"cannot write .*\.npy: File too large"):
            packed(tmp_path / "pack", "digits", (1, 8, 8))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not [*tmp_path.iterdir()]


def test_a_tensor_that_is_a_part_of_a_file_is_copied_before_the_file_ends_earlier(tmp_path: Path) -> None:
    new = files.NewFiles(tmp_path)
    whole = new.empty((10, 3))
    whole[...] = torch.arange(30, dtype=torch.uint8).reshape(10, 3)
    new.keep(Rows(whole[:6]), "first.npy")
    new.keep(Rows(whole[6:]), "rest.npy")
    new.keep(Rows(whole[:, 1]), "middle.npy")
    new.keep(Rows(whole, torch.tensor([7, 2, 2])), "some.npy")
    found = new.finish()
    expected = np.arange(30, dtype=np.uint8).reshape(10, 3)
    for name, part in (
        ("first", expected[:6]),
        ("rest", expected[6:]),
        ("middle", expected[:, 1]),
        ("some", expected[[7, 2, 2]]),
    ):
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), part)
        assert found[f"{name}.npy"].shape == part.shape
    assert {path.name for path in tmp_path.iterdir()} == {"first.npy", "rest.npy", "middle.npy", "some.npy"}
