"""Fully connected layers, and LeNet-5's output layer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnncli.algebra import Dim, product, same
from cnncli.language.fields import arg
from cnncli.language.readers import Count, Flag, Whole
from cnncli.layers.kind import (
    ALL,
    NONE,
    Example,
    Extent,
    Require,
    Shape,
    Summing,
    Tensors,
    shape_text,
)
from cnncli.layers.prototypes import DIGITS, SIZE
from cnncli.layers.registry import layer


@layer("linear")
class Linear(Summing):
    """Fully connected: every output is a weighted sum of all inputs, plus its bias: a = W h + b.

    The input must be a vector: ``flatten`` or ``globalavgpool`` turns a map into one.
    """

    features: Dim = arg(Count(), "number of output features", main=True)
    bias: bool = arg(Flag(), "add a bias to every output", default=True)

    shorthand = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example("10", ((84,),)),
        Example("{features: 128, bias: false}", ((4096,),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield Require(
            len(input_shape) == 1,
            "'linear' takes a vector",
            "a vector of features",
            f"a map {shape_text(input_shape)}",
            "put 'flatten' (all values) or 'globalavgpool' (one for each channel) before it; at each "
            f"position by itself, it is 'conv: {{channels: {self.features}, kernel: 1}}'",
        )

    def output(self, input_shape: Shape) -> Shape:
        return (self.features,)

    def parameters(self, input_shape: Shape) -> Tensors:
        return {"weight": (self.features, input_shape[0])} | ({"bias": (self.features,)} if self.bias else {})

    def matrices(self) -> tuple[str, ...]:
        return ("weight",)

    def macs(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return input_shape[0] * self.features

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """One addition per output for the bias."""
        return product(output_shape) if self.bias else 0

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return self.macs(input_shape, output_shape) + (self.features if self.bias else 0)

    def windows(self, input_shape: Shape) -> Extent:
        return ALL


@layer("rbf")
class RBF(Summing):
    """Euclidean radial basis functions: y[i] = sum over j of (x[j] - w[i, j])^2 (LeCun et al., 1998).

    The prototypes w are fixed: pictures of the ten digits, 7 wide and 12 high, with +1 for ink and -1 for
    paper. Each output is the squared distance from one class, so the smallest one is the prediction. An
    output of this kind is trained with equation 9 of the paper: y of the right class, plus
    log(exp(-j) + sum of exp(-y)).
    """

    classes: int = arg(Whole(1, len(DIGITS)), "number of digits, from 0 on", default=len(DIGITS), main=True)

    criterion = "distance"
    examples: ClassVar[tuple[Example, ...]] = (Example("", ((84,),)), Example("4", ((84,),)))

    def check(self, input_shape: Shape) -> Iterator[Require]:
        height, width = SIZE
        yield Require(
            len(input_shape) == 1 and same(input_shape[0], height * width),
            f"'rbf' compares its input with pictures of {width}x{height}",
            f"a vector of {height * width} features",
            f"the shape {shape_text(input_shape)}",
            f"put 'linear: {height * width}' before it, on a vector",
        )

    def output(self, input_shape: Shape) -> Shape:
        return (self.classes,)

    def parameters(self, input_shape: Shape) -> Tensors:
        return NONE

    def buffers(self, input_shape: Shape) -> Tensors:
        return {"prototypes": (self.classes, input_shape[0])}

    def macs(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return 0

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """A difference, a square and an addition per input and class, minus one addition per class."""
        return (3 * input_shape[0] - 1) * self.classes

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return input_shape[0] * self.classes

    def windows(self, input_shape: Shape) -> Extent:
        return ALL
