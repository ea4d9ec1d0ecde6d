"""What a recipe does to samples in each epoch of a training, and whenever a network is measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cnncli.recipe.recipe import Recipe
from cnncli.recipe.transforms import Transform
from cnncli.training.data.feed import Alter, Alters, unaltered
from cnncli.training.transforms.pipeline import TRANSFORM, Pipeline

CORRUPTION: Final = "corrupt"
"""The purpose of the draws of what the network sees."""

_HELD_OUT: Final = "held-out"


def training_alters(recipe: Recipe, count: int, epoch: int) -> Alters | None:
    """Return what happens to ``count`` training samples in an epoch; None if nothing does."""
    if not recipe.transforms and not recipe.corrupt:
        return None
    return Alters(
        _alter(recipe.transforms, TRANSFORM, count, recipe.seed, epoch),
        _alter(recipe.corrupt, CORRUPTION, count, recipe.seed, epoch),
    )


def held_out_alters(recipe: Recipe, count: int) -> Alters | None:
    """Return what happens to samples that a network is measured on, always the same; None if nothing does."""
    if not recipe.corrupt:
        return None
    return Alters(inputs=_alter(recipe.corrupt, CORRUPTION, count, recipe.seed, _HELD_OUT))


def _alter(steps: Sequence[Transform], purpose: str, count: int, seed: int, epoch: int | str) -> Alter:
    return Pipeline(steps, purpose).alter(count, seed, epoch) if steps else unaltered
