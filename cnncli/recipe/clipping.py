"""Limits on the gradient of a step; ``training/optimization/clipping.py`` applies them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cnncli.language.fields import Record, arg
from cnncli.language.readers import Number
from cnncli.limits import MAX_RATE


class Clip(Record):
    """A limit on the gradient of a step, over all parameters together or for each number alone."""

    member = "setting"

    most: float = arg(Number(0, MAX_RATE, above=True), "the limit", main=True)

    def __str__(self) -> str:
        """Return the limit, such as ``norm 1``."""
        return f"{self.keyword} {self.most:g}"


class ClipNorm(Clip):
    """Scale the gradient of all parameters down to a norm (R. Pascanu et al., 2013, algorithm 1)."""

    keyword = "norm"


class ClipValue(Clip):
    """Limit each number of the gradient to -most and most."""

    keyword = "value"


CLIPS: Final[Mapping[str, type[Clip]]] = {each.keyword: each for each in (ClipNorm, ClipValue)}
