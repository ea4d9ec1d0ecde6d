"""The mirror image of each kind of layer: layers that lead from its output back to the shape of its input.

A convolution of kernel k (dilated: k'), stride s and p pads has m = floor((n + p - k') / s) + 1 outputs, so
n = (m - 1) s - p + k' + r with the remainder r = (n + p - k') mod s. A transposed convolution with the same
arguments has (m - 1) s - p + k' + output_padding outputs: it restores n with ``output_padding`` = r. If r is
the same for all sizes that the network accepts, that is the mirror image. Otherwise ``output_padding`` is
s - 1, the largest r, and what is too much is cut off at the end, where the convolution did not read either:
the outputs that are left are those of a transposed convolution whose ``output_padding`` is r, at every size.

>>> from cnncli.graph import all_sizes, open_text
>>> spec = "{input: [1, 28], layers: [{conv: {channels: 4, kernel: 3, stride: 2}}]}"
>>> graph = open_text(spec, size=all_sizes).graph
>>> (conv,) = graph.nodes
>>> with graph.decided():
...     mirror_image(conv.layer, Ends((1, 28), conv.input_shape, conv.output_shape))
[ConvTranspose(channels=1, kernel=3, stride=2, padding=Padding(word='valid', amounts=()), \
output_padding=(1,), dilation=1, groups=1, bias=True), MatchSize(mode='crop')]

Interpolation to the size of the layer's input is the mirror image of pooling, and of a kind whose output has
a fixed size. Values are not inverted anywhere: the decoder learns them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeAlias

from cnncli.algebra import Dim, known, same, whole
from cnncli.layers import Kind, Shape
from cnncli.layers.activation import PReLU
from cnncli.layers.conv import Conv, ConvTranspose
from cnncli.layers.dense import Linear
from cnncli.layers.geometry.padding import VALID
from cnncli.layers.joins import Add, Concat, MatchSize
from cnncli.layers.kind import Elementwise, along
from cnncli.layers.norm import LocalResponseNorm, Norm
from cnncli.layers.pooling import AdaptivePool, GlobalPool, Pool, Subsample
from cnncli.layers.shaping import (
    ChannelShuffle,
    Crop,
    Flatten,
    Pad,
    PixelShuffle,
    Reshape,
    Shortcut,
    Upsample,
)


class NoMirrorError(ValueError):
    """A layer has no mirror image; the text says why."""


class Ends(NamedTuple):
    """The shapes around a layer, for one of its inputs.

    ``numbers`` is that of the input in the spec's own size; ``before`` and ``after`` are those of input and
    output, which may be formulas.
    """

    numbers: tuple[int, ...]
    before: Shape
    after: Shape

    @property
    def unlike(self) -> bool:
        """Whether the sizes before and after differ for some sizes of the network's input."""
        return not alike(self.after[1:], self.before[1:])


Rule: TypeAlias = Callable[[Any, Ends], list[Kind[Any]]]
"""From a layer and the shapes around it to the layers that lead back, in their order."""


def alike(sizes: Shape, others: Shape) -> bool:
    """Return whether sizes are equal for all sizes that the network accepts."""
    return all(known(same(n, m)) for n, m in zip(sizes, others, strict=True))


def mirror_image(layer: Kind[Any], ends: Ends) -> list[Kind[Any]]:
    """Return the layers that lead from the output of a layer back to the shape of its input.

    A :class:`MatchSize` among them reads the sizes of that input. None are needed if the shapes are equal.

    Raises:
        NoMirrorError: it has none.
    """
    for base in type(layer).__mro__:
        if base in _RULES:
            return _RULES[base](layer, ends)
    raise NoMirrorError("nothing is known that leads back to the shape of its input")


def _conv(layer: Conv, ends: Ends) -> list[Kind[Any]]:
    """Return the transposed convolution; of a table, one that connects all channels."""
    return _enlarged(layer.kernel, layer, ends, 1 if layer.table is not None else layer.groups)


def _enlarged(kernel: int | tuple[int, ...], layer: Any, ends: Ends, groups: Dim) -> list[Kind[Any]]:
    def made(extra: tuple[int, ...]) -> ConvTranspose:
        return ConvTranspose(
            channels=ends.numbers[0],
            kernel=kernel,
            stride=layer.stride,
            padding=getattr(layer, "padding", VALID),
            output_padding=extra if any(extra) else 0,
            dilation=getattr(layer, "dilation", 1),
            groups=groups,
        )

    strides = along(layer.stride, len(ends.numbers) - 1)
    least = made((0,) * len(strides)).output(ends.after)[1:]
    solved = [_remainder(*each) for each in zip(least, ends.before[1:], strides, strict=True)]
    # "same" has n s outputs for n = ceil(size / s) of the convolution, which are never too few.
    most = [0 if getattr(layer, "padding", VALID).word == "same" else s - 1 for s in strides]
    extra = (limit if own is None else own for own, limit in zip(solved, most, strict=True))
    cut: list[Kind[Any]] = [MatchSize(mode="crop")] if None in solved else []
    return [made(tuple(extra)), *cut]


def _remainder(least: Dim, wanted: Dim, stride: int) -> int | None:
    """Return how much is missing if that is the same for all sizes, otherwise None."""
    return next((extra for extra in range(stride) if known(same(least + extra, wanted))), None)


def _shortcut(layer: Shortcut, ends: Ends) -> list[Kind[Any]]:
    """Return nothing for the identity, otherwise a transposed convolution of kernel 1."""
    if layer.is_identity(ends.numbers):
        return []
    return _enlarged(1, layer, ends, 1)


def _convtranspose(layer: ConvTranspose, ends: Ends) -> list[Kind[Any]]:
    """Return the convolution: with m outputs for (m - 1) s - p + k' + o inputs if o < s."""
    mirrored = Conv(
        channels=ends.numbers[0],
        kernel=layer.kernel,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
    )
    fits = alike(mirrored.output(ends.after)[1:], ends.before[1:])
    return [mirrored] if fits else [mirrored, MatchSize(mode="crop")]


def _linear(_: Linear, ends: Ends) -> list[Kind[Any]]:
    return [Linear(features=ends.numbers[0])]


def _pool(layer: Any, ends: Ends) -> list[Kind[Any]]:
    """Return repetition by the stride where that fits at all sizes, otherwise interpolation to the size."""
    stride = layer.kernel if layer.stride is None else layer.stride
    strides = along(stride, len(ends.numbers) - 1)
    if alike(tuple(n * s for n, s in zip(ends.after[1:], strides, strict=True)), ends.before[1:]):
        return [Upsample(scale=stride)] if max(strides) > 1 else []
    return [MatchSize(mode="nearest")]


def _global(layer: GlobalPool, ends: Ends) -> list[Kind[Any]]:
    points = (*ends.numbers[:1], *(1 for _ in ends.numbers[1:]))
    shaped: list[Kind[Any]] = [] if layer.keepdims else [Reshape(shape=points)]
    return [*shaped, MatchSize(mode="nearest")]


def _resized(_: Kind[Any], ends: Ends) -> list[Kind[Any]]:
    return [MatchSize(mode="nearest")] if ends.unlike else []


def _reshaped(_: Kind[Any], ends: Ends) -> list[Kind[Any]]:
    """Return the shape in the spec's own size: a vector of a fixed length has no other."""
    if ends.after == ends.before:
        return []
    fixed = alike(ends.numbers[1:], ends.before[1:])
    return [Reshape(shape=ends.numbers), *([] if fixed else [MatchSize(mode="exact")])]


def _pixelshuffle(layer: PixelShuffle, ends: Ends) -> list[Kind[Any]]:
    return [Conv(channels=ends.numbers[0], kernel=layer.scale, stride=layer.scale)]


def _channelshuffle(layer: ChannelShuffle, ends: Ends) -> list[Kind[Any]]:
    """Return the inverse: g groups of c / g channels, interleaved, are c / g groups of g."""
    return [ChannelShuffle(groups=ends.numbers[0] // whole(layer.groups))]


def _crop(layer: Crop, _: Ends) -> list[Kind[Any]]:
    return [Pad(amount=layer.amount)]


def _pad(layer: Pad, _: Ends) -> list[Kind[Any]]:
    return [Crop(amount=layer.amount)]


def _unchanged(*_: object) -> list[Kind[Any]]:
    return []


def _add(_: Add, ends: Ends) -> list[Kind[Any]]:
    _check_sizes(ends)
    return []


def _concat(_: Concat, ends: Ends) -> list[Kind[Any]]:
    """Return a layer that reads all channels, and has those of the branch."""
    _check_sizes(ends)
    if ends.after == ends.before:
        return []
    own = ends.numbers[0]
    return [Conv(channels=own, kernel=1) if len(ends.numbers) > 1 else Linear(features=own)]


def _check_sizes(ends: Ends) -> None:
    if ends.unlike:
        raise NoMirrorError("its branches differ in size, and what it cuts off or adds has no mirror image")


_RULES: Final[dict[type, Rule]] = {
    Conv: _conv,
    ConvTranspose: _convtranspose,
    Linear: _linear,
    Pool: _pool,
    Subsample: _pool,
    GlobalPool: _global,
    AdaptivePool: _resized,
    Upsample: _resized,
    MatchSize: _resized,
    Flatten: _reshaped,
    Reshape: _reshaped,
    PixelShuffle: _pixelshuffle,
    ChannelShuffle: _channelshuffle,
    Crop: _crop,
    Pad: _pad,
    Shortcut: _shortcut,
    LocalResponseNorm: _unchanged,
    Elementwise: _unchanged,
    PReLU: _unchanged,
    Norm: _unchanged,
    Add: _add,
    Concat: _concat,
}
