"""``scenes``: handwritten digits at several places of one image, with masks, made from the bundled digits.

A scene has one to three digits of :mod:`~cnncli.training.data.sources.digits`, enlarged to 0.3 up to 0.5
of the shorter side, on a plain or a rough background. Scenes are made at the size of the input; a size
always has the same ones. Held-out scenes contain held-out digits only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, TypeAlias

import numpy as np
import torch

from cnncli.diagnostics import usage_error
from cnncli.layers import shape_text
from cnncli.recipe.columns import CLASS, FORMS, MASK, NUMBER, TAGS, Column
from cnncli.training.data.batches import derived_seed
from cnncli.training.data.catalog import HELD_OUT, Catalog, Item
from cnncli.training.data.dataset import Dataset, Split
from cnncli.training.data.room import ensure_memory
from cnncli.training.data.sources import digits
from cnncli.training.data.sources.stored import Stored, of_arrays

_TRAIN: Final = 2000
_TEST: Final = 400
_SHOWN: Final = (1, 64, 64)
_SMALLEST: Final = 16
"""The least height and width."""
_PIXELS: Final = 8
"""Height and width of the bundled digits."""
_DIGITS_AT_MOST: Final = 3
_SMALLEST_SHARE: Final = 0.3
_LARGEST_SHARE: Final = 0.5
"""A digit's share of the shorter side."""
_INK: Final = 0.35
"""The least ink of a pixel that belongs to a digit, of 1."""
_TRIES: Final = 20
"""Places that are tried for a digit."""
_DRAWS: Final = 16 + _DIGITS_AT_MOST * (2 * _TRIES + 8)

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float32]]"
Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

_NAMES: Final = tuple(str(digit) for digit in range(10))
BACKGROUND: Final = "background"
COLUMNS: Final = {
    FORMS[MASK].usual: Column(MASK, (BACKGROUND, *_NAMES)),
    FORMS[TAGS].usual: Column(TAGS, _NAMES),
    FORMS[NUMBER].usual: Column(NUMBER, ("digits",)),
    BACKGROUND: Column(CLASS, ("plain", "rough")),
}
"""The class of each pixel, the digits in the scene, their number, and the kind of the background."""


def load(input_shape: tuple[int, ...]) -> Dataset:
    """Return 2,000 scenes to train on and 400 that are held out.

    Raises:
        UsageError: the input is not a picture of 1 or 3 channels and at least 16x16 pixels, or the scenes do
            not fit into memory.
    """
    channels, *size = input_shape
    if channels not in (1, 3) or len(size) != 2 or min(size) < _SMALLEST:
        raise usage_error(
            f"scenes cannot have the shape {shape_text(input_shape)}",
            expected=f"1 or 3 channels, height and width of at least {_SMALLEST}",
            received=shape_text(input_shape),
        )
    count = _TRAIN + _TEST
    needed = count * (channels + 1) * math.prod(size)
    ensure_memory(needed, f"{count} scenes of {shape_text(input_shape)}")
    own = digits.load((1, 8, 8), "crop")
    train, test = (
        _part(part, scenes, input_shape, name)
        for part, scenes, name in ((own.train, _TRAIN, "train"), (own.test, _TEST, "test"))
    )
    note = f"{count:,} scenes of the bundled digits, the same for every training at this size"
    return Dataset("scenes", COLUMNS, train, test, (note,))


def catalog() -> Catalog:
    """Return scenes of 64x64 pixels, to look at them."""
    found = load(_SHOWN)
    parts = [
        Stored(*names, split.images, None)
        for names, split in ((("train", "train"), found.train), ((HELD_OUT, "held-out"), found.test))
    ]
    items = (
        Item(part.part, f"{part.array}[{index}]", ()) for part in parts for index in range(len(part.images))
    )
    return Catalog("scenes", (), tuple(items), of_arrays([part.images for part in parts]), found.notes)


def _part(source: Split, count: int, shape: tuple[int, ...], name: str) -> Split:
    """Return scenes of the digits in a part of the data."""
    images = np.empty((count, *shape), np.uint8)
    masks = np.zeros((count, *shape[1:]), np.uint8)
    tags = np.zeros((count, len(_NAMES)), np.uint8)
    counts = np.zeros((count, 1), np.float32)
    rough = np.empty(count, np.int64)
    ink, labels = (source.images[:, 0].float() / 255).numpy(), source.labels.numpy()
    seed = derived_seed(0, "scenes", name, *shape[1:])
    for number in range(count):
        draws = _Draws(torch.Generator().manual_seed(derived_seed(seed, number)))
        rough[number] = draws.below(2)
        image = _background(shape, draws, is_rough=bool(rough[number]))
        for digit in _placed(image, masks[number], ink, labels, draws):
            tags[number, digit] = 1
            counts[number] += 1
        images[number] = np.rint(image * 255)
    found = (masks, tags, counts, rough)
    targets = dict(zip(COLUMNS, map(torch.from_numpy, found), strict=True))
    return Split(torch.from_numpy(images), targets)


class _Draws:
    """Uniform random numbers of a scene."""

    def __init__(self, generator: torch.Generator) -> None:
        self._generator = generator
        self._numbers = iter(torch.rand(_DRAWS, generator=generator).tolist())

    def between(self, low: float, high: float) -> float:
        """Return a number between two others."""
        number: float = next(self._numbers)
        return low + (high - low) * number

    def below(self, count: int) -> int:
        """Return a whole number from 0 to ``count`` - 1."""
        return min(int(next(self._numbers) * count), count - 1)

    def each(self, shape: tuple[int, ...]) -> Floats:
        """Return float32 numbers from 0 to 1."""
        found: Floats = torch.rand(shape, generator=self._generator).numpy()
        return found


def _background(shape: tuple[int, ...], draws: _Draws, *, is_rough: bool) -> Floats:
    """Return a dark background: a slope from one side to another, with noise if it is rough."""
    height, width = shape[1:]
    down, across = np.linspace(-1, 1, height)[:, np.newaxis], np.linspace(-1, 1, width)
    image = np.empty(shape, np.float32)
    for channel in image:
        level = draws.between(0.1, 0.25)
        channel[...] = level + draws.between(-0.1, 0.1) * down + draws.between(-0.1, 0.1) * across
    if is_rough:
        image += 0.25 * draws.each(shape)
    return image.clip(0, 1).astype(np.float32)


def _placed(image: Floats, mask: Array, ink: Floats, labels: Array, draws: _Draws) -> Iterator[int]:
    """Put digits into an image and its mask, side by side, and yield each; one without room is left out."""
    taken = np.zeros(mask.shape, np.bool_)
    smallest, largest = (round(min(mask.shape) * share) for share in (_SMALLEST_SHARE, _LARGEST_SHARE))
    for _ in range(1 + draws.below(_DIGITS_AT_MOST)):
        which, side = draws.below(len(labels)), round(draws.between(smallest, largest))
        color = np.array([[[draws.between(0.6, 1)]] for _ in image], np.float32)
        place = _room(taken, side, draws)
        if place is None:
            continue
        enlarged = _enlargement(side) @ ink[which] @ _enlargement(side).T
        image[:, *place] += enlarged * (color - image[:, *place])
        mask[place] = np.where(enlarged >= _INK, labels[which] + 1, 0)
        taken[place] = True
        yield int(labels[which])


def _room(taken: Array, side: int, draws: _Draws) -> tuple[slice, slice] | None:
    """Return a free square; None if none was found."""
    for _ in range(_TRIES):
        top, left = (draws.below(size - side + 1) for size in taken.shape)
        place = slice(top, top + side), slice(left, left + side)
        if not taken[place].any():
            return place
    return None


@cache
def _enlargement(side: int) -> Floats:
    """Return the matrix [side, 8] that interpolates between 8 values, each in the middle of its cell."""
    places = ((np.arange(side) + 0.5) * _PIXELS / side - 0.5).clip(0, _PIXELS - 1)
    near = 1 - abs(places[:, np.newaxis] - np.arange(_PIXELS))
    return near.clip(min=0).astype(np.float32)
