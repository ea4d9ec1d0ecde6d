"""Activations.

``work`` is the number of elementary operations of the formula as written, for each value; a comparison, an
exponential, a hyperbolic tangent and a logarithm count as one each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnncli.algebra import Dim, product
from cnncli.language.fields import arg
from cnncli.language.readers import Flag, Number
from cnncli.layers.kind import (
    EACH,
    Elementwise,
    Example,
    Extent,
    FromInput,
    FromOutput,
    Neuronless,
    Require,
    Shape,
    Tensors,
    across_channels,
)
from cnncli.layers.registry import layer

_PLAIN = (Example("", ((6, 5, 4),)), Example("", ((7,),)))


@layer("relu", activation=True)
class ReLU(FromOutput):
    """max(x, 0) (Nair and Hinton, 2010)."""

    value_range = "0 or more"
    work = 1
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("relu6", activation=True)
class ReLU6(FromInput):
    """min(max(x, 0), 6) (Howard et al., MobileNets, 2017)."""

    value_range = "from 0 to 6"
    work = 2
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("leaky_relu", activation=True)
class LeakyReLU(FromInput):
    """x where it is positive, slope * x elsewhere (Maas, Hannun and Ng, 2013)."""

    slope: float = arg(Number(0), "slope for negative values", default=0.01, main=True)

    work = 2
    examples: ClassVar[tuple[Example, ...]] = (*_PLAIN, Example("0.2", ((3, 4),)))


@layer("prelu", activation=True)
class PReLU(Neuronless):
    """x where it is positive, a learned slope times x elsewhere (He et al., 2015)."""

    shared: bool = arg(Flag(), "learn one slope for all channels instead of one for each", default=False)
    start: float = arg(Number(), "initial slope", default=0.25)

    examples: ClassVar[tuple[Example, ...]] = (*_PLAIN, Example("{shared: true}", ((3, 4, 2),)))

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield from ()

    def output(self, input_shape: Shape) -> Shape:
        return input_shape

    def parameters(self, input_shape: Shape) -> Tensors:
        return {"weight": (1 if self.shared else input_shape[0],)}

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """A comparison and a multiplication per value."""
        return 2 * product(output_shape)

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return product(output_shape)

    def windows(self, input_shape: Shape) -> Extent:
        return EACH


@layer("elu", activation=True)
class ELU(FromInput):
    """x where it is positive, alpha * (exp(x) - 1) elsewhere (Clevert, Unterthiner and Hochreiter, 2015)."""

    alpha: float = arg(Number(0), "minus the limit for large negative values", default=1.0, main=True)

    value_range = "above minus alpha"
    work = 4
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("gelu", activation=True)
class GELU(FromInput):
    """x * (1 + erf(x / sqrt(2))) / 2 (Hendrycks and Gimpel, 2016)."""

    value_range = "-0.17 or more"
    work = 5
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("silu", activation=True)
class SiLU(FromInput):
    """x * sigmoid(x) (Elfwing, Uchibe and Doya, 2017)."""

    value_range = "-0.28 or more"
    work = 5
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("mish", activation=True)
class Mish(FromInput):
    """x * tanh(log(1 + exp(x))) (Misra, 2019)."""

    value_range = "-0.31 or more"
    work = 5
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("sigmoid", activation=True)
class Sigmoid(FromOutput):
    """1 / (1 + exp(-x))."""

    value_range = "from 0 to 1"
    work = 4
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("hard_sigmoid", activation=True)
class HardSigmoid(FromInput):
    """min(max(x + 3, 0), 6) / 6 (Howard et al., MobileNetV3, 2019)."""

    value_range = "from 0 to 1"
    work = 4
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("hard_swish", activation=True)
class HardSwish(FromInput):
    """x * min(max(x + 3, 0), 6) / 6 (Howard et al., MobileNetV3, 2019)."""

    value_range = "-0.375 or more"
    work = 5
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("tanh", activation=True)
class Tanh(FromOutput):
    """The hyperbolic tangent."""

    value_range = "from -1 to 1"
    work = 1
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("scaled_tanh", activation=True)
class ScaledTanh(Elementwise):
    """1.7159 tanh(2x/3), which has f(1) = 1 and f(-1) = -1 (LeCun et al., 1998)."""

    value_range = "from -1.7159 to 1.7159"
    work = 3
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("softplus", activation=True)
class Softplus(FromInput):
    """log(1 + exp(x))."""

    value_range = "0 or more"
    work = 3
    examples: ClassVar[tuple[Example, ...]] = _PLAIN


@layer("softmax", activation=True)
class Softmax(FromOutput):
    """exp(x - m) divided by its sum across channels or features: positive values that add up to 1.

    m is the largest of them; subtracting it does not change the result but keeps the exponentials in range.
    A network that ends in softmax is trained with the logarithm of these probabilities, computed from the
    layer before.
    """

    criterion = "probabilities"
    work = 5
    examples: ClassVar[tuple[Example, ...]] = _PLAIN

    def windows(self, input_shape: Shape) -> Extent:
        return across_channels(input_shape)


@layer("log_softmax", activation=True)
class LogSoftmax(FromOutput):
    """The logarithm of softmax: x - m - log(sum of exp(x - m)) across channels or features.

    m is the largest of them; subtracting it does not change the result but keeps the exponentials in range.
    """

    work = 5
    examples: ClassVar[tuple[Example, ...]] = _PLAIN

    def windows(self, input_shape: Shape) -> Extent:
        return across_channels(input_shape)
