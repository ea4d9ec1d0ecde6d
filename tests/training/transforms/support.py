"""Real images for the tests of transforms: handwritten digits, and pieces of two photographs."""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor

from cnncli.recipe.data import Data
from cnncli.training.data.load import load


@cache
def digits(count: int = 64, side: int = 8) -> Tensor:
    """Return bytes [count, 1, side, side]."""
    return load(Data(), (1, side, side)).train.images[:count]


@cache
def photographs(height: int = 60, width: int = 80) -> Tensor:
    """Return bytes [16, 3, height, width]: pieces with sky, roofs, leaves and petals."""
    whole = torch.from_numpy(np.stack(load_sample_images().images)).permute(0, 3, 1, 2)
    pieces = whole[:, :, 10:410, 0:640].unfold(2, 100, 100).unfold(3, 320, 320)
    found = pieces.permute(0, 2, 3, 1, 4, 5).reshape(16, 3, 100, 320)
    return found[:, :, :height, 120 : 120 + width].contiguous()


def units(images: Tensor) -> Tensor:
    """Return bytes as numbers from 0 to 1."""
    return images.float() / 255


def picture(image: Tensor) -> Image.Image:
    """Return bytes [channels, height, width], of 1 or 3 channels, as Pillow's image."""
    values = image.permute(1, 2, 0).numpy()
    return Image.fromarray(values[:, :, 0] if values.shape[2] == 1 else values)


def tensor(image: Image.Image) -> Tensor:
    """Return Pillow's image as numbers from 0 to 1, [channels, height, width]."""
    values = torch.from_numpy(np.array(image)).float() / 255
    return values.unsqueeze(0) if values.ndim == 2 else values.permute(2, 0, 1)


def draws(count: int, columns: int, seed: int = 0) -> Tensor:
    """Return uniform numbers."""
    return torch.rand(count, columns, generator=torch.Generator().manual_seed(seed))
