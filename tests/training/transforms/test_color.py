"""Brightness and color: Pillow and the standard library are the oracles, on real images."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import pytest
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from cnncli.recipe.transforms import Brightness, Contrast, Grey, Hue, Saturation, Transform
from cnncli.training.transforms import CHANGES
from tests.training.transforms.support import digits, draws, photographs, picture, tensor, units

ROUNDING = 1.6 / 255
"""Pillow rounds results to bytes, and grays before that."""


def applied(transform: Transform, images: Tensor, drawn: Tensor) -> Tensor:
    return CHANGES[type(transform)].apply(transform, images, drawn)


@pytest.mark.parametrize(
    ("transform", "enhance", "images"),
    [
        (Brightness(by=0.7), ImageEnhance.Brightness, digits()),
        (Brightness(by=0.7), ImageEnhance.Brightness, photographs()),
        (Contrast(by=0.7), ImageEnhance.Contrast, digits()),
        (Contrast(by=0.7), ImageEnhance.Contrast, photographs()),
        (Saturation(by=0.7), ImageEnhance.Color, photographs()),
    ],
    ids=lambda value: value.keyword if isinstance(value, Transform) else "",
)
def test_what_pillow_computes(
    transform: Transform, enhance: Callable[[Image.Image], ImageEnhance._Enhance], images: Tensor
) -> None:
    drawn = draws(len(images), 1)
    found = applied(transform, units(images), drawn)
    for image, result, draw in zip(images, found, drawn[:, 0].tolist(), strict=True):
        expected = tensor(enhance(picture(image)).enhance(0.3 + 1.4 * draw))
        assert (result - expected).abs().max() < ROUNDING


@pytest.mark.parametrize("shape", [(64,), (2, 50), (2, 5, 6, 7), (4, 6, 6)])
@pytest.mark.parametrize("transform", [Brightness(by=0.5), Contrast(by=0.5)])
def test_inputs_that_are_not_pictures(transform: Transform, shape: tuple[int, ...]) -> None:
    images, drawn = draws(9, 1).new_empty(9, *shape).uniform_(0.3, 0.6), draws(9, 1)
    found = applied(transform, images, drawn)
    for image, result, draw in zip(images, found, drawn[:, 0], strict=True):
        base = image.mean() if isinstance(transform, Contrast) else 0
        torch.testing.assert_close(result, (base + (0.5 + draw) * (image - base)).clamp(0, 1))


def test_hues_are_turned_as_in_the_hsv_model() -> None:
    images = torch.cat(
        [units(photographs()[:, :, ::12, ::16]), torch.eye(3).reshape(3, 3, 1, 1).expand(3, 3, 5, 5)]
    )
    drawn = draws(len(images), 1)
    found = applied(Hue(turn=0.5), images, drawn)
    for image, result, draw in zip(images, found, drawn[:, 0].tolist(), strict=True):
        for before, after in zip(image.flatten(1).T.tolist(), result.flatten(1).T.tolist(), strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*before)
            expected = colorsys.hsv_to_rgb((hue + draw - 0.5) % 1, saturation, value)
            assert after == pytest.approx(expected, abs=1e-5)


def test_gray_has_no_hue() -> None:
    images = torch.rand(6, 1, 4, 4).expand(6, 3, 4, 4)
    assert torch.equal(applied(Hue(turn=0.5), images, draws(6, 1)), images)


def test_grays_are_pillows() -> None:
    images, drawn = photographs(), draws(16, 1)
    found = applied(Grey(p=0.4), units(images), drawn)
    chosen = (drawn[:, 0] < 0.4).tolist()
    assert 0 < sum(chosen) < 16
    for image, result, turned in zip(images, found, chosen, strict=True):
        expected = tensor(picture(image).convert("L")).expand(3, -1, -1) if turned else units(image)
        assert (result - expected).abs().max() < (ROUNDING if turned else 1e-7)


@pytest.mark.parametrize("transform", [Brightness(by=0.4), Contrast(by=0.4), Saturation(by=0.4)])
def test_factors_are_uniform_around_1(transform: Transform) -> None:
    image = torch.tensor([0.4, 0.5, 0.6]).reshape(1, 3, 1, 1)
    found = applied(transform, image.expand(3000, 3, 1, 1), draws(3000, 1))
    base = 0 if isinstance(transform, Brightness) else 0.299 * 0.4 + 0.587 * 0.5 + 0.114 * 0.6
    factors = (found[:, 2, 0, 0] - base) / (0.6 - base)
    assert 0.6 - 1e-4 < factors.min() < 0.61
    assert 1.39 < factors.max() < 1.4 + 1e-4
    assert abs(factors.mean() - 1) < 6 * 0.8 / 12**0.5 / 3000**0.5
    assert len(factors.unique()) > 2500
