"""Masks and target pictures move with their images, and none of their values is changed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cnncli.recipe.columns import Column
from cnncli.recipe.transforms import TRANSFORMS, Crop, Flip, Mix, Rotate, Transform
from cnncli.training.data.dataset import IGNORED, Split
from cnncli.training.data.feed import Alters, Feed, Views
from cnncli.training.data.recorded import Normalization
from cnncli.training.data.targets import NO_CLASS
from cnncli.training.transforms import Pipeline, moves_anything
from tests.training.support import CPU
from tests.training.transforms.support import digits, photographs, units

CLASSES = (0, 7, 200, NO_CLASS)
"""Between two of them, and beside them, are values that only an interpolation would make."""

ALL = tuple(kind() for kind in TRANSFORMS.values())
MOVING = [each for each in ALL if moves_anything([each])]
CHANGING = [each for each in ALL if each not in MOVING and not isinstance(each, Mix)]
COLORED = [Flip(p=1.0), Crop(padding=2, fill=0.3), Rotate(degrees=40)]
SIZES = [pytest.param((8, 8), id="small"), pytest.param((60, 80), id="large")]


def scenes(count: int, size: tuple[int, int]) -> Tensor:
    """Masks of four classes in blocks of two pixels or more, [count, *size]."""
    generator = torch.Generator().manual_seed(0)
    blocks = torch.randint(0, len(CLASSES), (count, size[0] // 2, size[1] // 2), generator=generator)
    return torch.tensor(CLASSES)[blocks.repeat_interleave(2, 1).repeat_interleave(2, 2)]


def planes(masks: Tensor) -> Tensor:
    """A picture that encodes a mask: a channel for each class, and one that is 1 everywhere."""
    of_classes = [(masks == each).float() for each in CLASSES]
    return torch.stack([*of_classes, torch.ones_like(of_classes[0])], 1)


def test_what_moves_pixels() -> None:
    assert [each.keyword for each in MOVING] == [
        "flip",
        "crop",
        "resizedcrop",
        "rotate",
        "scale",
        "translate",
        "shear",
        "trivialaugment",
        "randaugment",
        "cutmix",
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transform", MOVING, ids=lambda each: each.keyword)
def test_a_mask_stays_with_the_picture_that_encodes_it(transform: Transform, size: tuple[int, int]) -> None:
    masks = scenes(200, size)
    images = torch.rand(200, 3, *size, generator=torch.Generator().manual_seed(2))
    pipeline = Pipeline([transform])
    views = Views(images, {"mask": masks}, {"target": planes(masks)})
    found = pipeline.views(views, pipeline.table(200, 0, 0))
    mask, picture = found.masks["mask"], found.pictures["target"]
    assert mask.dtype == torch.int64
    assert set(mask.unique().tolist()) == set(CLASSES)
    assert (mask != masks).flatten(1).any(1).float().mean() > 0.15  # of a list of 14 some move
    for number, each in enumerate(CLASSES):
        assert (mask[picture[:, number] > 0.999] == each).all()
        if each != NO_CLASS:
            assert (picture[:, number][mask == each] > 0.06).all()
    assert (mask[picture[:, -1] == 0] == NO_CLASS).all()  # beyond the edges
    partly = (mask == NO_CLASS) & (picture[:, CLASSES.index(NO_CLASS)] == 0)
    assert (picture[:, -1][partly] < 1).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("transform", MOVING, ids=lambda each: each.keyword)
def test_a_target_picture_that_is_the_image_moves_as_it_does(
    transform: Transform, size: tuple[int, int]
) -> None:
    """Those that also change values change them in the image only."""
    images = units(photographs(*size))
    pipeline = Pipeline([transform])
    found = pipeline.views(Views(images, {}, {"target": images}), pipeline.table(16, 0, 0))
    same = (found.images == found.pictures["target"]).flatten(1).all(1)
    if transform.keyword.endswith("augment"):
        assert 0 < same.sum() < 16
    else:
        assert same.all()


@pytest.mark.parametrize("transform", CHANGING, ids=lambda each: each.keyword)
def test_what_changes_values_leaves_targets_as_they_are(transform: Transform) -> None:
    images, masks = units(photographs()), scenes(16, (60, 80))
    pipeline = Pipeline([transform])
    views = Views(images, {"mask": masks}, {"target": images})
    found = pipeline.views(views, pipeline.table(16, 0, 0))
    assert not torch.equal(found.images, images)
    assert torch.equal(found.masks["mask"], masks)
    assert torch.equal(found.pictures["target"], images)


def test_pixels_beyond_the_edge_of_a_cropped_mask_have_no_class() -> None:
    views = Views(
        torch.ones(1, 1, 6, 6), {"mask": torch.full((1, 6, 6), 3)}, {"target": torch.ones(1, 2, 6, 6)}
    )
    drawn = torch.tensor([[0.0, 0.999]])  # from the first row and the last column of the padded image
    found = Pipeline([Crop(padding=2, fill=0.4)]).views(views, drawn)
    expected = functional.pad(torch.full((4, 4), 3), (0, 2, 2, 0), value=NO_CLASS)
    assert torch.equal(found.masks["mask"][0], expected)
    assert torch.equal(found.images[0, 0] == 1, expected == 3)
    assert (found.pictures["target"][0, :, expected == NO_CLASS] == 0.4).all()


@pytest.mark.parametrize("size", SIZES)
def test_a_batch_has_targets_as_they_moved_whatever_its_size(size: tuple[int, int]) -> None:
    images = digits(16, size[0]) if size == (8, 8) else photographs(*size)
    masks = scenes(16, size)
    stored = torch.where(masks == NO_CLASS, IGNORED, masks).to(torch.uint8)
    columns = {
        "mask": Column("mask", tuple(map(str, range(255)))),
        "target": Column("picture", (), tuple(images.shape[1:])),
        "input": Column("picture", (), tuple(images.shape[1:])),
    }
    plain = Normalization((0.0,) * images.shape[1], (1.0,) * images.shape[1])
    feed = Feed(Split(images, {"mask": stored, "target": images}), columns, plain, CPU, keep=True)
    pipeline = Pipeline(COLORED)
    alters = Alters(pipeline.alter(16, 3, 0))
    order = torch.randperm(16, generator=torch.Generator().manual_seed(4))
    (whole,) = feed.shuffled(order, [(0, 16)], alters)
    expected = pipeline.views(Views(units(images), {"mask": masks}), pipeline.table(16, 3, 0))
    assert torch.equal(whole.targets["mask"], expected.masks["mask"][order])
    torch.testing.assert_close(whole.targets["target"], expected.images[order], rtol=0, atol=1e-6)
    torch.testing.assert_close(whole.targets["input"], whole.targets["target"], rtol=0, atol=0)
    torch.testing.assert_close(whole.inputs, whole.targets["input"], rtol=0, atol=1e-6)
    parts = [*feed.shuffled(order, [(0, 1), (1, 6), (6, 16)], alters)]
    for name, targets in whole.targets.items():
        found = torch.cat([each.targets[name] for each in parts])
        torch.testing.assert_close(found, targets, rtol=0, atol=1e-6)


@pytest.mark.parametrize("transform", MOVING, ids=lambda each: each.keyword)
def test_targets_may_be_on_another_device_than_the_draws(transform: Transform) -> None:
    """Torch's device without values refuses to compute with a tensor that was left on the CPU."""
    for size in ((8, 8), (120, 80)):
        masks = torch.empty(4, *size, dtype=torch.int64, device="meta")
        images = torch.empty(4, 3, *size, device="meta")
        pipeline = Pipeline([transform])
        views = Views(images, {"mask": masks}, {"target": images})
        found = pipeline.views(views, pipeline.table(4, 0, 0))
        of_partners = found.partner_masks.get("mask", found.masks["mask"])
        for mask in (found.masks["mask"], of_partners):
            assert (mask.device.type, mask.shape, mask.dtype) == ("meta", masks.shape, torch.int64)
        picture = found.pictures["target"]
        assert (picture.device.type, picture.shape, picture.dtype) == ("meta", images.shape, torch.float32)
