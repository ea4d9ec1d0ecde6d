"""Covering, blurring, noise and shrinking: brute force, SciPy, the normal distribution, Pillow as oracles."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Resampling
from scipy import ndimage, stats
from torch import Tensor

from cnncli.recipe.transforms import Blur, Erase, Noise, Shrink, Transform
from cnncli.training.transforms import CHANGES, Pipeline
from cnncli.training.transforms.pixels import scrambled
from tests.training.support import CPU
from tests.training.transforms.support import digits, draws, photographs, units

IMAGES = [pytest.param(digits(), id="digits"), pytest.param(photographs(), id="photographs")]


def applied(transform: Transform, images: Tensor, drawn: Tensor) -> Tensor:
    return CHANGES[type(transform)].apply(transform, images, drawn)


@pytest.mark.parametrize("images", IMAGES)
def test_what_is_covered_pixel_by_pixel(images: Tensor) -> None:
    before, drawn = units(images), draws(len(images), 2)
    found = applied(Erase(size=0.4, fill=0.3), before, drawn)
    height, width = images.shape[2:]
    for image, result, (down, right) in zip(before, found, drawn.tolist(), strict=True):
        rows = [abs((row + 0.5) / height - down) <= 0.2 for row in range(height)]
        columns = [abs((column + 0.5) / width - right) <= 0.2 for column in range(width)]
        covered = torch.tensor(rows)[:, None] & torch.tensor(columns)[None, :]
        assert torch.equal(result[:, ~covered], image[:, ~covered])
        assert (result[:, covered] == 0.3).all()


def test_every_place_is_covered_sometimes() -> None:
    found = applied(Erase(size=0.5), torch.ones(4000, 1, 8, 8), draws(4000, 2))
    share = 1 - found.mean(0)[0]
    # In the middle a rectangle of half the sides covers a pixel for half of the places along each axis.
    assert share[3:5, 3:5] == pytest.approx(0.25, abs=0.04)
    assert share[0, 0] == pytest.approx((0.25 + 1 / 16) ** 2, abs=0.03)


@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.5])
def test_blurs_are_scipys(images: Tensor, sigma: float) -> None:
    drawn = draws(len(images), 1)
    found = applied(Blur(sigma=sigma), units(images), drawn)
    reach = max(1, int(np.ceil(3 * sigma)))
    for image, result, draw in zip(units(images), found, drawn[:, 0].tolist(), strict=True):
        for plane, blurred in zip(image, result, strict=True):
            expected = ndimage.gaussian_filter(
                plane.double().numpy(), sigma * draw, mode="nearest", radius=reach
            )
            torch.testing.assert_close(blurred, torch.from_numpy(expected).float(), rtol=0, atol=1e-5)


def test_the_smallest_blur_is_none() -> None:
    images = units(photographs())
    assert torch.equal(applied(Blur(), images, torch.zeros(16, 1)), images)


@pytest.mark.parametrize("factor", [2, 4])
@pytest.mark.parametrize("images", IMAGES)
def test_what_is_shrunk_is_pillows_bicubic(images: Tensor, factor: int) -> None:
    height, width = images.shape[2] // factor, images.shape[3] // factor
    found = applied(Shrink(factor=factor), units(images), draws(len(images), 0))
    assert found.shape == (len(images), len(images[0]), height, width)
    for image, result in zip(units(images), found, strict=True):
        for plane, shrunk in zip(image, result, strict=True):
            whole = Image.fromarray(plane.numpy(), mode="F")
            expected = np.array(whole.resize((width, height), Resampling.BICUBIC)).clip(0, 1)
            torch.testing.assert_close(shrunk, torch.from_numpy(expected), rtol=0, atol=2e-6)


def test_values_beyond_the_range_are_cut_when_shrinking() -> None:
    edge = torch.ones(1, 1, 8, 8)
    edge[..., :3] = 0
    found = applied(Shrink(), edge, draws(1, 0))
    assert (float(found.min()), float(found.max())) == (0, 1)


def noise_of(std: float, drawn: Tensor, shape: tuple[int, ...]) -> Tensor:
    gray = torch.full((len(drawn), *shape), 0.5)
    return (applied(Noise(std=std), gray, drawn) - 0.5) / std


def test_noise_is_normal_and_independent() -> None:
    found = noise_of(0.05, draws(64, 2), (1, 32, 32))
    assert stats.kstest(found.flatten().numpy(), "norm").pvalue > 1e-3
    limit = 6 / 1024**0.5
    between_images = torch.corrcoef(found.flatten(1)) - torch.eye(64)
    assert between_images.abs().max() < limit
    for axis in (2, 3):
        shifted = found.roll(1, axis)
        assert abs((shifted * found).mean()) < 6 / 65536**0.5
    assert len(found.unique()) > 60_000


def test_draws_that_differ_in_the_last_bit_give_other_noise() -> None:
    drawn = torch.tensor([[0.5, 0.5], [0.5 + 2**-24, 0.5], [0.5, 0.5 + 2**-24], [0.5 + 2**-24, 0.5 + 2**-24]])
    found = noise_of(0.1, drawn, (3, 20, 20)).flatten(1)
    assert (torch.corrcoef(found) - torch.eye(4)).abs().max() < 6 / 1200**0.5
    # Nor is one the other, moved by some places.
    for by in range(1, 40):
        assert abs((found[0].roll(by) * found[1]).mean()) < 6 / 1200**0.5


def test_noise_of_other_inputs() -> None:
    for shape in ((64,), (2, 50), (1, 4, 5, 6)):
        assert noise_of(0.1, draws(50, 2), shape).std() == pytest.approx(1, abs=0.1)


def test_noise_is_clipped() -> None:
    found = applied(Noise(std=1.0), torch.full((9, 1, 8, 8), 0.5), draws(9, 2))
    assert (float(found.min()), float(found.max())) == (0, 1)


def test_the_hash_is_the_published_one() -> None:
    numbers = np.arange(-5000, 5000, 7, dtype=np.int32)
    expected = numbers.astype(np.uint32)
    with np.errstate(over="ignore"):
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B), (16, 1)):
            expected ^= expected >> np.uint32(shift)
            expected *= np.uint32(factor)
    found = scrambled(torch.from_numpy(numbers))
    assert found.device == CPU
    assert (found.numpy().astype(np.uint32) == expected).all()


def test_noise_after_noise_is_other_noise() -> None:
    pipeline = Pipeline([Noise(), Noise()])
    first, second = pipeline.table(20, 0, 0).split(2, dim=1)
    assert not torch.equal(first, second)
