"""Training images that are smaller at first; ``training/transforms/resolution.py`` resizes them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final, Self

from cnncli.diagnostics import Diagnostic, Location, SpecError
from cnncli.language.fields import Record, arg
from cnncli.language.readers import Whole
from cnncli.language.scope import Argument

STAGES: Final = 4
"""How often the size changes, and one more: as often as EfficientNetV2's does."""


class Resolution(Record):
    """Train on smaller images first, in four stages of equally many epochs (Tan and Le, 2021)."""

    keyword = "resolution"
    member = "setting"

    from_: int = arg(Whole(1), "size of the first images along every axis, in pixels", main=True)
    to: int | None = arg(
        Whole(1), "size of the last ones; unset, that of the input, which it has to be", default=None
    )

    @classmethod
    def read(cls, written: Mapping[str, Argument], where: Location) -> Self:
        """Read the settings.

        Raises:
            SpecError: one is wrong, or the size does not rise.
        """
        found = super().read(written, where)
        if found.to is not None and found.from_ >= found.to:
            message, expected = "the size of the images does not rise", f"less than {found.to}"
            place = written["from"].location
            raise SpecError(Diagnostic("value", message, place, expected, str(found.from_)))
        return found

    def size(self, stage: int, to: int) -> Fraction:
        """Return the size of a stage on a straight line to the size ``to`` of the last one."""
        return self.from_ + Fraction(stage * (to - self.from_), STAGES - 1)


def stage_of(epoch: int, epochs: int) -> int:
    """Return the stage of an epoch, counted from 0; the last epoch is in the last stage.

    >>> [stage_of(epoch, 10) for epoch in range(10)]
    [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]
    >>> [stage_of(epoch, 2) for epoch in range(2)], stage_of(0, 1)
    ([0, 3], 3)
    """
    used = min(STAGES, epochs)
    left = used - 1 - used * epoch // epochs
    return STAGES - 1 - left * (STAGES - 1) // max(used - 1, 1)


def epochs_of(stage: int, epochs: int) -> int:
    """Return how many of the ``epochs`` are in a stage.

    >>> [epochs_of(stage, 10) for stage in range(4)]
    [3, 2, 3, 2]
    """
    used = min(STAGES, epochs)
    stages = [STAGES - 1 - left * (STAGES - 1) // max(used - 1, 1) for left in range(used)][::-1]
    if stage not in stages:
        return 0
    number = stages.index(stage)
    return -(-(number + 1) * epochs // used) - -(-number * epochs // used)
