"""Transforms that read between pixels: affine maps from places in the result to places in the image.

Places are (x, y) in pixels from the center of the image, x to the right and y down. Neighboring transforms
are one map, so an image is read once, bilinearly. Beyond its edges lies ``fill``; within half a pixel of an
edge the outermost pixel counts (both as Pillow does).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from cnncli.recipe import transforms as kinds
from cnncli.recipe.transforms import Transform
from cnncli.training.data.targets import NO_CLASS
from cnncli.training.transforms.registry import within

F = TypeVar("F", bound=Callable[..., Tensor])


class Map(NamedTuple):
    """What a transform does: ``matrix(transform, draws, (height, width))`` is float64 [n, 2, 3]."""

    draws: int
    matrix: Callable[[Any, Tensor, tuple[int, int]], Tensor]


MAPS: Final[dict[type[Transform], Map]] = {}


def maps(kind: type[Transform], *, draws: int) -> Callable[[F], F]:
    """Register where transforms of this kind read, with this number of draws for each image."""

    def register(matrix: F) -> F:
        assert kind not in MAPS, kind
        MAPS[kind] = Map(draws, matrix)
        return matrix

    return register


def affine(*values: Tensor | float) -> Tensor:
    """Return matrices [n, 2, 3] from their six entries, row by row."""
    return torch.stack(torch.broadcast_tensors(*map(torch.as_tensor, values)), 1).reshape(-1, 2, 3)


@maps(kinds.ResizedCrop, draws=4)
def resizedcrop(how: kinds.ResizedCrop, draws: Tensor, size: tuple[int, int]) -> Tensor:
    """Read a rectangle of the drawn area and shape, made smaller where it would be larger than the image."""
    area = within(draws[:, 0], how.area, 1)
    stretch = torch.exp(within(draws[:, 1], -1, 1) * math.log(how.ratio) / 2)
    width, height = ((area.sqrt() * each).clamp(max=1) for each in (stretch, 1 / stretch))
    right = (draws[:, 2] - 0.5) * (1 - width) * size[1]
    down = (draws[:, 3] - 0.5) * (1 - height) * size[0]
    return affine(width, 0.0, right, 0.0, height, down)


@maps(kinds.Rotate, draws=1)
def rotate(how: kinds.Rotate, draws: Tensor, size: tuple[int, int]) -> Tensor:
    """Turn counterclockwise by an angle, or clockwise by a negative one."""
    del size
    return rotation(within(draws[:, 0], -how.degrees, how.degrees))


@maps(kinds.Scale, draws=1)
def scale(how: kinds.Scale, draws: Tensor, size: tuple[int, int]) -> Tensor:
    """Read from places nearer to the center if the factor is above 1."""
    del size
    factor = torch.exp(within(draws[:, 0], -1, 1) * math.log(how.factor))
    return affine(1 / factor, 0.0, 0.0, 0.0, 1 / factor, 0.0)


@maps(kinds.Translate, draws=2)
def translate(how: kinds.Translate, draws: Tensor, size: tuple[int, int]) -> Tensor:
    """Read from the left of each place if the image moves to the right."""
    right, down = (within(draws[:, axis], -how.share, how.share) for axis in (0, 1))
    return affine(1.0, 0.0, -right * size[1], 0.0, 1.0, -down * size[0])


@maps(kinds.Shear, draws=2)
def shear(how: kinds.Shear, draws: Tensor, size: tuple[int, int]) -> Tensor:
    """Shift rows in proportion to their height, or columns in proportion to their distance to the right."""
    del size
    slope = within(draws[:, 0], -how.degrees, how.degrees).deg2rad().tan()
    of_rows = draws[:, 1] < 0.5
    none = torch.zeros_like(slope)
    return affine(1.0, torch.where(of_rows, slope, none), 0.0, torch.where(of_rows, none, slope), 1.0, 0.0)


def rotation(degrees: Tensor) -> Tensor:
    """Return matrices that turn images counterclockwise by angles [n]."""
    cosine, sine = degrees.deg2rad().cos(), degrees.deg2rad().sin()
    return affine(cosine, -sine, 0.0, sine, cosine, 0.0)


def warped(images: Tensor, matrices: Tensor, fill: float, size: Sequence[int] | None = None) -> Tensor:
    """Return what an affine map reads of images, between pixels, or of masks, the nearest pixel.

    Args:
        images: float32 [n, channels, height, width]; masks are int64 [n, 1, height, width].
        matrices: float64 [n, 2, 3] on the CPU: from places in the result to places in the images.
        fill: the value beyond the edges of images; beyond those of masks lies no class.
        size: height and width of the result; those of the images by default.
    """
    size = images.shape[2:] if size is None else size
    if images.is_floating_point():
        return _read(images, matrices, fill, "bilinear", size)
    return _read(images.to(torch.float32), matrices, NO_CLASS, "nearest", size).to(images.dtype)


def _read(images: Tensor, matrices: Tensor, fill: float, mode: str, size: Sequence[int]) -> Tensor:
    height, width = images.shape[2:]
    # torch's places go from -1 to 1 along each axis, in the result and in the images.
    unit = torch.tensor([[size[1], size[0], 2], [size[1], size[0], 2]]) / torch.tensor([[width], [height]])
    theta = (matrices * unit).to(images)
    grid = functional.affine_grid(theta, [*images.shape[:2], *size], align_corners=False)
    read = functional.grid_sample(images, grid, mode=mode, padding_mode="border", align_corners=False)
    inside = (grid.abs() <= 1).all(3).unsqueeze(1)
    return torch.where(inside, read, fill)


def together(matrices: Sequence[Tensor]) -> Tensor:
    """Return the map of several transforms, given in the order in which they are applied."""
    last = torch.tensor([0, 0, 1], dtype=torch.float64).expand(len(matrices[0]), 1, 3)
    whole = torch.cat([matrices[0], last], 1)
    for each in matrices[1:]:
        whole = whole @ torch.cat([each, last], 1)
    return whole[:, :2]
