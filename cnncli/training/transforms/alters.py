"""What a recipe does to samples in each epoch of a training, and whenever a network is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import torch
from torch.nn import functional

from cnncli.diagnostics import counted
from cnncli.recipe.recipe import CENTERCROP, Recipe
from cnncli.recipe.transforms import Transform
from cnncli.training.data.feed import Alter, Alters, Views, unaltered
from cnncli.training.transforms.pipeline import TRANSFORM, Pipeline, middle

CORRUPTION: Final = "corrupt"
"""The purpose of the draws of what the network sees."""

_HELD_OUT: Final = "held-out"


def training_alters(recipe: Recipe, count: int, epoch: int) -> Alters | None:
    """Return what happens to ``count`` training samples in an epoch; None if nothing does."""
    if not recipe.transforms and not recipe.corrupt and not recipe.data.margin:
        return None
    transforms = Pipeline(recipe.transforms, TRANSFORM, margin=recipe.data.margin)
    return Alters(
        transforms.alter(count, recipe.seed, epoch),
        _alter(recipe.corrupt, CORRUPTION, count, recipe.seed, epoch),
    )


def held_out_alters(recipe: Recipe, count: int) -> Alters | None:
    """Return what happens to samples that a network is measured on, always the same; None if nothing does."""
    if not recipe.corrupt and not recipe.data.margin:
        return None
    corrupt = _alter(recipe.corrupt, CORRUPTION, count, recipe.seed, _HELD_OUT)
    return Alters(_evaluation(recipe), corrupt)


def margin_notes(recipe: Recipe) -> tuple[str, ...]:
    """Return a note about how images with a margin are measured; none without one."""
    if not recipe.data.margin:
        return ()
    how = "without it" if recipe.evaluation == CENTERCROP else "as a whole, at the size without it"
    margin = counted(recipe.data.margin, "pixel")
    return (f"of these sizes {margin} on every side are a margin: measured {how} ({recipe.evaluation})",)


def _evaluation(recipe: Recipe) -> Alter:
    """Return how images with a margin are measured."""
    margin = recipe.data.margin
    if not margin:
        return unaltered
    fitted = middle if recipe.evaluation == CENTERCROP else shrunk
    return lambda views, _: fitted(views, margin)


def shrunk(views: Views, margin: int) -> Views:
    """Return whole images at the size that they have without their margin; of masks the nearest pixels."""
    size = [side - 2 * margin for side in views.images.shape[2:]]
    images = functional.interpolate(views.images, size, mode="bilinear", antialias=True)
    masks = {
        name: functional.interpolate(each.unsqueeze(1).float(), size, mode="nearest-exact")
        for name, each in views.masks.items()
    }
    return views._replace(
        images=images, masks={name: each.squeeze(1).to(torch.int64) for name, each in masks.items()}
    )


def _alter(steps: Sequence[Transform], purpose: str, count: int, seed: int, epoch: int | str) -> Alter:
    return Pipeline(steps, purpose).alter(count, seed, epoch) if steps else unaltered
