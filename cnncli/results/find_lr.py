"""What a learning-rate range test reports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cnncli.results.training import Introduction


class Rate(NamedTuple):
    """A learning rate that was tried for one step.

    ``loss`` is the objective of its batch before the step, so it follows from the smaller rates; ``mean`` is
    that of the steps around it.
    """

    lr: float
    loss: float
    mean: float


class Suggestion(NamedTuple):
    """The rates that a range test points to.

    ``lr``, a tenth of ``lowest``, is suggested; at ``lowest`` the loss is lowest, and at ``steepest`` it
    falls fastest.
    """

    lr: float
    lowest: float
    steepest: float


class RangeTest(NamedTuple):
    """A learning-rate range test: what was tried, in the order of the rates, and what follows from it.

    ``about`` is the training, with the learning rate of the recipe for its ``optimizer``. ``exploded`` says
    whether the loss exploded before the last rate. ``suggestion`` is None if the loss did not fall.
    ``picture`` is the file that the curve was drawn into.
    """

    about: Introduction
    optimizer: str
    rates: Sequence[Rate]
    exploded: bool
    suggestion: Suggestion | None
    picture: Path | None = None
