"""Images at the size of a stage, as Pillow resizes them."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from cnncli.training.data.feed import Alters, Views
from cnncli.training.transforms.resolution import resized, seen_at


def test_images_are_resized_as_pillow_does() -> None:
    images = torch.rand(2, 3, 20, 20, generator=torch.Generator().manual_seed(1))
    for size in (7, 13, 20):
        found = resized(Views(images), size).images
        for channel, its in zip(images.flatten(0, 1), found.flatten(0, 1), strict=True):
            expected = Image.fromarray(channel.numpy()).resize((size, size), Image.Resampling.BILINEAR)
            torch.testing.assert_close(its, torch.from_numpy(np.array(expected)), rtol=0, atol=1e-5)


def test_targets_stay_and_corruption_comes_after() -> None:
    masks = {"mask": torch.ones(1, 8, 8, dtype=torch.int64)}
    sizes: list[int] = []

    def corrupt(views: Views, index: torch.Tensor) -> Views:
        del index
        sizes.append(views.images.shape[-1])
        return views

    found = seen_at(4, Alters(inputs=corrupt)).inputs(Views(torch.ones(1, 1, 8, 8), masks), torch.arange(1))
    assert found.images.shape == (1, 1, 4, 4)
    assert found.masks is masks
    assert sizes == [4]
