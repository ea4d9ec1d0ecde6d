"""What a run does to images before the network gets them, as nodes: channels, size, normalization.

The steps are those of :mod:`cnncli.training.data.resize` and :mod:`cnncli.training.data.normalization`: sizes
by whole numbers, interpolation in floating point, rounded to bytes, then byte * scale + shift.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from onnx import NodeProto, TensorProto, ValueInfoProto, helper

from cnncli.exporting.onnx.emission import Emission, Number, Whole
from cnncli.exporting.subject import Images
from cnncli.layers import shape_text

IMAGES: Final = "image"
"""The name of the model's input."""

_LUMA: Final = (19595, 38470, 7471)
"""Weights of red, green and blue in 65536ths (ITU-R 601), which gray is computed with everywhere."""
_WHOLE: Final = 65536
_HALF: Final = 0x8000

_COLOR: Final = 3
_REFUSED: Final = 1 << 20
"""A place beyond the end of a table, at which every runtime stops."""

_FLOAT, _INT32 = TensorProto.FLOAT, TensorProto.INT32


class Sizes(NamedTuple):
    """Height and width."""

    height: Whole
    width: Whole

    def each(self) -> tuple[Whole, Whole]:
        return self.height, self.width


class Preparing(NamedTuple):
    """How inputs are made of images; ``shape`` is that of the network's input."""

    images: Images
    shape: tuple[int, ...]

    @property
    def resizes(self) -> bool:
        """Whether images may have any size: pictures, and not vectors, signals or volumes."""
        return len(self.shape) == 3

    def input(self, batch: str) -> ValueInfoProto:
        """Return the declaration of the input: bytes; gray or color, of any size, where it is a picture."""
        dims: list[int | str] = [batch, *self.images.stored]
        if self.resizes:
            channels = self.shape[0]
            dims = [batch, "channels" if channels in (1, _COLOR) else channels, "height", "width"]
        return helper.make_tensor_value_info(IMAGES, TensorProto.UINT8, dims)

    def words(self) -> str:
        """Return which images the model takes."""
        if not self.resizes:
            return f"takes bytes, uint8 {shape_text(self.images.stored)}"
        channels = "gray or color" if self.shape[0] in (1, _COLOR) else f"{self.shape[0]} channels"
        return (
            f"takes images of any size, uint8 (batch, channels, height, width), {channels}; resizes to "
            f"{shape_text(self.images.stored[1:])} ({self.images.resize}) and normalizes"
        )

    def nodes(self, name: str) -> list[NodeProto]:
        """Return the nodes from the image to the network's input, whose name is given."""
        found: list[NodeProto] = []
        to = Emission(found, name, (IMAGES,), (self.images.stored,), self.shape, {})
        x = self._resized(to) if self.resizes else to.op("Cast", to.x, to=_FLOAT)
        to.finish(self._normalized(to, x))
        return found

    def _normalized(self, to: Emission, x: str) -> str:
        """Return byte * scale + shift, which is (byte / 255 - mean) / std."""
        pairs = [*zip(self.images.mean, self.images.std, strict=True)]
        along = (-1, *(1,) * (len(self.shape) - 1)) if len(self.shape) > 1 else (1,)
        scale = np.array([1 / (255 * std) for _, std in pairs], np.float32).reshape(along)
        shift = np.array([-mean / std for mean, std in pairs], np.float32).reshape(along)
        return to.op("Add", to.op("Mul", x, to.floats(scale)), to.floats(shift))

    def _resized(self, to: Emission) -> str:
        """Return images [n, *shape] as numbers from 0 to 255."""
        channels = self.shape[0]
        x = _gray(to) if channels == 1 else to.op("Cast", to.x, to=_FLOAT)
        _, height, width = self.images.stored
        size = Sizes(height, width)
        x = {"stretch": _stretched, "crop": _cropped, "pad": _padded}[self.images.resize](to, x, size)
        if channels == _COLOR:  # one channel is repeated
            x = to.op("Expand", x, to.ints([1, channels, 1, 1]))
        margin = self.images.margin
        if not margin:
            return x
        if self.images.shrinks:
            return _interpolated(to, x, Sizes(height, width), Sizes(*self.shape[1:]))
        return to.slice(x, [margin] * 2, [height - margin, width - margin], [2, 3])


def _gray(to: Emission) -> str:
    """Return gray of color, or gray as it is; another number of channels stops the model."""
    channels = to.measured(to.x, 1).name
    tables = to.ints([*_LUMA, _WHOLE])
    first = to.op("Gather", to.ints([_REFUSED, len(_LUMA), _REFUSED, 0]), channels)
    zero, one = to.constant(0, np.int64), to.constant(1, np.int64)
    steps = to.op("Range", zero, to.op("Squeeze", channels), one)
    weights = to.op("Gather", tables, to.op("Add", steps, first))
    weights = to.op("Cast", to.op("Reshape", weights, to.ints([1, -1, 1, 1])), to=_INT32)
    products = to.op("Mul", to.op("Cast", to.x, to=_INT32), weights)
    total = to.op("Add", to.reduced("ReduceSum", products, [1]), to.constant(_HALF, np.int32))
    return to.op("Cast", to.op("Div", total, to.constant(_WHOLE, np.int32)), to=_FLOAT)


def _sizes(to: Emission) -> Sizes:
    return Sizes(to.measured(to.x, 2), to.measured(to.x, 3))


def _stretched(to: Emission, x: str, size: Sizes) -> str:
    """Return images of another size, interpolated and rounded to bytes."""
    own = Sizes(to.measured(x, 2), to.measured(x, 3))
    return to.op("Clip", to.op("Round", _interpolated(to, x, own, size)), to.floats(0), to.floats(255))


def _interpolated(to: Emission, x: str, own: Sizes, size: Sizes) -> str:
    """Return images of another size, bilinear; where they shrink, antialiased.

    Every output is a weighted mean along each axis, so it is a product with a matrix on each side. ``Resize``
    has an attribute for this, but onnxruntime computes other means with it than torch does.
    """
    rows, columns = (_weights(to, n, o) for n, o in zip(own.each(), size.each(), strict=True))
    return to.op("MatMul", rows, to.op("MatMul", x, to.op("Transpose", columns, perm=[1, 0])))


def _weights(to: Emission, n: Whole, o: Whole) -> str:
    """Return [o, n]: the weights of n positions for each of o, a triangle around the place of its center.

    Half of its base is n / o positions, at least 1.
    """
    before, after = (
        to.floats([each]) if isinstance(each, int) else to.op("Cast", each.name, to=_FLOAT) for each in (n, o)
    )
    scale = to.op("Div", before, after)
    centers = to.op("Mul", _places(to, after, [-1, 1]), scale)
    apart = to.op("Abs", to.op("Sub", _places(to, before, [1, -1]), centers))
    one = to.floats([1])
    near = to.op("Relu", to.op("Sub", one, to.op("Div", apart, to.op("Max", scale, one))))
    return to.op("Div", near, to.reduced("ReduceSum", near, [1]))


def _places(to: Emission, count: str, shape: list[int]) -> str:
    """Return 1/2, 3/2, and so on: the centers of ``count`` positions, in a shape."""
    numbers = to.op("Range", to.floats(0), to.op("Squeeze", count), to.floats(1))
    return to.op("Reshape", to.op("Add", numbers, to.floats(0.5)), to.ints(shape))


def _cropped(to: Emission, x: str, size: Sizes) -> str:
    """Return the middle of images, resized; of an odd number of rows to cut off, the last comes after."""
    height, width = _sizes(to).each()
    kept = Sizes(
        _least(to, height, _most(to, 1, _ratio(to, width, size.height, size.width))),
        _least(to, width, _most(to, 1, _ratio(to, height, size.width, size.height))),
    )
    top, left = _minus(to, height, kept.height) // 2, _minus(to, width, kept.width) // 2
    starts = [top, left]
    ends = [top + kept.height, left + kept.width]
    return _stretched(to, to.slice(x, starts, ends, [2, 3]), size)


def _padded(to: Emission, x: str, size: Sizes) -> str:
    """Return images centered in zeros, shrunk first if they are larger; an odd zero comes after."""
    height, width = _sizes(to).each()
    fits = to.op(
        "And",
        to.op("LessOrEqual", to.wholes([height]), to.wholes([size.height])),
        to.op("LessOrEqual", to.wholes([width]), to.wholes([size.width])),
    )
    shrunk = Sizes(
        _least(to, size.height, _most(to, 1, _ratio(to, height, size.width, width))),
        _least(to, size.width, _most(to, 1, _ratio(to, width, size.height, height))),
    )
    made = Sizes(
        *(
            Number(to, to.op("Where", fits, to.wholes([own]), to.wholes([other])))
            for own, other in zip((height, width), shrunk.each(), strict=True)
        )
    )
    x = _stretched(to, x, made)
    gaps = [_minus(to, whole, own) for whole, own in zip(size.each(), made.each(), strict=True)]
    before = [gap // 2 for gap in gaps]
    after = [_minus(to, gap, half) for gap, half in zip(gaps, before, strict=True)]
    return to.op("Pad", x, to.wholes([*before, *after]), to.floats(0), to.ints([2, 3]))


def _ratio(to: Emission, value: Whole, numerator: Whole, denominator: Whole) -> Number:
    """Return value * numerator / denominator, rounded to the nearest whole number, halves up."""
    doubled = Number(to, to.wholes([value])) * 2 * numerator + denominator
    return doubled // (Number(to, to.wholes([denominator])) * 2)


def _minus(to: Emission, one: Whole, two: Whole) -> Number:
    return Number(to, to.op("Sub", to.wholes([one]), to.wholes([two])))


def _least(to: Emission, one: Whole, two: Whole) -> Number:
    return Number(to, to.op("Min", to.wholes([one]), to.wholes([two])))


def _most(to: Emission, one: Whole, two: Whole) -> Number:
    return Number(to, to.op("Max", to.wholes([one]), to.wholes([two])))
