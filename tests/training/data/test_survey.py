"""What there is in a source, compared with what numpy and Pillow find in the same images."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import cnncli
from cnncli.diagnostics import CnncliError
from cnncli.limits import MAX_SHEET_CLASSES
from cnncli.recipe.data import Data
from cnncli.results.survey import Numbers, Survey
from cnncli.training.data.load import load
from cnncli.training.data.moments import Moments


def pixels(seed: int, size: tuple[int, ...] = (6, 5, 3)) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8)


def picture(path: Path, seed: int, size: tuple[int, ...] = (6, 5, 3)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels(seed, size)).save(path)
    return path


def pets(folder: Path, parts: tuple[str, ...] = ("train", "test"), count: int = 4) -> Path:
    for part, number in ((part, number) for part in parts for number in range(2)):
        for each in range(count):
            seed = 1000 * len(part) + 100 * number + each
            picture(folder / part / ("cat", "dog")[number] / f"{each}.png", seed)
    return folder


def surveyed(folder: Path) -> Survey:
    return cnncli.survey(f"folder:{folder}")


def counts(found: Survey) -> Mapping[str | None, tuple[int, ...]]:
    return {each.name: each.counts for each in found.classes}


def test_figures_are_those_of_the_stored_pixels(tmp_path: Path) -> None:
    sizes = [(4, 9, 3), (7, 5, 3), (7, 5, 3), (20, 11, 3), (6, 6, 3)]
    for number, size in enumerate(sizes):
        picture(tmp_path / "train" / ("cat", "dog")[number % 2] / f"{number}.png", number, size)
    picture(tmp_path / "test" / "dog" / "gray.png", 7, (7, 5))
    seen: list[tuple[int, int]] = []
    found = cnncli.survey(f"folder:{tmp_path}", reading=lambda *progress: seen.append(progress))
    assert seen == [(done, 6) for done in range(1, 7)]
    assert found.source == f"folder:{tmp_path}"
    assert found.parts == ("train", "test")
    assert counts(found) == {"cat": (3, 0), "dog": (2, 1)}
    heights = [size[0] for size in sizes] + [7]
    (height, width) = found.sizes
    assert height == ("height", min(heights), np.median(heights), max(heights))
    assert width == ("width", 5, 5.5, 11)
    assert (found.distinct_sizes, found.commonest_size) == (4, ((7, 5), 3))
    color, gray = found.kinds
    assert (color.name, color.count, color.scale) == ("color", 5, 255)
    assert (gray.name, gray.count, gray.first) == ("gray", 1, ("test/dog/gray.png",))
    everything = np.concatenate([pixels(number, size).reshape(-1, 3) for number, size in enumerate(sizes)])
    for number, channel in enumerate(color.channels):
        values = everything[:, number]
        assert channel.name == ("red", "green", "blue")[number]
        assert (channel.smallest, channel.largest) == (values.min(), values.max())
        assert channel.mean == pytest.approx(values.mean() / 255, rel=1e-12)
        assert channel.deviation == pytest.approx(values.std() / 255, rel=1e-12)
    assert not any((found.duplicates, found.unreadable, found.warnings))


def test_moments_of_large_values_are_exact() -> None:
    values = 1e9 + np.random.default_rng(0).random((3, 1000))
    found = Moments.of(values[0]).with_others(Moments.of(values[1])).with_others(Moments.of(values[2]))
    assert found.count == 3000
    assert found.deviation == pytest.approx(values.std(), rel=1e-6)
    assert (found.smallest, found.largest) == (values.min(), values.max())
    assert not Moments.of(np.array([1.0, np.nan])).is_finite
    assert not Moments.of(np.array([1.0, -np.inf])).is_finite


def test_the_same_pixels_are_found_in_other_files(tmp_path: Path) -> None:
    pets(tmp_path)
    saved = Image.open(tmp_path / "train" / "cat" / "1.png")
    saved.save(tmp_path / "train" / "cat" / "again.png", compress_level=0)
    saved.save(tmp_path / "test" / "dog" / "leak.bmp")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    saved.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "test" / "dog" / "turned.png", exif=exif)
    found = surveyed(tmp_path)
    (same,) = found.duplicates
    assert same.count == 4
    # One of each part comes first.
    assert same.first == ("train/cat/1.png", "test/dog/leak.bmp", "train/cat/again.png")
    assert (same.parts, same.classes) == (("train", "test"), ("cat", "dog"))
    assert found.leaks == found.contradictions == found.duplicates
    assert found.notes == ("1 image rotated according to EXIF",)


def test_gray_is_the_same_in_color_and_another_shape_is_not(tmp_path: Path) -> None:
    pets(tmp_path)
    gray = pixels(5, (6, 5))
    Image.fromarray(gray).save(tmp_path / "train" / "cat" / "gray.png")
    Image.fromarray(np.stack([gray] * 3, -1)).save(tmp_path / "train" / "cat" / "color.png")
    Image.fromarray(gray.reshape(5, 6)).save(tmp_path / "train" / "cat" / "other.png")
    found = surveyed(tmp_path)
    (same,) = found.duplicates
    assert same.first == ("train/cat/color.png", "train/cat/gray.png")
    assert found.leaks == found.contradictions == ()


def test_duplicates_are_those_of_brute_force(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 2, (300, 2, 4), dtype=np.uint8)
    labels = np.arange(300) % 3
    train, test = (values[:200], labels[:200]), (values[200:], labels[200:])
    np.savez(tmp_path / "a.npz", x_train=train[0], y_train=train[1], x_test=test[0], y_test=test[1])
    found = cnncli.survey(f"npz:{tmp_path / 'a.npz'}")
    _, inverse, sizes = np.unique(values.reshape(300, -1), axis=0, return_inverse=True, return_counts=True)
    assert sorted(each.count for each in found.duplicates) == sorted(sizes[sizes > 1])
    in_train, in_test = set(inverse[:200].tolist()), set(inverse[200:].tolist())
    assert len(found.leaks) == len(in_train & in_test) > 10
    several = [group for group in range(len(sizes)) if len(set(labels[inverse.ravel() == group])) > 1]
    assert len(found.contradictions) == len(several) > 10
    assert found.duplicates[: len(found.leaks)] == found.leaks


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "train" / "cat" / "text.png").write_text("not an image")
    whole = picture(tmp_path / "test" / "dog" / "half.png", 1, (50, 50, 3)).read_bytes()
    (tmp_path / "test" / "dog" / "half.png").write_bytes(whole[: len(whole) // 2])
    found = surveyed(tmp_path)
    assert [each.name for each in found.unreadable] == ["train/cat/text.png", "test/dog/half.png"]
    assert all(str(tmp_path / each.name) in each.reason for each in found.unreadable)
    assert counts(found) == {"cat": (4, 4), "dog": (4, 4)}
    for path in tmp_path.rglob("*.png"):
        path.write_text("not an image")
    with pytest.raises(CnncliError, match="none of 18 images can be read"):
        surveyed(tmp_path)


def test_a_folder_without_parts_is_seen_as_a_training_would_see_it(tmp_path: Path) -> None:
    pets(tmp_path, ("",), count=10)
    found = surveyed(tmp_path)
    assert found.parts == ("train", "held out")
    dataset = load(Data(source=f"folder:{tmp_path}"), (3, 6, 5))
    held = torch.bincount(dataset.test.labels).tolist()
    assert counts(found) == {"cat": (8, held[0]), "dog": (8, held[1])}
    assert found.notes == dataset.notes


def test_a_part_that_training_does_not_use_is_looked_at(tmp_path: Path) -> None:
    pets(tmp_path, ("train", "test", "val"))
    picture(tmp_path / "val" / "fish" / "leak.png", 5001)
    picture(tmp_path / "train" / "cat" / "leak.png", 5001)
    found = surveyed(tmp_path)
    assert counts(found) == {"cat": (5, 4, 4), "dog": (4, 4, 4), "fish": (0, 0, 1)}
    (leak,) = (each for each in found.leaks if "val/fish/leak.png" in each.first)
    assert leak.parts == ("train", "val")


def test_folders_that_cannot_be_trained_on(tmp_path: Path) -> None:
    one = pets(tmp_path / "one", ("train",))
    found = surveyed(one)
    assert counts(found) == {"cat": (4,), "dog": (4,)}
    (warning,) = found.warnings
    assert warning.startswith(
        f"cannot be trained on: {one} has a folder 'train', but not its counterpart; if "
    )
    alone = surveyed(one / "train" / "cat")
    assert (alone.parts, counts(alone)) == (("",), {None: (4,)})
    assert alone.warnings[1] == (
        f"{one / 'train' / 'cat'}: 4 images are in no folder of a class: 0.png, 1.png, 2.png and 1 more"
    )
    class_alone = picture(tmp_path / "class" / "cat" / "a.png", 1).parent.parent
    picture(class_alone / "b.png", 2)
    assert counts(surveyed(class_alone)) == {"cat": (1,), None: (1,)}
    twice = pets(tmp_path / "twice", ("test", "testing"))
    assert surveyed(twice).parts == ("test", "testing")


def test_a_folder_that_is_reached_twice_does_not_hide_the_others(tmp_path: Path) -> None:
    pets(tmp_path)
    (tmp_path / "train" / "dog" / "up").symlink_to(tmp_path / "train" / "cat", target_is_directory=True)
    found = surveyed(tmp_path)
    assert counts(found) == {"cat": (4, 4), "dog": (0, 4)}
    assert all("are the same folder" in warning for warning in found.warnings)
    assert len(found.warnings) == 2


@pytest.mark.parametrize(("make", "message"), [(False, "no such file or folder"), (True, "has no folders")])
def test_where_nothing_is_found(tmp_path: Path, make: bool, message: str) -> None:
    place = tmp_path / "empty"
    if make:
        place.mkdir()
    with pytest.raises(CnncliError, match=message):
        surveyed(place)


def test_imbalance_is_that_of_the_training_part(tmp_path: Path) -> None:
    labels = np.array([0] * 40 + [1] * 4 + [3])
    images = np.arange(45, dtype=np.uint8).reshape(45, 1, 1).repeat(4, 1)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images + 50, y_test=labels)
    found = cnncli.survey(f"npz:{tmp_path / 'a.npz'}")
    assert found.warnings == ("unbalanced classes, from 1 to 40 training images: 40 0, 4 1 and 1 3",)
    assert counts(found) == {"0": (40, 40), "1": (4, 4), "2": (0, 0), "3": (1, 1)}


def test_digits_are_those_of_a_training() -> None:
    found, dataset = cnncli.survey("digits"), load(Data(), (1, 8, 8))
    train, held = (torch.bincount(part.labels).tolist() for part in (dataset.train, dataset.test))
    assert [each.counts for each in found.classes] == [*zip(train, held, strict=True)]
    assert (found.parts, found.distinct_sizes, found.duplicates) == (("train", "held out"), 1, ())


def test_arrays_that_cannot_be_trained_on(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 3)).astype(np.float32)
    images[3, 0, 0, 0] = np.nan
    np.savez(path, x_train=images, y_train=np.arange(4))
    found = cnncli.survey(f"npz:{path}")
    assert [each.name for each in found.unreadable] == ["x_train[3]"]
    (kind,) = found.kinds
    assert (kind.name, kind.scale, kind.count) == ("color of floating-point values", 1, 4)
    kept = images[[0, 1, 2, 4]].astype(np.float64)
    np.testing.assert_allclose([each.mean for each in kind.channels], kept.mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(
        [each.deviation for each in kind.channels], kept.std(axis=(0, 1, 2)), rtol=1e-9
    )
    assert counts(found) == {None: (4,)}
    assert [warning[:40] for warning in found.warnings] == [
        "cannot be trained on: x_train has values that are not finite"[:40],
        "there is no array x_test, so it cannot be trained on"[:40],
        "x_train has 4 labels for 5 images",
    ]
    np.savez(path, x_train=images[:3, :, :, 0] * 1000 // 1, y_train=[1, 2, 1])
    assert any("labels start at 1" in warning for warning in cnncli.survey(f"npz:{path}").warnings)
    np.savez(path, y_train=[1, 2, 1])
    with pytest.raises(CnncliError, match="has no array x_train"):
        cnncli.survey(f"npz:{path}")
    np.savez(path, x_train=np.array([True, False]))
    with pytest.raises(CnncliError, match="has no images"):
        cnncli.survey(f"npz:{path}")


@pytest.mark.parametrize(
    ("array", "name", "scale", "shape"),
    [
        (np.zeros((2, 7), np.uint8), "vectors", 255, (7,)),
        (np.full((2, 3, 5), 4095, np.int64), "gray of 16 bits", 65535, (3, 5)),
        (np.full((2, 3, 5), -1, np.int64), "gray of floating-point values", 1, (3, 5)),
        (np.zeros((2, 5, 6, 3), np.uint16), "color", 255, (5, 6)),
        (np.zeros((2, 3, 5, 6), np.uint8), "color", 255, (5, 6)),
        (np.zeros((2, 4, 5, 6), np.uint8), "4 channels", 255, (5, 6)),
        (np.zeros((2, 1, 5, 6, 7), np.uint8), "1 channel", 255, (5, 6, 7)),
    ],
)
def test_layouts(
    tmp_path: Path,
    array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
    name: str,
    scale: int,
    shape: tuple[int, ...],
) -> None:
    np.savez(tmp_path / "a.npz", x_train=array, y_train=[0, 1])
    found = cnncli.survey(f"npz:{tmp_path / 'a.npz'}")
    (kind,) = found.kinds
    assert (kind.name, kind.scale, found.commonest_size) == (name, scale, (shape, 2))
    assert len(found.sizes) == len(shape)
    assert all(each.largest / scale == pytest.approx(each.mean) for each in kind.channels)
    assumed = [note for note in found.notes if "taken as channels first" in note]
    assert len(assumed) == (name == "4 channels")


def test_a_stated_layout_counts(tmp_path: Path) -> None:
    images = np.zeros((2, 3, 5, 1), np.uint8)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=[0, 1], layout="channels first")
    assert cnncli.survey(f"npz:{tmp_path / 'a.npz'}").commonest_size == ((5, 1), 2)


def idx(path: Path, values: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> None:
    header = struct.pack(f">4B{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(
        gzip.compress(header + values.tobytes()) if path.suffix == ".gz" else header + values.tobytes()
    )


def test_idx_files_of_one_part_or_without_labels(tmp_path: Path) -> None:
    images = pixels(0, (6, 4, 3))
    idx(tmp_path / "train-images-idx3-ubyte.gz", images)
    found = cnncli.survey(f"idx:{tmp_path}")
    assert counts(found) == {None: (6,)}
    assert found.warnings == (
        "there are no test images, so it cannot be trained on",
        "train-images-idx3-ubyte.gz has no labels",
    )
    idx(tmp_path / "train-labels-idx1-ubyte", np.array([2, 0, 0, 2, 2, 2], np.uint8))
    idx(tmp_path / "t10k-images-idx3-ubyte", images[:2])
    idx(tmp_path / "t10k-labels-idx1-ubyte", np.array([0, 1], np.uint8))
    found = cnncli.survey(f"idx:{tmp_path}")
    assert (found.warnings, found.parts) == ((), ("train", "test"))
    assert counts(found) == {"0": (2, 1), "1": (0, 1), "2": (4, 0)}
    assert [each.first for each in found.leaks] == [
        (f"train-images-idx3-ubyte.gz[{number}]", f"t10k-images-idx3-ubyte[{number}]") for number in (0, 1)
    ]
    (channel,) = found.kinds[0].channels
    assert channel.mean == pytest.approx(np.concatenate([images, images[:2]]).mean() / 255)
    (tmp_path / "train-images-idx3-ubyte.gz").unlink()
    (tmp_path / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(CnncliError, match="has no file for train images"):
        cnncli.survey(f"idx:{tmp_path}")


def test_masks_and_numbers(tmp_path: Path) -> None:
    masks = [np.random.default_rng(number).integers(0, 3, (6, 5), dtype=np.uint8) for number in range(4)]
    masks[1][:2] = 255
    lines = ["path,mask,value,label"]
    for number, mask in enumerate(masks):
        picture(tmp_path / f"{number}.png", number)
        Image.fromarray(mask).save(tmp_path / f"m{number}.png")
        lines.append(f"{number}.png,{'' if number == 2 else f'm{number}.png'},{'' if number else 5},a")
    (tmp_path / "a.csv").write_text("\n".join([*lines, "", ""]))
    found = cnncli.survey(f"csv:{tmp_path / 'a.csv'}")
    kept = [masks[number] for number in (0, 1, 3)]
    values, counts = np.unique(np.stack(kept), return_counts=True)
    assert [each.value for each in found.masks] == values.tolist()
    assert [each.share for each in found.masks] == pytest.approx(counts / counts.sum())
    assert [each.masks for each in found.masks] == [sum(value in mask for mask in kept) for value in values]
    (values_of,) = found.numbers
    assert values_of == Numbers("value", 1, 5, 5, 5, 0)
    Image.fromarray(masks[0][:5]).save(tmp_path / "m3.png")
    found = cnncli.survey(f"csv:{tmp_path / 'a.csv'}")
    (fault,) = found.wrong_masks
    assert (found.count, found.unreadable, fault.name) == (4, (), "3.png")
    assert fault.reason.startswith(f"{tmp_path / 'm3.png'}: a mask of 5x5, but its image has 6x5 pixels")


def test_a_contact_sheet_has_images_of_each_class(tmp_path: Path) -> None:
    for number in range(20):
        picture(tmp_path / "data" / "cat" / f"{number:02}.png", number, (64, 32, 3))
    for number in range(3):
        picture(tmp_path / "data" / "Öl 日" / f"{number}.png", 100 + number, (32, 64))
    path = tmp_path / "sheet.png"
    found = cnncli.survey(f"folder:{tmp_path / 'data'}", sheet=path)
    assert found.sheet == (path, 11, 2)
    sheet = np.array(Image.open(path))
    assert sheet.shape[0] == 4 + 68 + 36
    images = [pixels(number, (64, 32, 3)) for number in range(20)]
    left = next(
        left
        for left in range(sheet.shape[1] - 31)
        if any(np.array_equal(sheet[4:68, left : left + 32], image) for image in images)
    )
    row = [sheet[4:68, left + 36 * place : left + 36 * place + 32] for place in range(8)]
    chosen = [[np.array_equal(image, each) for image in images].index(True) for each in row]
    assert len(set(chosen)) == 8
    second = [sheet[72:104, left + 68 * place : left + 68 * place + 64] for place in range(3)]
    grays = [pixels(100 + number, (32, 64)) for number in range(3)]
    assert all(any(np.array_equal(each, np.stack([gray] * 3, -1)) for gray in grays) for each in second)
    words = sheet[:, :left]
    assert (words[4:40] < 128).any()
    assert (words[72:100] < 128).any()


def test_a_contact_sheet_of_many_classes_has_the_first(tmp_path: Path) -> None:
    labels = np.arange(MAX_SHEET_CLASSES + 5)
    images = np.random.default_rng(0).integers(0, 4096, (len(labels), 8, 8)).astype(np.uint16)
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels)
    found = cnncli.survey(f"npz:{tmp_path / 'a.npz'}", sheet=tmp_path / "sheet.png")
    assert found.sheet is not None
    assert found.sheet[1:] == (MAX_SHEET_CLASSES, MAX_SHEET_CLASSES)
    sheet = np.array(Image.open(tmp_path / "sheet.png"))
    # The range of the values is shown as black to white, enlarged by 8.
    low, high = int(images.min()), int(images.max())
    expected = np.rint((images[0] - float(low)) / (high - low) * 255)
    np.testing.assert_allclose(sheet[4:68:8, -68:-4:8, 0], expected, atol=1)


def test_a_contact_sheet_needs_pictures_and_a_new_file(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.zeros((2, 7), np.uint8), y_train=[0, 1])
    with pytest.raises(CnncliError, match="these images cannot be shown"):
        cnncli.survey(f"npz:{tmp_path / 'a.npz'}", sheet=tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
    (tmp_path / "link.png").symlink_to(tmp_path / "elsewhere.png")
    for name, message in (("link.png", "exists"), ("sheet.jpg", "does not end in .png")):
        with pytest.raises(CnncliError, match=message):
            cnncli.survey("digits", sheet=tmp_path / name)
    with pytest.raises(CnncliError, match="no such folder"):
        cnncli.survey("digits", sheet=tmp_path / "missing" / "sheet.png")
