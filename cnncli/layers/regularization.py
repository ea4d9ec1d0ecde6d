"""Layers that act in training only and pass their input on when the network is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnncli.language.fields import arg
from cnncli.language.readers import Number
from cnncli.layers.kind import Elementwise, Example, Needs, Require, Shape, is_map
from cnncli.layers.memory.spaces import NOTHING, Saved, Space, room
from cnncli.layers.registry import layer

_PLAIN = (Example("0.25", ((6, 5, 4),)), Example("", ((7,),)))


class Regularizing(Elementwise):
    """A layer that draws numbers in training."""

    work = 0

    def shares(self, input_shape: Shape, *, training: bool) -> bool:
        return not training


class Dropping(Regularizing):
    """A layer that multiplies by factors which it draws."""

    probability: float

    def shares(self, input_shape: Shape, *, training: bool) -> bool:
        """Where nothing is dropped, torch passes the input on."""
        return not training or self.probability == 0

    def factors(self, input_shape: Shape) -> Space:
        """How many it draws."""
        raise NotImplementedError

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        """The factors; a single 0 where everything is dropped."""
        if self.probability == 0:
            return NOTHING
        return Saved(own=self.factors(input_shape) if self.probability < 1 else Space(shared=1))


@layer("dropout")
class Dropout(Dropping):
    """Sets each value to 0 with a probability and scales the rest up to match (Srivastava et al., 2014)."""

    probability: float = arg(Number(0, 1), "chance of a value to become 0", default=0.5, main=True)

    examples: ClassVar[tuple[Example, ...]] = _PLAIN

    def factors(self, input_shape: Shape) -> Space:
        """One for each value."""
        return room(input_shape)


@layer("dropout2d")
class Dropout2d(Dropping):
    """Sets whole channels to 0 with a probability and scales the rest up (Tompson et al., 2015)."""

    probability: float = arg(Number(0, 1), "chance of a channel to become 0", default=0.5, main=True)

    examples: ClassVar[tuple[Example, ...]] = (Example("0.25", ((6, 5, 4),)), Example("", ((6, 5),)))

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "dropout2d", "for a vector use 'dropout'")

    def factors(self, input_shape: Shape) -> Space:
        """One for each channel."""
        return Space(input_shape[0])


@layer("droppath")
class DropPath(Regularizing):
    """Sets a branch to 0 for a whole sample with a probability, scales it up else (Huang et al., 2016)."""

    probability: float = arg(Number(0, 1), "chance of a sample to skip the branch", default=0.1, main=True)

    examples: ClassVar[tuple[Example, ...]] = _PLAIN

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        """A factor for each sample."""
        return Saved(own=Space(1))


@layer("noise")
class Noise(Regularizing):
    """Adds Gaussian noise of standard deviation ``sigma`` in training."""

    sigma: float = arg(Number(0), "standard deviation of the noise", default=0.1, main=True)

    examples: ClassVar[tuple[Example, ...]] = _PLAIN

    def saved(self, input_shape: Shape, output_shape: Shape, needs: Needs) -> Saved:
        """Nothing: the derivative of a sum needs no values."""
        return NOTHING
