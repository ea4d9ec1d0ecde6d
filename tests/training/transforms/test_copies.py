"""Flips and crops are exact copies; Pillow is the oracle, on real images."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import ImageOps
from torch import Tensor

from cnncli.recipe.transforms import Crop, Flip
from cnncli.training.transforms.copies import (
    crop,
    cut_one_by_one,
    cut_out,
    flip,
    mirrored,
    mirrored_one_by_one,
)
from tests.training.transforms.support import digits, draws, photographs, picture, tensor, units

IMAGES = [pytest.param(digits(), id="digits"), pytest.param(photographs(), id="photographs")]


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
@pytest.mark.parametrize("images", IMAGES)
def test_flips_are_pillows(images: Tensor, direction: str) -> None:
    turn = ImageOps.mirror if direction == "horizontal" else ImageOps.flip
    drawn = draws(len(images), 1)
    found = flip(Flip(direction=direction, p=0.3), units(images), drawn)
    flips = 0
    for image, result, draw in zip(images, found, drawn[:, 0], strict=True):
        flips += int(draw < 0.3)
        assert torch.equal(result, tensor(turn(picture(image)) if draw < 0.3 else picture(image)))
    assert 0 < flips < len(images)


@pytest.mark.parametrize("fill", [0.0, 1.0])
@pytest.mark.parametrize("images", IMAGES)
def test_crops_are_pillows(images: Tensor, fill: float) -> None:
    drawn = draws(len(images), 2)
    found = crop(Crop(padding=3, fill=fill), units(images), drawn)
    height, width = images.shape[2:]
    for image, result, (down, right) in zip(images, found, drawn, strict=True):
        padded = ImageOps.expand(picture(image), 3, (round(255 * fill),) * len(image))
        top, left = int(7 * down), int(7 * right)
        assert torch.equal(result, tensor(padded.crop((left, top, left + width, top + height))))


def test_all_places_are_equally_likely() -> None:
    image = torch.zeros(1, 1, 9, 9)
    image[0, 0, 4, 4] = 1
    found = crop(Crop(padding=4), image.expand(8100, -1, -1, -1), draws(8100, 2)).sum((0, 1))
    # 100 at each of 81 places; six standard deviations.
    assert found.sum() == 8100
    assert (found - 100).abs().max() < 60


def test_every_image_has_its_own_place_and_half_are_flipped() -> None:
    images = units(digits()[:1]).expand(2000, -1, -1, -1)
    flips = (flip(Flip(), images, draws(2000, 1)) != images).flatten(1).any(1)
    assert abs(flips.float().mean() - 0.5) < 6 * 0.5 / 2000**0.5
    crops = crop(Crop(padding=2), images, draws(2000, 2))
    assert len(crops.unique(dim=0)) == 25


@given(
    shape=st.tuples(*(st.integers(1, most) for most in (5, 4, 9, 9))),
    padding=st.integers(1, 8),
    fill=st.sampled_from([0.0, 0.25]),
    seed=st.integers(0, 99),
)
def test_both_ways_are_the_same(
    shape: tuple[int, int, int, int], padding: int, fill: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    padding = min(padding, *shape[2:])
    images = torch.rand(shape, generator=generator)
    corners = torch.randint(0, 2 * padding + 1, (len(images), 2), generator=generator)
    assert torch.equal(
        cut_out(images, corners, padding, fill), cut_one_by_one(images, corners, padding, fill)
    )
    chosen = torch.rand(len(images), generator=generator) < 0.5
    for axis in (-1, -2):
        assert torch.equal(mirrored(images, chosen, axis), mirrored_one_by_one(images, chosen, axis))


def test_the_largest_draw_is_within_the_padding() -> None:
    drawn = torch.tensor([[1.0, 1.0]]).nextafter(torch.tensor(0.0))
    image = units(digits()[:1])
    assert torch.equal(crop(Crop(padding=2), image, drawn)[0, 0, :6, :6], image[0, 0, 2:, 2:])
