"""Transforms that cannot be applied to the input of a network, or not in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from cnncli.diagnostics import Diagnostic
from cnncli.layers import Shape, shape_text
from cnncli.recipe.recipe import CENTERCROP, Recipe
from cnncli.recipe.transforms import Crop, Mix, Transform

_AXES_OF_PICTURES: Final = 3


def wrong_margin(recipe: Recipe, shape: Shape) -> Iterator[tuple[tuple[str, ...], Diagnostic]]:
    """Yield the settings about a margin that have no effect, by the keys that lead to them, with errors."""
    if recipe.data.margin and len(shape) != _AXES_OF_PICTURES:
        message = "only pictures have a margin"
        expected = "an input of channels, height and width"
        yield ("data", "margin"), Diagnostic("data", message, None, expected, shape_text(shape))
    if not recipe.data.margin and any(
        isinstance(each, Crop) and not each.padding for each in recipe.transforms
    ):
        message = "'crop' without padding has no effect on images without a margin"
        yield ("transforms",), Diagnostic("transforms", message, None, "a padding, or a data.margin, above 0")
    if not recipe.data.margin and recipe.evaluation != CENTERCROP:
        message = f"'{recipe.evaluation}' has no effect on images without a margin"
        yield ("evaluation",), Diagnostic("evaluation", message, None, "a data.margin above 0", "0")


def wrong_transforms(transforms: Sequence[Transform], shape: Shape) -> Iterator[tuple[int, Diagnostic]]:
    """Yield the place of every transform that cannot be where it is, with its error.

    It would have no effect on an input of this shape, or acts on single samples after one that mixes them.
    """
    mix = ""
    for place, each in enumerate(transforms):
        if isinstance(each, Mix):
            mix = each.keyword
        elif mix:
            message = f"'{each.keyword}' cannot come after '{mix}', which mixes samples"
            yield place, Diagnostic("transforms", message, None, f"'{mix}' at the end of the list")
        expected = each.lacks(shape)
        if expected:
            message = f"'{each.keyword}' cannot be applied to this input"
            yield place, Diagnostic("transforms", message, None, expected, shape_text(shape))
