"""``pairs:DIR``: masks and target pictures that belong to images."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from cnncli.diagnostics import UsageError
from cnncli.recipe.columns import Column
from cnncli.recipe.data import Data
from cnncli.training.data.dataset import Dataset, Split
from cnncli.training.data.load import identity, load, load_held_out, load_measured
from cnncli.training.data.resize import resize_mask

MASK = {"mask": (3, 8, 8)}


def noise(seed: int, size: tuple[int, ...], most: int = 256) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, most, size, dtype=np.uint8)


def saved(path: Path, values: NDArray[Any], **how: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **how)
    return path


def masked(folder: Path, count: int = 5, size: tuple[int, int] = (8, 8), first: int = 0) -> Path:
    """Write images with masks of three classes."""
    for number in range(first, first + count):
        saved(folder / "images" / f"{number}.png", noise(number, (*size, 3)))
        saved(folder / "masks" / f"{number}.png", noise(1000 + number, size, 3))
    return folder


def read(
    folder: Path, outputs: Mapping[str, tuple[int, ...]], shape: tuple[int, ...] = (3, 8, 8), **how: Any
) -> Dataset:
    return load(Data(source=f"pairs:{folder}", **how), shape, outputs=outputs)


def of(split: Split, images: dict[int, torch.Tensor]) -> list[int]:
    """The numbers of the images of a part, found by their pixels."""
    return [next(n for n, each in images.items() if torch.equal(each, image)) for image in split.images]


def test_masks_belong_to_their_images(tmp_path: Path) -> None:
    masked(tmp_path, 10)
    masks = {number: noise(1000 + number, (8, 8), 3) for number in range(10)}
    masks[4][2:4] = 255
    saved(tmp_path / "masks" / "4.png", masks[4])
    found = read(tmp_path, MASK)
    assert found.columns == {"mask": Column("mask", ("0", "1", "2"))}
    assert found.notes[0] == "2 of 10 images held out, a fixed fifth"
    images = {n: torch.from_numpy(noise(n, (8, 8, 3))).movedim(-1, 0) for n in range(10)}
    order = of(found.train, images) + of(found.test, images)
    assert sorted(order) == [*range(10)]
    together = torch.cat([found.train.targets["mask"], found.test.targets["mask"]])
    for number, mask in zip(order, together, strict=True):
        np.testing.assert_array_equal(mask.numpy(), masks[number])


def test_parts_and_other_names_of_files(tmp_path: Path) -> None:
    masked(tmp_path / "Train", 4)
    masked(tmp_path / "test", 3, first=4)
    masked(tmp_path / "val", 2, first=7)
    deep = tmp_path / "Train" / "images" / "more"
    saved(deep / "x.1.png", noise(50, (8, 8, 3)))
    saved(tmp_path / "Train" / "masks" / "more" / "x.1.bmp", noise(51, (8, 8), 2))
    data = Data(source=f"pairs:{tmp_path}")
    found = load(data, (3, 8, 8), outputs=MASK)
    assert (found.train.count, found.val_count, found.test.count) == (5, 2, 3)
    assert found.notes == ()
    with pytest.raises(UsageError, match="has a validation part"):
        load(Data(source=f"pairs:{tmp_path}", holdout=0.1), (3, 8, 8), outputs=MASK)
    held = load_held_out(data, (3, 8, 8), outputs=MASK, known=found.columns)
    assert torch.equal(held.as_known(found.columns).targets["mask"], found.test.targets["mask"])
    assert identity(data) == found.fingerprint()
    other = load_measured(Data(source=f"pairs:{tmp_path / 'val'}"), (3, 8, 8), found.columns, outputs=MASK)
    assert (other.what, other.split.count) == ("all 2 images", 2)
    (deep / "x.1.png").rename(deep / "y.1.png")
    assert identity(data) is None


def test_palettes_are_read_by_index(tmp_path: Path) -> None:
    masked(tmp_path, 4)
    indices = noise(7, (8, 8), 3)
    image = Image.fromarray(indices, mode="P")
    image.putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200])
    image.save(tmp_path / "masks" / "0.png")
    Image.fromarray(indices).convert("LA").save(tmp_path / "masks" / "1.png")
    Image.fromarray(indices.astype(np.uint16)).save(tmp_path / "masks" / "2.png")
    Image.fromarray(indices > 0).save(tmp_path / "masks" / "3.png")
    for number in range(4):
        saved(tmp_path / "images" / f"{number}.png", np.full((8, 8, 3), number, np.uint8))
    found = read(tmp_path, MASK)
    masks = torch.cat([found.train.targets["mask"], found.test.targets["mask"]])
    numbers = torch.cat([found.train.images, found.test.images])[:, 0, 0, 0]
    for number, mask in zip(numbers.tolist(), masks, strict=True):
        np.testing.assert_array_equal(mask.numpy(), indices > 0 if number == 3 else indices)


def test_black_and_white_masks_have_two_classes(tmp_path: Path) -> None:
    masked(tmp_path / "train", 4)
    masked(tmp_path / "test", 2, first=4)
    for path in tmp_path.rglob("masks/*.png"):
        saved(path, noise(int(path.stem), (4, 8), 2) * 255)
        saved(path.parent.parent / "images" / path.name, noise(int(path.stem), (4, 8, 3)))
    data = Data(source=f"pairs:{tmp_path}", resize="pad")
    found = load(data, (3, 8, 8), outputs=MASK)
    assert found.columns["mask"].names == ("black", "white")
    assert found.notes[-1] == "masks of 'mask' have the values 0 and 255 only: 255 is the class white"
    for row, mask in enumerate(found.train.targets["mask"]):
        np.testing.assert_array_equal(mask[2:6].numpy(), noise(row, (4, 8), 2))
        assert (mask[:2] == 255).all()
        assert (mask[6:] == 255).all()
    for path in (tmp_path / "test" / "masks").iterdir():
        saved(path, np.zeros((4, 8), np.uint8))
    held = load_held_out(data, (3, 8, 8), outputs=MASK, known=found.columns)
    assert (held.as_known(found.columns).targets["mask"][:, 2:6] == 0).all()
    saved(tmp_path / "test" / "masks" / "4.png", noise(0, (4, 8), 3))
    with pytest.raises(UsageError, match="have other values than 0 and 255"):
        load_held_out(data, (3, 8, 8), outputs=MASK, known=found.columns)


@pytest.mark.parametrize("rule", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("size", [(20, 12), (9, 31), (8, 8), (5, 3)])
def test_masks_are_resized_to_the_nearest(rule: str, size: tuple[int, int]) -> None:
    mask = np.kron(noise(size[0], (2, 2), 2), np.ones((size[0] // 2 + 1, size[1] // 2 + 1)))[
        : size[0], : size[1]
    ]
    found = resize_mask(torch.from_numpy(mask.astype(np.uint8)), (8, 8), rule, 254)
    area = Image.fromarray(mask.astype(np.uint8))
    if rule == "stretch":
        expected = np.array(area.resize((8, 8), Image.Resampling.NEAREST))
    elif rule == "crop":
        side = min(size)
        top, left = (size[0] - side) // 2, (size[1] - side) // 2
        expected = np.array(
            area.crop((left, top, left + side, top + side)).resize((8, 8), Image.Resampling.NEAREST)
        )
    else:
        scale = min(1, 8 / max(size))
        inner = tuple(max(1, int(side * scale + 0.5)) for side in size)
        expected = np.full((8, 8), 254, np.uint8)
        top, left = (8 - inner[0]) // 2, (8 - inner[1]) // 2
        resized = area.resize((inner[1], inner[0]), Image.Resampling.NEAREST)
        expected[top : top + inner[0], left : left + inner[1]] = np.array(resized)
    np.testing.assert_array_equal(found.numpy(), expected)


@pytest.mark.parametrize("rule", ["crop", "stretch", "pad"])
def test_a_mask_lies_on_its_image(tmp_path: Path, rule: str) -> None:
    for number in range(4):
        values = np.zeros((40, 64), np.uint8)
        values[8 * number : 8 * number + 12, 20:44] = 1
        saved(tmp_path / "masks" / f"{number}.png", values)
        saved(tmp_path / "images" / f"{number}.png", values * 255)
    found = read(tmp_path, {"mask": (2, 16, 16)}, (1, 16, 16), resize=rule)
    for split in (found.train, found.test):
        inside = split.targets["mask"] != 255
        bright = split.images[:, 0] >= 128
        same = (bright == (split.targets["mask"] == 1)) | ~inside
        assert same.float().mean() > 0.97
        assert inside.float().mean() == {"crop": 1, "stretch": 1, "pad": 10 / 16}[rule]


def test_target_pictures_may_be_larger(tmp_path: Path) -> None:
    for number in range(5):
        large = noise(number, (16, 24, 3))
        saved(tmp_path / "targets" / f"{number}.png", large)
        saved(tmp_path / "images" / f"{number}.png", large[::2, ::2])
    found = read(tmp_path, {"target": (3, 16, 24)}, (3, 8, 12))
    assert found.columns == {"target": Column("picture", (), (3, 16, 24))}
    for split in (found.train, found.test):
        assert torch.equal(split.targets["target"][:, :, ::2, ::2], split.images)
    gray = read(tmp_path, {"target": (1, 16, 24)}, (1, 8, 12))
    for split in (gray.train, gray.test):
        assert torch.equal(split.targets["target"][:, :, ::2, ::2], split.images)


def test_an_output_that_loses_borders_is_compared_with_the_middle(tmp_path: Path) -> None:
    for number in range(5):
        saved(tmp_path / "targets" / f"{number}.png", noise(number, (9, 9)))
        saved(tmp_path / "images" / f"{number}.png", noise(number, (9, 9)))
    found = read(tmp_path, {"target": (1, 5, 7)}, (1, 9, 9))
    assert torch.equal(found.train.targets["target"], found.train.images[:, :, 2:7, 1:8])


def test_targets_that_are_cut_otherwise_are_refused(tmp_path: Path) -> None:
    for number in range(4):
        saved(tmp_path / "targets" / f"{number}.png", noise(number, (16, 12, 3)))
        saved(tmp_path / "images" / f"{number}.png", noise(number, (8, 12, 3)))
    with pytest.raises(UsageError, match="a target of 16x12, but its image has 8x12 pixels"):
        read(tmp_path, {"target": (3, 16, 16)})
    for number in range(4):
        saved(tmp_path / "targets" / f"{number}.png", noise(number, (16, 24, 3)))
    with pytest.raises(UsageError, match="a target of 16x24, but its image has 8x12 pixels"):
        read(tmp_path, {"target": (3, 64, 64)}, (3, 16, 16), resize="pad")
    assert read(tmp_path, {"target": (3, 32, 32)}, (3, 16, 16), resize="pad").train.count == 3


def test_masks_without_class_numbers(tmp_path: Path) -> None:
    masked(tmp_path)
    path = tmp_path / "masks" / "2.png"
    for values, message in (
        (noise(0, (8, 8, 3)), r"2\.png: a mask in color \(RGB\)"),
        (np.full((8, 8), 254, np.uint8), "a mask with the value 254"),
        (np.full((8, 8), 300, np.uint16), "a mask with the value 300"),
        (noise(0, (8, 9), 3), "a mask of 8x9, but its image has 8x8 pixels"),
    ):
        saved(path, values)
        with pytest.raises(UsageError, match=message):
            read(tmp_path, MASK)
    path.unlink()
    saved(path.with_suffix(".jpg"), noise(0, (8, 8), 3))
    with pytest.raises(UsageError, match="a mask in JPEG"):
        read(tmp_path, MASK)
    path.with_suffix(".jpg").unlink()
    path.write_text("no image")
    with pytest.raises(UsageError, match=r"2\.png: not an image"):
        read(tmp_path, MASK)
    left = read(tmp_path, MASK, skip=0.5)
    assert left.train.count + left.test.count == 4
    assert len(left.train.targets["mask"]) == left.train.count


def test_a_turned_photograph_has_a_mask_as_it_is_seen(tmp_path: Path) -> None:
    masked(tmp_path, 3, (6, 10))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(noise(0, (10, 6, 3))).save(tmp_path / "images" / "0.png", exif=exif)
    assert read(tmp_path, {"mask": (3, 6, 10)}, (3, 6, 10)).train.count == 2


def test_classes_of_masks(tmp_path: Path) -> None:
    masked(tmp_path / "train", 3)
    masked(tmp_path / "test", 3)
    for number in range(3):
        saved(tmp_path / "train" / "masks" / f"{number}.png", noise(number, (8, 8), 2) * 3)
    found = read(tmp_path, MASK)
    assert found.columns["mask"].names == ("0", "1", "2", "3")
    assert "no mask of 'mask' to train on has a pixel of 1 and 2" in found.notes
    saved(tmp_path / "test" / "masks" / "0.png", noise(0, (8, 8), 6))
    with pytest.raises(UsageError, match="have classes that those to train on do not have"):
        read(tmp_path, MASK)


def test_white_is_left_out_of_a_network_with_numbered_classes(tmp_path: Path) -> None:
    masked(tmp_path, 4)
    for number in range(4):
        saved(tmp_path / "masks" / f"{number}.png", noise(number, (8, 8), 2) * 255)
    known = {"mask": Column("mask", ("0", "1"))}
    measured = load_measured(Data(source=f"pairs:{tmp_path}"), (3, 8, 8), known, outputs=MASK)
    assert measured.notes[-1] == (
        "masks of 'mask' have the values 0 and 255 only: 255 is left out, since the network was trained on "
        "masks of 0 and 1"
    )
    assert measured.as_known(known).targets["mask"].unique().tolist() == [0, 255]


def test_files_without_a_partner(tmp_path: Path) -> None:
    masked(tmp_path, 10)
    (tmp_path / "masks" / "3.png").unlink()
    saved(tmp_path / "masks" / "30.png", noise(0, (8, 8), 3))
    with pytest.raises(UsageError, match=r"2 files without a partner of the same name: .*images/3\.png and"):
        read(tmp_path, MASK)
    found = read(tmp_path, MASK, skip=0.2)
    assert found.train.count + found.test.count == 9
    assert any("2 files without a partner" in note and note.endswith("; left out") for note in found.notes)


def test_folders_without_pairs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no folder 'images'"):
        read(tmp_path, MASK)
    saved(tmp_path / "images" / "a.png", noise(0, (8, 8)))
    with pytest.raises(UsageError, match="nothing to compare outputs with"):
        read(tmp_path, MASK)
    (tmp_path / "masks").mkdir()
    with pytest.raises(UsageError, match="masks has no images"):
        read(tmp_path, MASK)
    saved(tmp_path / "masks" / "a.png", noise(0, (8, 8)))
    saved(tmp_path / "images" / "a.bmp", noise(0, (8, 8)))
    with pytest.raises(UsageError, match="have the same name"):
        read(tmp_path, MASK)
    masked(tmp_path / "more" / "train")
    with pytest.raises(UsageError, match="has no part test or val"):
        read(tmp_path / "more", MASK)
