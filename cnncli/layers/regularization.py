"""Layers that act in training only; in inference they pass their input on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnncli.language.fields import arg
from cnncli.language.readers import Number
from cnncli.layers.kind import Elementwise, Example, Require, Shape, is_map
from cnncli.layers.registry import layer

_PLAIN = (Example("0.25", ((6, 5, 4),)), Example("", ((7,),)))


class Regularizing(Elementwise):
    """A layer that draws random numbers in training."""

    work = 0


class Dropping(Regularizing):
    """A layer that multiplies by random factors."""

    probability: float


@layer("dropout")
class Dropout(Dropping):
    """Sets each value to 0 with a given probability and scales the others up (Srivastava et al., 2014)."""

    probability: float = arg(Number(0, 1), "probability of setting a value to 0", default=0.5, main=True)

    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("dropout2d")
class Dropout2d(Dropping):
    """Sets each channel to 0 with a given probability and scales the others up (Tompson et al., 2015)."""

    probability: float = arg(Number(0, 1), "probability of setting a channel to 0", default=0.5, main=True)

    examples: ClassVar[tuple[Example, ...]] = (Example("0.25", ((6, 5, 4),)), Example("", ((6, 5),)))

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "dropout2d", "for a vector use 'dropout'")


@layer("droppath")
class DropPath(Regularizing):
    """Sets a branch to 0 for samples drawn at random and scales it up for the others (Huang et al., 2016)."""

    probability: float = arg(
        Number(0, 1), "probability that a sample skips the branch", default=0.1, main=True
    )

    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("noise")
class Noise(Regularizing):
    """Adds Gaussian noise of standard deviation ``sigma`` in training."""

    sigma: float = arg(Number(0), "standard deviation of the noise", default=0.1, main=True)

    examples: ClassVar[tuple[Example, ...]] = _PLAIN
