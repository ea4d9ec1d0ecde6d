"""Transforms that cannot be applied to the input of a network, or not in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnncli.diagnostics import Diagnostic
from cnncli.layers import Shape, shape_text
from cnncli.recipe.transforms import Mix, Transform


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
