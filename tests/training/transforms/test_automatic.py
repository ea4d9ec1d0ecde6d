"""Operations that are chosen for each image: Pillow is the oracle of each, on real images."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from PIL import Image, ImageEnhance, ImageOps
from PIL.Image import Resampling
from PIL.Image import Transform as Method
from torch import Tensor

from cnncli.recipe.transforms import RandAugment, TrivialAugment
from cnncli.training.transforms.automatic import OPERATIONS, Largest, operated, randaugment, trivialaugment
from tests.training.transforms.support import digits, draws, photographs, picture, tensor, units

LARGEST = Largest(degrees=40, slope=0.4, share=0.3, factor=0.8, bits=6)


def affine(image: Image.Image, a: float, b: float, c: float, d: float, e: float, f: float) -> Image.Image:
    x, y = image.width / 2, image.height / 2
    data = (a, b, c + x - a * x - b * y, d, e, f + y - d * x - e * y)
    return image.transform(image.size, Method.AFFINE, data, Resampling.BILINEAR)


ORACLES: dict[str, Callable[[Image.Image, float], Image.Image]] = {
    "identity": lambda image, _: image,
    "autocontrast": lambda image, _: ImageOps.autocontrast(image),
    "equalize": lambda image, _: ImageOps.equalize(image),
    "rotate": lambda image, by: image.rotate(40 * by, Resampling.BILINEAR),
    "solarize": lambda image, by: ImageOps.solarize(image, math.ceil(255 * (1 - abs(by)))),
    "saturation": lambda image, by: ImageEnhance.Color(image).enhance(1 + 0.8 * by),
    "posterize": lambda image, by: ImageOps.posterize(image, 8 - round(6 * abs(by))),
    "contrast": lambda image, by: ImageEnhance.Contrast(image).enhance(1 + 0.8 * by),
    "brightness": lambda image, by: ImageEnhance.Brightness(image).enhance(1 + 0.8 * by),
    "sharpness": lambda image, by: ImageEnhance.Sharpness(image).enhance(1 + 0.8 * by),
    "shear_x": lambda image, by: affine(image, 1, 0.4 * by, 0, 0, 1, 0),
    "shear_y": lambda image, by: affine(image, 1, 0, 0, 0.4 * by, 1, 0),
    "translate_x": lambda image, by: affine(image, 1, 0, -0.3 * by * image.width, 0, 1, 0),
    "translate_y": lambda image, by: affine(image, 1, 0, 0, 0, 1, -0.3 * by * image.height),
}


@pytest.mark.parametrize("images", [digits(), photographs()], ids=["digits", "photographs"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_is_pillows(name: str, images: Tensor) -> None:
    strengths = 2 * draws(len(images), 1)[:, 0] - 1
    found = OPERATIONS[name](units(images), strengths, LARGEST, 0.0)
    for image, result, strength in zip(images, found, strengths.tolist(), strict=True):
        expected = tensor(ORACLES[name](picture(image), strength))
        # Pillow rounds to bytes; a place on an edge of the image is inside or outside by rounding.
        assert ((result - expected).abs() > 1.6 / 255).float().mean() < 0.003


def test_of_one_value_nothing_is_divided_by_nothing() -> None:
    images = torch.tensor([0.0, 0.4, 1.0]).reshape(3, 1, 1, 1).expand(3, 3, 9, 9)
    for name in ("autocontrast", "equalize", "sharpness"):
        found = OPERATIONS[name](images, torch.ones(3), LARGEST, 0.0)
        torch.testing.assert_close(found, images)


def test_a_draw_chooses_the_operation() -> None:
    images, strengths = units(photographs())[:14], torch.full((14,), 0.7)
    found = operated(images, (torch.arange(14) + 0.5) / 14, strengths, LARGEST, 0.2)
    for number, operation in enumerate(OPERATIONS.values()):
        alone = slice(number, number + 1)
        assert torch.equal(found[alone], operation(images[alone], strengths[alone], LARGEST, 0.2))


def outcomes(found: Tensor, image: Tensor, strengths: tuple[float, ...], largest: Largest) -> list[int]:
    """How often each operation was applied, by its result for one of the strengths."""
    counts = []
    for operation in OPERATIONS.values():
        possible = torch.cat([operation(image, torch.tensor([each]), largest, 0.0) for each in strengths])
        same = [torch.isclose(found, each, atol=1e-5).flatten(1).all(1) for each in possible]
        counts.append(int(torch.stack(same).any(0).sum()))
    return counts


def test_every_operation_and_both_directions_are_equally_likely() -> None:
    image = units(photographs(20, 20))[3:4]
    ordinary = Largest(30, 0.3, 10 / 32, 0.9, 4)
    how = RandAugment(strength=0.8, operations=1)
    found = randaugment(how, image.expand(2800, -1, -1, -1), draws(2800, 8))
    counts = outcomes(found, image, (-0.8, 0.8), ordinary)
    assert sum(counts) == 2800
    assert all(abs(count - 200) < 6 * (2800 / 14 * 13 / 14) ** 0.5 for count in counts)
    turned = outcomes(found, image, (0.8,), ordinary)[[*OPERATIONS].index("rotate")]
    assert 50 < turned < 150


def test_operations_follow_one_another() -> None:
    images, drawn = units(photographs()), draws(16, 8)
    one = RandAugment(operations=1, strength=0.5)
    twice = randaugment(one, randaugment(one, images, drawn), drawn[:, 2:])
    assert torch.equal(randaugment(RandAugment(strength=0.5), images, drawn), twice)


def test_a_strength_of_its_own_up_to_the_widest() -> None:
    images = units(photographs())[:1].expand(500, -1, -1, -1)
    drawn = draws(500, 3)
    drawn[:, 0] = ([*OPERATIONS].index("brightness") + 0.5) / 14
    found = trivialaugment(TrivialAugment(), images, drawn)
    inner = images[0] < 0.45  # what is not clipped
    factors = found[:, inner].mean(1) / images[0][inner].mean()
    assert factors.min() < 0.05
    assert factors.max() > 1.9
    assert len(factors.unique()) > 400
