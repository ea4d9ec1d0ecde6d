"""Transforms that cannot have an effect on the input of a network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnncli.diagnostics import Diagnostic
from cnncli.layers import Shape, shape_text
from cnncli.recipe.transforms import Transform


def wrong_transforms(transforms: Sequence[Transform], shape: Shape) -> Iterator[tuple[int, Diagnostic]]:
    """Yield the place of every transform that has no effect on an input of this shape, with its error."""
    for place, each in enumerate(transforms):
        expected = each.lacks(shape)
        if expected:
            message = f"'{each.keyword}' cannot be applied to this input"
            yield place, Diagnostic("transforms", message, None, expected, shape_text(shape))
