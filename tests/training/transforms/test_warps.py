"""Affine transforms: Pillow is the oracle for what is read, blobs of light for where things go."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Resampling
from PIL.Image import Transform as Method
from torch import Tensor

from cnncli.recipe.transforms import Crop, Flip, ResizedCrop, Rotate, Scale, Shear, Transform, Translate
from cnncli.training.data.feed import Views
from cnncli.training.data.targets import NO_CLASS
from cnncli.training.transforms import Pipeline, draws_of
from tests.training.transforms.support import digits, draws, photographs, units

IMAGES = [pytest.param(digits(), id="digits"), pytest.param(photographs(), id="photographs")]
Oracle = Callable[[Image.Image, Sequence[float], float, Resampling], Image.Image]


def applied(transforms: Sequence[Transform], images: Tensor, drawn: Tensor) -> Tensor:
    return Pipeline(transforms)(images, drawn)


def plane(values: Tensor) -> Image.Image:
    """One channel as an image of 32-bit numbers, which Pillow does not round."""
    return Image.fromarray(values.numpy(), mode="F")


def affine(image: Image.Image, matrix: Sequence[float], fill: float, read: Resampling) -> Image.Image:
    """Apply a map between places relative to the center; Pillow's are relative to the corner."""
    a, b, c, d, e, f = matrix
    x, y = image.width / 2, image.height / 2
    data = (a, b, c + x - a * x - b * y, d, e, f + y - d * x - e * y)
    return image.transform(image.size, Method.AFFINE, data, read, fillcolor=fill)


def rotated(image: Image.Image, draw: Sequence[float], fill: float, read: Resampling) -> Image.Image:
    return image.rotate(60 * draw[0] - 30, read, fillcolor=fill)


def scaled(image: Image.Image, draw: Sequence[float], fill: float, read: Resampling) -> Image.Image:
    factor = 1.5 ** (2 * draw[0] - 1)
    return affine(image, (1 / factor, 0, 0, 0, 1 / factor, 0), fill, read)


def translated(image: Image.Image, draw: Sequence[float], fill: float, read: Resampling) -> Image.Image:
    right, down = ((0.4 * each - 0.2) * side for each, side in zip(draw, image.size, strict=True))
    return affine(image, (1, 0, -right, 0, 1, -down), fill, read)


def sheared(image: Image.Image, draw: Sequence[float], fill: float, read: Resampling) -> Image.Image:
    slope = math.tan(math.radians(40 * draw[0] - 20))
    along_rows = draw[1] < 0.5
    return affine(image, (1, slope * along_rows, 0, slope * (not along_rows), 1, 0), fill, read)


def cut(image: Image.Image, draw: Sequence[float], fill: float, read: Resampling) -> Image.Image:
    del fill
    area, stretch = 0.25 + 0.75 * draw[0], 2 ** (2 * draw[1] - 1)
    width = min(1.0, math.sqrt(area * stretch)) * image.width
    height = min(1.0, math.sqrt(area / stretch)) * image.height
    left, top = (image.width - width) * draw[2], (image.height - height) * draw[3]
    box = (left, top, left + width, top + height)
    return image.transform(image.size, Method.EXTENT, box, read)


ORACLES = [
    pytest.param(Rotate(degrees=30, fill=0.5), rotated, id="rotate"),
    pytest.param(Scale(factor=1.5, fill=0.5), scaled, id="scale"),
    pytest.param(Translate(share=0.2, fill=0.5), translated, id="translate"),
    pytest.param(Shear(degrees=20, fill=0.5), sheared, id="shear"),
    pytest.param(ResizedCrop(area=0.25, ratio=2), cut, id="resizedcrop"),
]


@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize(("transform", "oracle"), ORACLES)
def test_what_is_read_is_pillows(transform: Transform, oracle: Oracle, images: Tensor) -> None:
    drawn = draws(len(images), draws_of(transform))
    found = applied([transform], units(images), drawn)
    for image, result, draw in zip(units(images), found, drawn.tolist(), strict=True):
        planes = [oracle(plane(one), draw, 0.5, Resampling.BILINEAR) for one in image]
        expected = torch.stack([torch.from_numpy(np.array(one)) for one in planes])
        wrong = ((result - expected).abs() > 1e-3).float().mean()
        assert wrong < 0.002  # a place on the edge is inside or outside by rounding


@pytest.mark.parametrize("size", [(8, 8), (60, 80)])
@pytest.mark.parametrize(("transform", "oracle"), ORACLES)
def test_of_masks_the_nearest_pixel_is_read_as_pillow_does(
    transform: Transform, oracle: Oracle, size: tuple[int, int]
) -> None:
    masks = torch.randint(NO_CLASS, 255, (16, *size), generator=torch.Generator().manual_seed(1))
    drawn = draws(16, draws_of(transform))
    found = Pipeline([transform]).views(Views(torch.zeros(16, 1, *size), {"mask": masks}), drawn)
    for mask, result, draw in zip(masks, found.masks["mask"], drawn.tolist(), strict=True):
        expected = np.array(oracle(plane(mask.float()), draw, NO_CLASS, Resampling.NEAREST))
        assert (result != torch.from_numpy(expected)).float().mean() < 0.02  # halfway is up or down


def blobs(place: tuple[float, float], count: int, side: int = 41) -> Tensor:
    """Light around a place (x, y) relative to the center, [count, 1, side, side]."""
    axis = torch.arange(side) - (side - 1) / 2
    x, y = axis[None, :] - place[0], axis[:, None] - place[1]
    return torch.exp(-(x**2 + y**2) / 8).expand(count, 1, side, side).clone()


def places(images: Tensor) -> Tensor:
    """The centers of light (x, y) relative to the center, [n, 2]."""
    axis = torch.arange(images.shape[2]) - (images.shape[2] - 1) / 2
    light = images[:, 0]
    total = light.sum((1, 2))
    return torch.stack([(light.sum(1) * axis).sum(1) / total, (light.sum(2) * axis).sum(1) / total], 1)


def test_angles_are_uniform_in_both_directions_and_each_image_has_its_own() -> None:
    found = places(applied([Rotate(degrees=40)], blobs((10, 0), 1000), draws(1000, 1)))
    angles = torch.atan2(-found[:, 1], found[:, 0]).rad2deg()
    assert -40.5 < angles.min() < -39
    assert 39 < angles.max() < 40.5
    assert abs(angles.mean()) < 6 * 80 / 12**0.5 / 1000**0.5
    assert abs(angles.std() - 80 / 12**0.5) < 2
    assert found.norm(dim=1) == pytest.approx(10, abs=0.1)
    assert len(angles.unique()) > 990


def test_factors_are_as_often_above_1_as_below() -> None:
    found = places(applied([Scale(factor=1.5)], blobs((6, 6), 1000), draws(1000, 1)))
    factors = found.mean(1) / 6
    assert 0.65 < factors.min() < 0.69
    assert 1.45 < factors.max() < 1.55
    assert abs(factors.log().mean()) < 0.05


def test_distances_are_shares_of_each_axis() -> None:
    found = places(applied([Translate(share=0.2)], blobs((0, 0), 1000), draws(1000, 2)))
    assert found.abs().amax(0) == pytest.approx(0.2 * 41, abs=0.2)
    assert found.mean(0) == pytest.approx(0, abs=1)
    assert abs(torch.corrcoef(found.T)[0, 1]) < 0.2


def test_areas_are_within_their_range() -> None:
    ramp = torch.linspace(0, 1, 101).expand(1000, 1, 101, 101)
    found = applied([ResizedCrop(area=0.25, ratio=1)], ramp, draws(1000, 4))
    sides = (found[:, 0, 0, -1] - found[:, 0, 0, 0]) / (ramp[0, 0, 0, -1] - ramp[0, 0, 0, 0])
    assert 0.49 < sides.min() < 0.52
    assert 0.98 < sides.max() <= 1
    assert abs((sides**2).mean() - 0.625) < 0.05


HALF = 0.5


@pytest.mark.parametrize(
    ("transforms", "drawn", "expected"),
    [
        # Where light at (8, 0) goes: 6.15 to the right and then a quarter turn, or the other way round.
        ([Translate(share=0.15), Rotate(degrees=90)], [1.0, HALF, 1.0], (0, -14.15)),
        ([Rotate(degrees=90), Translate(share=0.15)], [1.0, 1.0, HALF], (6.15, -8)),
        ([Scale(factor=2), Translate(share=0.25)], [0.0, 0.0, HALF], (4 - 10.25, 0)),
        ([Translate(share=0.25), Scale(factor=2)], [0.0, HALF, 0.0], ((8 - 10.25) / 2, 0)),
        ([Rotate(degrees=90), Shear(degrees=45)], [1.0, 0.0, 0.0], (-8, -8)),
    ],
)
def test_transforms_act_in_the_order_in_which_they_are_written(
    transforms: list[Transform], drawn: list[float], expected: tuple[float, float]
) -> None:
    found = places(applied(transforms, blobs((8, 0), 1), torch.tensor([drawn])))
    assert found[0].tolist() == pytest.approx(expected, abs=0.35)


def test_neighbors_read_the_image_once() -> None:
    """There and back again changes nothing, not even at the corners, which a single turn would cut off."""
    images, drawn = units(photographs()), draws(16, 1)
    both = torch.cat([drawn, 1 - drawn], 1)
    there_and_back = [Rotate(degrees=45), Rotate(degrees=45)]
    torch.testing.assert_close(applied(there_and_back, images, both), images, rtol=0, atol=1e-4)
    # A flip, or another fill, between two of them separates them.
    for parted, more in (
        ([Rotate(degrees=45), Flip(), Rotate(degrees=45)], [drawn, drawn, 1 - drawn]),
        ([Rotate(degrees=45), Rotate(degrees=45, fill=1.0)], [drawn, 1 - drawn]),
    ):
        assert (applied(parted, images, torch.cat(more, 1)) - images).abs().max() > 0.1


def test_what_is_written_beside_a_warp_is_copied_exactly() -> None:
    images, drawn = units(photographs()), draws(16, 4)
    found = applied([Crop(), Rotate(), Flip()], images, drawn)
    cropped = applied([Crop()], images, drawn[:, :2])
    turned = applied([Rotate()], cropped, drawn[:, 2:3])
    assert torch.equal(found, applied([Flip()], turned, drawn[:, 3:]))


def test_an_image_of_one_value_stays_so_where_nothing_comes_from_outside() -> None:
    images = torch.full((20, 3, 16, 24), 0.7)
    turned = applied([Rotate(fill=0.7), Scale(fill=0.7)], images, draws(20, 2))
    torch.testing.assert_close(turned, images)
    torch.testing.assert_close(applied([ResizedCrop()], images, draws(20, 4)), images)
