"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnncli.algebra import Dim, product
from cnncli.layers.kind import Example, Layer, Require, Shape, Tensors, shape_text
from cnncli.layers.registry import layer
from cnncli.spec.fields import Flag, Whole, arg


@layer("linear")
class Linear(Layer):
    """Fully connected: every output is a weighted sum of all inputs, plus its bias: a = W h + b.

    It reads a vector; a map is made one by ``flatten`` or ``globalavgpool``, never silently.
    """

    features: int = arg(Whole(1), "output features", main=True)
    bias: bool = arg(Flag(), "add a bias to every output", default=True)

    sugar = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example("10", ((84,),)),
        Example("{features: 128, bias: false}", ((4096,),)),
    )

    def check(self, x: Shape) -> Iterator[Require]:
        yield Require(
            len(x) == 1,
            "'linear' works on a vector",
            "a vector of features",
            f"a map {shape_text(x)}",
            "put 'flatten' (all values) or 'globalavgpool' (one for each channel) before it",
        )

    def output(self, x: Shape) -> Shape:
        return (self.features,)

    def parameters(self, x: Shape) -> Tensors:
        return {"weight": (self.features, x[0])} | ({"bias": (self.features,)} if self.bias else {})

    def macs(self, x: Shape, y: Shape) -> Dim:
        return x[0] * self.features

    def operations(self, x: Shape, y: Shape) -> Dim:
        """One addition per output for the bias."""
        return product(y) if self.bias else 0

    def connections(self, x: Shape, y: Shape) -> Dim:
        return self.macs(x, y) + (self.features if self.bias else 0)

    def windows(self, x: Shape) -> None:
        return None
