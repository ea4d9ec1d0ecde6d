"""Images with a margin: crops show more of them, and what is left of the margin is cut off."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Resampling
from PIL.Image import Transform as Method
from torch import Tensor
from torch.nn import functional

from cnncli.recipe.recipe import Recipe
from cnncli.recipe.transforms import Brightness, Crop, Flip, ResizedCrop, Rotate, Transform, Translate
from cnncli.training.data.feed import Views
from cnncli.training.transforms import Pipeline, draws_of, held_out_alters
from tests.training.support import settings as recipe
from tests.training.transforms.support import draws, photographs, units

MARGIN = 6


def pictures(size: tuple[int, int]) -> Tensor:
    """Photographs [16, 3, *size], with a margin of 6 pixels on every side."""
    return units(photographs(size[0] + 2 * MARGIN, size[1] + 2 * MARGIN))


@pytest.mark.parametrize("size", [(40, 28), (80, 90)])
@pytest.mark.parametrize("padding", [0, 3])
def test_a_crop_is_a_part_of_the_larger_image(size: tuple[int, int], padding: int) -> None:
    images, drawn = pictures(size), draws(16, 2)
    found = Pipeline([Crop(padding=padding, fill=0.5)], margin=MARGIN)(images, drawn)
    padded = functional.pad(images, (padding,) * 4, value=0.5)
    places = 2 * (padding + MARGIN) + 1
    assert found.shape == (16, 3, *size)
    for image, result, (down, right) in zip(padded, found, (drawn * places).long().tolist(), strict=True):
        assert torch.equal(result, image[:, down : down + size[0], right : right + size[1]])


@pytest.mark.parametrize("size", [(40, 28), (80, 90)])
def test_a_resized_crop_reads_the_larger_image_once(size: tuple[int, int]) -> None:
    """Pillow's affine transform is the oracle: of a rectangle of the image with its margin."""
    images, drawn = pictures(size), draws(16, 4)
    how = ResizedCrop(area=0.3, ratio=1.5)
    found = Pipeline([how], margin=MARGIN)(images, drawn)
    assert found.shape == (16, 3, *size)
    high, wide = images.shape[2:]
    for image, result, (first, second, third, fourth) in zip(images, found, drawn.tolist(), strict=True):
        area, stretch = 0.3 + 0.7 * first, 1.5 ** ((2 * second - 1) / 2)
        width, height = min(1, area**0.5 * stretch) * wide, min(1, area**0.5 / stretch) * high
        left = (wide - width) / 2 + (third - 0.5) * (wide - width)
        top = (high - height) / 2 + (fourth - 0.5) * (high - height)
        matrix = (width / size[1], 0, left, 0, height / size[0], top)
        for channel, seen in zip(image, result, strict=True):
            plane = Image.fromarray(channel.numpy(), mode="F")
            read = plane.transform(size[::-1], Method.AFFINE, matrix, Resampling.BILINEAR)
            expected = torch.from_numpy(np.array(read))
            torch.testing.assert_close(seen[1:-1, 1:-1], expected[1:-1, 1:-1], rtol=0, atol=2e-4)


@pytest.mark.parametrize("transforms", [[], [Flip(p=0.5)], [Rotate(degrees=20)], [Brightness(), Translate()]])
def test_without_a_crop_the_margin_is_cut_off_in_the_end(transforms: list[Transform]) -> None:
    """So what is moved in comes from the margin, not from nothing."""
    images = pictures((40, 28))
    drawn = draws(16, sum(map(draws_of, transforms)))
    found = Pipeline(transforms, margin=MARGIN)(images, drawn)
    whole = Pipeline(transforms)(images, drawn)
    assert torch.equal(found, whole[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN])


@pytest.mark.parametrize(
    "transforms",
    [
        [Crop(padding=0), Rotate()],
        [Rotate(), Crop(padding=2)],
        [Flip(), Rotate(), ResizedCrop(), Translate()],
        [ResizedCrop(), Crop(padding=2)],
        [],
    ],
)
def test_masks_move_with_their_images(transforms: list[Transform]) -> None:
    """A mask of smooth classes, and an image that has the class as its value."""
    rows, columns = torch.meshgrid(torch.arange(52), torch.arange(40), indexing="ij")
    mask = ((rows // 13) + 4 * (columns // 10)).expand(8, -1, -1)
    image = mask.unsqueeze(1).float() / 16
    drawn = draws(8, sum(map(draws_of, transforms)), seed=3)
    found = Pipeline(transforms, margin=MARGIN).views(Views(image, {"mask": mask}), drawn)
    assert found.images.shape == (8, 1, 40, 28)
    assert found.masks["mask"].shape == (8, 40, 28)
    known = found.masks["mask"] >= 0
    same = (found.images[:, 0] * 16 - found.masks["mask"]).abs() < 0.01
    assert (same & known).float().mean() > 0.6


def evaluated(chosen: Recipe, views: Views) -> Views:
    alters = held_out_alters(chosen, len(views.images))
    assert alters is not None
    return alters.views(views, torch.arange(len(views.images)))


def test_evaluation_has_the_middle_or_the_whole() -> None:
    images = pictures((40, 28))
    mask = (images[:, 0] * 10).long()
    views = Views(images, {"mask": mask})
    middle = evaluated(recipe(data={"margin": MARGIN}), views)
    assert torch.equal(middle.images, images[:, :, MARGIN:-MARGIN, MARGIN:-MARGIN])
    assert torch.equal(middle.masks["mask"], mask[:, MARGIN:-MARGIN, MARGIN:-MARGIN])
    whole = evaluated(recipe(data={"margin": MARGIN}, evaluation="resize"), views)
    expected = functional.interpolate(images, (40, 28), mode="bilinear", antialias=True)
    assert torch.equal(whole.images, expected)
    rows, columns = ((torch.arange(n) + 0.5) * (n + 2 * MARGIN) / n for n in (40, 28))
    assert torch.equal(whole.masks["mask"], mask[:, rows.long()][:, :, columns.long()])
