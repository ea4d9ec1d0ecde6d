from __future__ import annotations

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cnncli.diagnostics import UsageError
from cnncli.recipe.data import Data
from cnncli.training.data import room, space
from cnncli.training.data.dataset import of_classes
from cnncli.training.data.load import identity, load, load_held_out, load_measured
from cnncli.training.data.resize import resize_images
from cnncli.training.data.sources import pictures
from cnncli.training.data.sources.layout import for_training
from cnncli.training.runs.files import write_json


def picture(path: Path, seed: int, size: tuple[int, int] = (6, 5), mode: str = "RGB") -> Image.Image:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).convert(mode)
    image.save(path)
    return image


def pets(folder: Path, *, test: str | None = "test", count: int = 5) -> Path:
    for part in ("train", test) if test else ("",):
        for number, name in enumerate(("cat", "dog")):
            for each in range(count):
                picture(folder / str(part) / name / f"{each}.png", 100 * number + each)
    return folder


@pytest.mark.parametrize("test", ["test", "val"])
def test_two_parts(tmp_path: Path, test: str) -> None:
    pets(tmp_path, test=test)
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert found.classes == ("cat", "dog")
    assert found.train.labels.tolist() == [0] * 5 + [1] * 5
    assert found.notes == ()
    first = np.asarray(Image.open(tmp_path / "train" / "cat" / "0.png"))
    np.testing.assert_array_equal(found.train.images[0].numpy(), np.moveaxis(first, -1, 0))
    last = np.asarray(Image.open(tmp_path / test / "dog" / "4.png"))
    np.testing.assert_array_equal(found.test.images[9].numpy(), np.moveaxis(last, -1, 0))


def test_one_part_has_a_fixed_fifth_held_out(tmp_path: Path) -> None:
    pets(tmp_path, test=None, count=10)
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert Counter(found.test.labels.tolist()) == {0: 2, 1: 2}
    assert found.notes == ("4 of 20 images held out, a fixed fifth of each class",)
    parts = (found.train, found.test)
    everything = {image.numpy().tobytes() for part in parts for image in part.images}
    assert len(everything) == 20
    again = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert torch.equal(found.test.images, again.test.images)


def test_sizes_and_modes_are_converted_and_counted(tmp_path: Path) -> None:
    pets(tmp_path)
    train = tmp_path / "train" / "cat"
    picture(train / "gray.png", 1, mode="L")
    picture(train / "palette.gif", 2, mode="P")
    picture(train / "transparent.png", 3, mode="RGBA")
    picture(train / "large.JPG", 4, size=(20, 15))
    picture(train / "binary.png", 5, mode="1")
    picture(train / "print.jpg", 6, mode="CMYK")
    picture(train / "deeper" / "still.bmp", 7)
    deep = np.array([[0, 128, 129], [257 * 9, 65535, 300]], dtype=np.uint16)
    Image.fromarray(deep).save(train / "deep.png")
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert found.train.count == 18
    assert set(found.notes) == {
        "1 image with transparency, which was removed",
        "1 image cropped, the middle resized to 3x6x5 (bilinear)",
        "1 image cropped, the middle resized to 1x6x5 (bilinear)",
        "3 images with gray repeated to 3 channels",
        "1 image of 16 bits, scaled: 0 to 65535 became 0 to 255",
    }
    large = Image.open(train / "large.JPG").convert("RGB")
    expected = resize_images(
        torch.from_numpy(np.array(large)).movedim(-1, 0).unsqueeze(0), (3, 6, 5), "crop"
    )[0]
    assert any(torch.equal(image, expected) for image in found.train.images)


def test_sixteen_bits_are_rounded(tmp_path: Path) -> None:
    pets(tmp_path)
    deep = np.array([[0, 128, 129], [257 * 9, 65535, 300]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "train" / "cat" / "0.png")
    found = load(Data(source=f"folder:{tmp_path}", resize="pad"), (1, 6, 5))
    np.testing.assert_array_equal(found.train.images[0, 0, 2:4, 1:4].numpy(), np.rint(deep / 257))


def test_gray_spec(tmp_path: Path) -> None:
    pets(tmp_path)
    found = load(Data(source=f"folder:{tmp_path}"), (1, 6, 5))
    expected = Image.open(tmp_path / "train" / "cat" / "3.png").convert("L")
    np.testing.assert_array_equal(found.train.images[3, 0].numpy(), np.asarray(expected))
    assert found.notes == ("all images with color reduced to gray (ITU-R 601 luma)",)


def test_photographs_are_rotated(tmp_path: Path) -> None:
    pets(tmp_path)
    path = tmp_path / "train" / "cat" / "0.png"
    image = Image.open(path).copy()
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    image.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    np.testing.assert_array_equal(found.train.images[0].movedim(0, -1).numpy(), np.asarray(image))
    assert found.notes == ("1 image rotated according to EXIF",)


def test_vector_spec(tmp_path: Path) -> None:
    pets(tmp_path)
    found = load(Data(source=f"folder:{tmp_path}"), (90,))
    image = Image.open(tmp_path / "train" / "cat" / "2.png")
    np.testing.assert_array_equal(
        found.train.images[2].numpy(), np.moveaxis(np.asarray(image), -1, 0).ravel()
    )
    assert found.notes == ("3x6x5 images flattened to 90 values",)
    with pytest.raises(UsageError, match=r"0\.png has 90 values, but the spec's input is a vector of 30"):
        load(Data(source=f"folder:{tmp_path}"), (30,))
    picture(tmp_path / "train" / "dog" / "wide.png", 5, size=(6, 7))
    with pytest.raises(UsageError, match=r"wide\.png: has 6x7 pixels, but the first image has 6x5"):
        load(Data(source=f"folder:{tmp_path}"), (90,))


def test_every_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    pets(tmp_path)
    cat = tmp_path / "train" / "cat"
    (cat / "text.png").write_text("no picture")
    (cat / "empty.jpg").write_bytes(b"")
    whole = (cat / "0.png").read_bytes()
    (cat / "short.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.zeros((3, 3), dtype=np.float32)).save(cat / "float.tif")
    with pytest.raises(UsageError) as caught:
        load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    messages = [each.message for each in caught.value.diagnostics]
    named = [Path(message.split(": ")[0]).name for message in messages[:-1]]
    assert named == ["empty.jpg", "float.tif", "short.png", "text.png"]
    assert "not an image" in messages[3]
    assert messages[4] == "4 of 14 files cannot be read"
    assert caught.value.diagnostics[4].expected == "at most 0 (train.data.skip=0.01)"


def unreadable(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:40])


def test_a_share_of_the_files_is_left_out_and_named(tmp_path: Path) -> None:
    pets(tmp_path, count=10)
    source = Data(source=f"folder:{tmp_path}", skip=0.1)
    before = load(source, (3, 6, 5))
    for name in ("train/cat/3.png", "train/dog/0.png", "test/dog/9.png"):
        unreadable(tmp_path / name)
    found = load(source, (3, 6, 5))
    kept = [index for index in range(20) if index not in (3, 10)]
    assert torch.equal(found.train.images, before.train.images[kept])
    assert torch.equal(found.train.labels, before.train.labels[kept])
    assert torch.equal(found.test.images, before.test.images[:-1])
    root = tmp_path.resolve()
    names = f"{root}/train/cat/3.png, {root}/train/dog/0.png and {root}/test/dog/9.png"
    assert found.notes == (f"3 files of 40 cannot be read and were left out: {names}",)
    held = load_held_out(source, (3, 6, 5))
    assert torch.equal(held.split.images, found.test.images)
    assert torch.equal(held.split.labels, found.test.labels)
    assert held.notes == (f"1 file of 20 cannot be read and was left out: {root}/test/dog/9.png",)
    # The share is that of each part.
    unreadable(tmp_path / "train" / "dog" / "4.png")
    with pytest.raises(UsageError) as caught:
        load(source, (3, 6, 5))
    messages = [each.message for each in caught.value.diagnostics]
    assert [Path(each.split(": ")[0]).name for each in messages[:-1]] == ["3.png", "0.png", "4.png"]
    assert messages[-1] == "3 of 20 files cannot be read"
    assert caught.value.diagnostics[-1].expected == "at most 2 (train.data.skip=0.1)"


def test_by_default_one_percent_is_left_out(tmp_path: Path) -> None:
    pets(tmp_path, test=None, count=2)
    picture(tmp_path / "cat" / "x.png", 1)
    for number in range(121):
        shutil.copy(tmp_path / "cat" / "x.png", tmp_path / "cat" / f"x{number}.png")
    held = {path.name for path in for_training(tmp_path).test.paths}
    trained = [f"x{number}.png" for number in range(121) if f"x{number}.png" not in held]
    unreadable(tmp_path / "cat" / trained[0])
    assert load(Data(source=f"folder:{tmp_path}"), (3, 6, 5)).train.count == 99
    unreadable(tmp_path / "cat" / trained[1])
    with pytest.raises(UsageError, match=r"2 of 100 files cannot be read"):
        load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))


def test_something_is_left_to_learn_from(tmp_path: Path) -> None:
    pets(tmp_path, count=3)
    source = Data(source=f"folder:{tmp_path}", skip=1.0)
    for path in (tmp_path / "train" / "cat").iterdir():
        unreadable(path)
    with pytest.raises(UsageError, match="no training image can be read of cat"):
        load(source, (3, 6, 5))
    for path in (tmp_path / "train" / "dog").iterdir():
        unreadable(path)
    with pytest.raises(UsageError, match="6 of 6 files cannot be read"):
        load(source, (3, 6, 5))


def test_only_what_cannot_be_read_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images of another size for a vector, or too little memory, are errors whatever may be skipped."""
    pets(tmp_path)
    source = Data(source=f"folder:{tmp_path}", skip=0.9)
    unreadable(tmp_path / "train" / "cat" / "0.png")
    assert load(source, (90,)).train.count == 9  # the shape is that of the first one that can be read
    picture(tmp_path / "train" / "dog" / "4.png", 5, size=(6, 7))
    with pytest.raises(UsageError, match=r"4\.png: has 6x7 pixels, but the first image has 6x5"):
        load(source, (90,))
    monkeypatch.setattr(space, "available_memory", lambda: 2000)
    with pytest.raises(UsageError, match="decoding 7 x 6 pixels would take"):
        load(source, (3, 6, 5))


def test_files_are_named_in_order_whatever_is_held_out(tmp_path: Path) -> None:
    pets(tmp_path, test=None, count=10)
    for path in tmp_path.rglob("*.png"):
        path.write_text("x")
    with pytest.raises(UsageError) as caught:
        load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    messages = [each.message for each in caught.value.diagnostics]
    assert messages[:20] == sorted(messages[:20])
    assert messages[20:] == ["16 of 16 files cannot be read", "4 of 4 files cannot be read"]
    assert len(messages) == 20 + 2


def test_many_faults_are_cut(tmp_path: Path) -> None:
    pets(tmp_path)
    for number in range(30):
        (tmp_path / "test" / "cat" / f"bad-{number}.png").write_text("x")
    with pytest.raises(UsageError) as caught:
        load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert len(caught.value.diagnostics) == 22
    assert caught.value.diagnostics[-2].message == "and 10 more files"


def test_other_files_are_not_used(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "train" / "cat" / "labels.txt").write_text("x")
    (tmp_path / "train" / "cat" / ".DS_Store").write_text("x")
    (tmp_path / "train" / "cat" / "._0.png").write_text("x")
    (tmp_path / "train" / ".cache").mkdir()
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert found.notes == ("1 file is not an image and was not used: labels.txt",)


def test_a_second_held_out_part_is_noted(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "val").mkdir()
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert found.notes == (f"val in {tmp_path.resolve()} is not used",)


def three_parts(folder: Path) -> Path:
    pets(folder, count=10)
    for number, name in enumerate(("cat", "dog")):
        for each in range(3):
            picture(folder / "valid" / name / f"{each}.png", 1000 + 100 * number + each)
    return folder


def test_three_parts(tmp_path: Path) -> None:
    found = load(Data(source=f"folder:{three_parts(tmp_path)}"), (3, 6, 5))
    assert found.notes == ()
    assert found.val is not None
    assert (found.train.count, found.val.count, found.test.count) == (20, 6, 20)
    assert found.val.labels.tolist() == [0] * 3 + [1] * 3
    first = np.asarray(Image.open(tmp_path / "valid" / "cat" / "0.png"))
    np.testing.assert_array_equal(found.val.images[0].numpy(), np.moveaxis(first, -1, 0))
    last = np.asarray(Image.open(tmp_path / "test" / "dog" / "9.png"))
    np.testing.assert_array_equal(found.test.images[19].numpy(), np.moveaxis(last, -1, 0))
    (tmp_path / "valid" / "cat" / "0.png").write_bytes(b"no longer an image")
    with pytest.raises(UsageError, match="cannot be read"):  # a sixth of the validation part, 2 % of all
        load(Data(source=f"folder:{tmp_path}", skip=0.05), (3, 6, 5))


def test_the_fingerprint_has_the_validation_part(tmp_path: Path) -> None:
    source = f"folder:{three_parts(tmp_path)}"
    before = identity(Data(source=source))
    (tmp_path / "valid" / "dog" / "2.png").unlink()
    assert identity(Data(source=source)) not in (before, None)


def test_another_validation_part_is_refused(tmp_path: Path) -> None:
    source = f"folder:{three_parts(tmp_path)}"
    with pytest.raises(UsageError, match=r"has a validation part, so train\.data\.holdout"):
        load(Data(source=source, holdout=0.2), (3, 6, 5))
    found = load(Data(source=source), (3, 6, 5), holdout=0.2)  # what a training needs is there
    assert found.val is not None
    assert found.val.count == 6


@pytest.mark.parametrize("test", ["test", "val", None])
def test_a_share_of_the_training_part(tmp_path: Path, test: str | None) -> None:
    """The validation part is read again without the training part, as it was."""
    pets(tmp_path, test=test, count=10)
    data = Data(source=f"folder:{tmp_path}", holdout=0.25)
    found, whole = load(data, (3, 6, 5)), load(data.replaced({"holdout": 0}), (3, 6, 5))
    assert found.val is not None
    assert Counter(found.val.labels.tolist()) == {0: 2, 1: 2}
    assert found.notes[-1] == (
        f"4 of {whole.train.count} training images split off as the validation part, "
        "the same share of each class"
    )
    assert torch.equal(found.test.images, whole.test.images)
    parts = [image.numpy().tobytes() for split in (found.train, found.val) for image in split.images]
    assert sorted(parts) == sorted(image.numpy().tobytes() for image in whole.train.images)
    again = load_held_out(data, (3, 6, 5), part="val")
    assert torch.equal(again.split.images, found.val.images)
    assert torch.equal(again.split.labels, found.val.labels)
    assert again.what == "the 4 validation images"
    assert found.identity == whole.identity


def test_the_validation_part_is_measured_without_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Data(source=f"folder:{pets(tmp_path, count=10)}", holdout=0.2)
    read: list[Path] = []
    real = pictures.Pictures.prepare

    def prepare(paths: tuple[Path, ...], *rest: object, **named: object) -> object:
        read.extend(paths)
        return real(paths, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(pictures.Pictures, "prepare", prepare)
    load_held_out(data, (3, 6, 5), part="val")
    assert len(read) == 4
    assert all("train" in path.parts for path in read)


def test_the_levels_are_those_of_what_is_trained_on(tmp_path: Path) -> None:
    """An image of the validation part that is brighter than all others does not change them."""
    pets(tmp_path, count=10)
    held = load_held_out(Data(source=f"folder:{tmp_path}", holdout=0.1), (1, 6, 5), part="val")
    assert held.split.count == 2
    chosen = for_training(tmp_path).split(0.1, 0.0).val
    assert chosen is not None
    for part in ("train", "test"):
        for path in (tmp_path / part).rglob("*.png"):
            high = 60000 if path in chosen.paths else 1000
            gray = np.linspace(0, high, 30).reshape(6, 5).astype(np.uint16)
            Image.fromarray(gray).save(path)
    found = load(Data(source=f"folder:{tmp_path}", holdout=0.1), (1, 6, 5))
    assert found.levels == (0, 1000)


def test_a_class_may_have_no_held_out_images(tmp_path: Path) -> None:
    pets(tmp_path)
    for path in (tmp_path / "test" / "cat").iterdir():
        path.unlink()
    empty = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    (tmp_path / "test" / "cat").rmdir()
    missing = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    for found in (empty, missing):
        assert found.test.labels.tolist() == [1] * 5
        assert found.notes == (f"{tmp_path.resolve()}/test has no images of cat",)
    for path in (tmp_path / "test" / "dog").iterdir():
        path.unlink()
    with pytest.raises(UsageError, match="test has no images"):
        load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (["train/cat/", "train/dog/", "test/cat/"], "train/cat has no images"),
        (["train/", "test/"], "has no folders"),
        (["train/cat/0.png", "test/cat/0.png", "test/fox/0.png"], "classes that .*train does not have: fox"),
        (["train/cat/0.png"], "has a folder 'train', but not its counterpart"),
        (["val/cat/0.png"], "has a folder 'val', but not its counterpart"),
        (["cat/0.png", "dog/0.png", "dog/1.png"], "classes with one image: cat"),
        (["0.png"], "has no folders"),
        ([], "has no folders"),
    ],
)
def test_wrong_folders(tmp_path: Path, made: list[str], message: str) -> None:
    for name in made:
        if name.endswith("/"):
            (tmp_path / name).mkdir(parents=True)
        else:
            picture(tmp_path / name, 1)
    with pytest.raises(UsageError, match=message):
        load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))


def test_signals_are_not_pictures(tmp_path: Path) -> None:
    pets(tmp_path)
    with pytest.raises(UsageError, match="images do not match the spec's input 3x100"):
        load(Data(source=f"folder:{tmp_path}"), (3, 100))


def test_memory_is_asked_for_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pets(tmp_path)
    (tmp_path / "train" / "cat" / "0.png").write_text("never looked at")
    monkeypatch.setattr(room, "available_memory", lambda: 2**20)
    with pytest.raises(UsageError, match=r"20 images of 3x224x224 would take 2\.9 MiB"):
        load(Data(source=f"folder:{tmp_path}"), (3, 224, 224))


def test_progress_is_reported(tmp_path: Path) -> None:
    pets(tmp_path)
    told: list[tuple[int, int]] = []
    load(Data(source=f"folder:{tmp_path}"), (3, 6, 5), lambda done, total: told.append((done, total)))
    assert told == [(done, 20) for done in range(1, 21)]


def test_broken_links_are_not_used(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "train" / "cat" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert found.train.count == 10
    assert found.notes == ("1 file is not an image and was not used: gone.png",)


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_names_that_are_not_text(tmp_path: Path) -> None:
    pets(tmp_path, test=None)
    (tmp_path / "cat" / "0.png").rename(os.fsdecode(bytes(tmp_path) + b"/cat/\xff.png"))
    (tmp_path / "dog").rename(os.fsdecode(bytes(tmp_path) + b"/d\xf6g"))
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert found.classes == ("cat", "d\udcf6g")
    write_json(tmp_path / "run.json", list(found.classes))
    assert json.loads((tmp_path / "run.json").read_text()) == ["cat", "d\udcf6g"]


@pytest.mark.parametrize(
    ("train", "test"),
    [
        ("Train", "Test"),
        ("TRAINING", "testing"),
        ("trn", "tst"),
        ("train", "dev"),
        ("train", "Valid"),
        ("training_set", "test_set"),
        ("trainset", "testset"),
        ("train2017", "val2017"),
        ("Training Images", "test-data"),
    ],
)
def test_parts_have_many_names(tmp_path: Path, train: str, test: str) -> None:
    pets(tmp_path, test=test)
    (tmp_path / "train").rename(tmp_path / "parts")
    (tmp_path / "parts").rename(tmp_path / train)
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert found.classes == ("cat", "dog")
    assert (found.train.count, found.test.count) == (10, 10)


def test_a_name_that_only_begins_like_a_part_is_a_class(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "train" / "cat").rename(tmp_path / "train station")
    (tmp_path / "train" / "dog").rename(tmp_path / "test_tube")
    shutil.rmtree(tmp_path / "train")
    shutil.rmtree(tmp_path / "test")
    assert load(Data(source=f"folder:{tmp_path}"), (3, 6, 5)).classes == ("test_tube", "train station")


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (["training_set/0.png", "test_set/0.png"], "training_set has no folders"),
        (["Train/0.png", "bus/0.png"], "has a folder 'Train', but not its counterpart .* another name"),
        (["train/a/0.png", "Training/a/0.png", "test/a/0.png"], "for one part: Training and train"),
        (
            ["train/train/cat/0.png", "test/test/cat/0.png"],
            "train has folders for parts, not for classes: train",
        ),
        (["train/cat/0.png", "test/cat/0.png"], "train has only one class: cat"),
        (["seg_a/cat/0.png", "seg_a/dog/0.png"], "has only one class: seg_a"),
        (
            [
                "a/cat/0.png",
                "a/dog/x/0.png",
                "a/fox/0.png",
                "b/dog/0.png",
                "b/fox/1.png",
                "c/0.png",
                "c/1.png",
            ],
            "a and b have folders of the same names: dog and fox",
        ),
        (
            ["train/a/x/0.png", "train/a/y/0.png", "train/b/x/0.png", "train/b/y/0.png", "test/a/0.png"],
            "train: a and b have folders of the same names: x and y",
        ),
    ],
)
def test_parts_are_not_taken_for_classes(tmp_path: Path, made: list[str], message: str) -> None:
    for name in made:
        picture(tmp_path / name, 1)
    with pytest.raises(UsageError, match=message):
        load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))


def test_classes_may_be_called_train_and_have_folders(tmp_path: Path) -> None:
    """The class ``train`` of CIFAR-100; one folder ``images`` in every class, as in Tiny ImageNet."""
    for part in ("train", "test"):
        for name in ("bus", "train"):
            picture(tmp_path / part / name / "images" / "0.png", 1)
            picture(tmp_path / part / name / f"of_{name}" / "0.png", 1)
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert found.classes == ("bus", "train")
    assert found.train.labels.tolist() == [0, 0, 1, 1]
    assert found.notes == ()


def test_other_folders_beside_the_parts_are_noted(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "pred").mkdir()
    (tmp_path / "val").mkdir()
    (tmp_path / ".cache").mkdir()
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert found.notes == (f"pred and val in {tmp_path.resolve()} are not used",)


def test_links_to_folders_are_followed_and_noted(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    pets(data)
    for number in range(3):
        picture(elsewhere / "more" / f"{number}.png", number)
        picture(elsewhere / "fox" / f"{number}.png", number)
    (data / "train" / "cat" / "more").symlink_to(elsewhere / "more")
    (data / "train" / "fox").symlink_to(elsewhere / "fox")
    found = load(Data(source=f"folder:{data}"), (3, 6, 5))
    assert found.classes == ("cat", "dog", "fox")
    assert found.train.labels.tolist() == [0] * 8 + [1] * 5 + [2] * 3
    linked = data.resolve() / "train"
    assert found.notes == (
        f"{data.resolve() / 'test'} has no images of fox",
        f"2 folders reached through links: {linked / 'cat' / 'more'} and {linked / 'fox'}",
    )


@pytest.mark.parametrize(
    ("link", "target"),
    [("cat/loop", "train"), ("cat/loop", "train/cat"), ("fox", "train/dog"), ("cat/t", "test/cat")],
)
def test_a_folder_that_is_reached_twice_is_refused(tmp_path: Path, link: str, target: str) -> None:
    pets(tmp_path)
    (tmp_path / "train" / link).symlink_to(tmp_path / target)
    with pytest.raises(UsageError, match="are the same folder, so its images would count twice"):
        load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))


def test_hidden_folders_are_not_read(tmp_path: Path) -> None:
    pets(tmp_path)
    picture(tmp_path / "train" / "cat" / ".ipynb_checkpoints" / "0-checkpoint.png", 1)
    picture(tmp_path / "test" / "dog" / "deep" / ".cache" / "a" / "0.png", 1)
    found = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    assert (found.train.count, found.test.count) == (10, 10)
    root = tmp_path.resolve()
    names = f"{root}/train/cat/.ipynb_checkpoints and {root}/test/dog/deep/.cache"
    assert found.notes == (f"2 hidden folders were not read: {names}",)


KNOWN = ("bird", "cat", "dog")


@pytest.mark.parametrize(
    ("within", "count", "what"),
    [
        ("", 10, "the 10 images in its folder 'test'"),
        ("test", 10, "all 10 images"),
        ("train", 10, "all 10 images"),
    ],
)
def test_what_is_measured(tmp_path: Path, within: str, count: int, what: str) -> None:
    pets(tmp_path)
    (tmp_path / "train" / "cat" / "unread.png").write_text("x")
    if within == "train":
        (tmp_path / "train" / "cat" / "unread.png").unlink()
    found = load_measured(Data(source=f"folder:{tmp_path / within}"), (3, 6, 5), of_classes(KNOWN))
    assert (found.split.count, found.what) == (count, what)
    assert found.classes == ("cat", "dog")
    assert found.as_known(of_classes(KNOWN)).labels.tolist() == [1] * 5 + [2] * 5


@pytest.mark.parametrize("part", ["test", "Validation", "train"])
def test_a_single_part_is_measured(tmp_path: Path, part: str) -> None:
    pets(tmp_path, test=None)
    (tmp_path / part).mkdir()
    for name in ("cat", "dog"):
        (tmp_path / name).rename(tmp_path / part / name)
    found = load_measured(Data(source=f"folder:{tmp_path}"), (3, 6, 5), of_classes(KNOWN))
    assert found.what == f"the 10 images in its folder '{part}'"


def test_all_of_a_folder_without_parts_is_measured(tmp_path: Path) -> None:
    pets(tmp_path, test=None)
    (tmp_path / "bird").mkdir()
    found = load_measured(Data(source=f"folder:{tmp_path}"), (3, 6, 5), of_classes(KNOWN))
    assert (found.what, found.classes) == ("all 10 images", ("cat", "dog"))


@pytest.mark.parametrize("test", ["test", None])
def test_the_fingerprint_is_that_of_names_sizes_and_classes(tmp_path: Path, test: str | None) -> None:
    pets(tmp_path / "pets", test=test)
    source = f"folder:{tmp_path / 'pets'}"
    before = identity(Data(source=source))
    assert before == load(Data(source=source), (3, 6, 5)).fingerprint()
    cats = tmp_path / "pets" / (test or "") / "cat"
    first = cats / "0.png"
    content = first.read_bytes()

    def after(change: Callable[[], object], undo: Callable[[], object]) -> str | None:
        change()
        found = identity(Data(source=source))
        undo()
        assert identity(Data(source=source)) == before
        return found

    elsewhere = tmp_path / "pets" / (test or "") / "dog" / "10.png"
    changed = [
        after(lambda: first.rename(tmp_path / "0.png"), lambda: (tmp_path / "0.png").rename(first)),
        after(lambda: (cats / "9.png").write_bytes(content), (cats / "9.png").unlink),
        after(lambda: first.write_bytes(content + b" "), lambda: first.write_bytes(content)),
        after(lambda: first.rename(elsewhere), lambda: elsewhere.rename(first)),
        after(lambda: first.rename(cats / "10.png"), lambda: (cats / "10.png").rename(first)),
    ]
    assert len({*changed, before}) == 6
    (tmp_path / "pets").rename(tmp_path / "moved")
    assert identity(Data(source=f"folder:{tmp_path / 'moved'}")) == before
    assert identity(Data(source=source)) is None
    # Contents are not looked at.
    (tmp_path / "moved" / first.relative_to(tmp_path / "pets")).write_bytes(bytes(len(content)))
    assert identity(Data(source=f"folder:{tmp_path / 'moved'}")) == before


@pytest.mark.parametrize("test", ["test", None])
def test_what_is_held_out_is_read_without_the_training_part(tmp_path: Path, test: str | None) -> None:
    pets(tmp_path, test=test, count=10)
    source = Data(source=f"folder:{tmp_path}")
    whole = load(source, (3, 6, 5))
    held = {image.numpy().tobytes() for image in whole.test.images}
    for path in [*tmp_path.glob("train/*/*"), *tmp_path.glob("[cd]*/*")]:
        if np.moveaxis(np.asarray(Image.open(path)), -1, 0).tobytes() not in held or test:
            path.write_text("not read")
    found = load_held_out(source, (3, 6, 5))
    assert found.what == f"the {len(whole.test.images)} held-out images"
    assert (found.classes, found.name) == (whole.classes, whole.name)
    assert torch.equal(found.split.images, whole.test.images)
    assert torch.equal(found.split.labels, whole.test.labels)


def test_a_class_with_the_name_of_a_part_is_measured(tmp_path: Path) -> None:
    picture(tmp_path / "train" / "0.png", 1)
    found = load_measured(Data(source=f"folder:{tmp_path}"), (3, 6, 5), of_classes(("bus", "train")))
    assert (found.what, found.classes) == ("all 1 image", ("train",))


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (["fox/0.png", "cat/0.png"], "classes that the network was not trained on: fox"),
        (["test/Cat/0.png"], r"test has classes .* Cat .*expected only bird, cat and dog"),
        (["cat/"], "has no images"),
        ([], "has no folders"),
    ],
)
def test_what_cannot_be_measured(tmp_path: Path, made: list[str], message: str) -> None:
    for name in made:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            picture(tmp_path / name, 1)
    with pytest.raises(UsageError, match=message):
        load_measured(Data(source=f"folder:{tmp_path}"), (3, 6, 5), of_classes(KNOWN))
