"""Resizing what a network sees to the size of a stage."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from cnncli.training.data.feed import Alters, Views


def resized(views: Views, size: int) -> Views:
    """Return images [n, channels, height, width] of another size: bilinear, with antialiasing."""
    if views.images.shape[2:] == (size, size):
        return views
    images: Tensor = functional.interpolate(views.images, (size, size), mode="bilinear", antialias=True)
    return views._replace(images=images)


def seen_at(size: int, alters: Alters | None) -> Alters:
    """Return what happens to samples that are seen at another size; they are corrupted after that."""
    others = alters or Alters()
    return others._replace(inputs=lambda views, index: others.inputs(resized(views, size), index))
