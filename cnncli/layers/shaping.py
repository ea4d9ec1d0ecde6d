"""Layers that rearrange, resize, cut or pass on values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import ClassVar

from cnncli.algebra import Dim, ceil_div, product, same
from cnncli.language.fields import arg, same_arg
from cnncli.language.readers import Choice, Count, EachAxis, Factor, Number, PerAxis, Sizes, Whole
from cnncli.layers.conv import mirrored_pads_fit
from cnncli.layers.geometry.axis import AnyWindow, placements
from cnncli.layers.geometry.padding import MODES, Edges, Padding
from cnncli.layers.geometry.resampling import Resampled
from cnncli.layers.geometry.sliding import axis_name
from cnncli.layers.geometry.window import POINT, TransposedWindow, Window
from cnncli.layers.kind import (
    NONE,
    SCRAMBLED,
    Elementwise,
    Example,
    Extent,
    Layer,
    Require,
    Shape,
    Tensors,
    Weightless,
    along,
    axes_match,
    is_map,
    padding_axes,
    shape_text,
)
from cnncli.layers.norm import BatchNorm
from cnncli.layers.registry import layer


class Rearranging(Weightless):
    """A layer that moves values without computing anything."""

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """None: values are moved, not computed."""
        return 0


class View(Rearranging):
    """The same values in the same memory."""


@layer("identity")
class Identity(Elementwise):
    """Passes its input on."""

    work = 0
    examples: ClassVar[tuple[Example, ...]] = (Example("", ((6, 5, 4),)),)


@layer("flatten")
class Flatten(View):
    """All values of a sample as one vector, channel by channel, row by row."""

    examples: ClassVar[tuple[Example, ...]] = (
        Example("", ((16, 5, 5),)),
        Example("", ((16,),)),
        Example("", ((4, 6),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield from ()

    def output(self, input_shape: Shape) -> Shape:
        return (product(input_shape),)

    def windows(self, input_shape: Shape) -> Extent:
        return SCRAMBLED


@layer("reshape")
class Reshape(View):
    """The same values in another shape; one entry may be -1 and is then inferred."""

    shape: tuple[Dim, ...] = arg(
        Sizes(Count(-1)), "the output shape: [features] or [channels, ...]", main=True
    )

    examples: ClassVar[tuple[Example, ...]] = (
        Example("[4, 6, 2]", ((48,),)),
        Example("[-1, 4]", ((6, 2, 4),)),
        Example("[12]", ((3, 4),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        free = self.shape.count(-1)
        good = 1 <= len(self.shape) <= 4 and 0 not in self.shape and free <= 1
        expected = "one to four sizes of at least 1, one of which may be -1"
        yield Require(good, "not an output shape", expected, str(list(self.shape)), argument="shape")
        total, known = product(input_shape), self._known()
        fits = same(total % known, 0) if free else same(total, known)
        values = f"a multiple of {known}" if free else f"{known}"
        received = f"{total} (the shape {shape_text(input_shape)})"
        yield Require(
            fits, "'reshape' keeps the number of values", f"{values} values", received, argument="shape"
        )

    def _known(self) -> Dim:
        return product(size for size in self.shape if size != -1)

    def output(self, input_shape: Shape) -> Shape:
        if -1 not in self.shape:
            return self.shape
        rest = product(input_shape) // self._known()
        return tuple(rest if size == -1 else size for size in self.shape)

    def windows(self, input_shape: Shape) -> Extent:
        return SCRAMBLED


@layer("upsample")
class Upsample(Weightless):
    """Enlarges or shrinks a map by a factor or to a size, by (bi)linear interpolation or repetition.

    By a factor s there are floor(n s) outputs; output i lies at (i + 1/2)/s - 1/2 between the centers of the
    inputs. To a size o, n/o takes the place of 1/s. ``nearest`` takes the nearest input, of two equally near
    ones the second, as ``nearest-exact`` of PyTorch does.
    """

    scale: int | float | tuple[int | float, ...] | None = arg(
        EachAxis(Factor()), "the factor along each axis", main=True, default=None
    )
    size: int | tuple[int, ...] | None = arg(
        PerAxis(), "the output size along each axis, instead of a factor", default=None
    )
    mode: str = arg(Choice("nearest", "bilinear"), "how values in between are computed", default="nearest")

    examples: ClassVar[tuple[Example, ...]] = (
        Example("2", ((4, 5, 3),)),
        Example("{scale: [2, 3], mode: bilinear}", ((4, 5, 3),)),
        Example("{scale: 3, mode: bilinear}", ((4, 6),)),
        Example("2", ((2, 3, 4, 2),)),
        Example("1.5", ((2, 5, 4),)),
        Example("{scale: [0.5, 1.25], mode: bilinear}", ((2, 5, 8),)),
        Example("0.5", ((2, 3, 4, 2),)),
        Example("{size: [7, 3]}", ((2, 5, 4),)),
        Example("{size: 6, mode: bilinear}", ((2, 4, 9),)),
        Example("{size: 5, mode: bilinear}", ((3, 7),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "upsample")
        message = "'upsample' has either a factor or a size"
        received = "neither" if self.scale is None else "both"
        one = (self.scale is None) != (self.size is None)
        yield Require(one, message, "'scale' or 'size'", received)
        yield from axes_match(input_shape, "upsample", scale=self.scale, size=self.size)
        rank = len(input_shape) - 1
        for axis, (window, n) in enumerate(zip(self.windows(input_shape), input_shape[1:], strict=True)):
            yield Require(
                window.fits(n),
                "'upsample' leaves no output",
                f"at least 1 position of output along {axis_name(axis, rank)}",
                f"{n} of input",
                argument="scale",
            )
            if isinstance(window, Resampled) and self.mode == "bilinear" and window.up > window.down > 0:
                # torch would copy the map, without moving its positions as the factor requires.
                least = ceil_div(window.down, window.up - window.down)
                yield Require(
                    window.placements(n) > n,
                    "the input is too small for this factor of 'upsample': it would remain as it is",
                    f"at least {least} along {axis_name(axis, rank)}",
                    str(n),
                    "'size' sets the size of the output instead",
                    "scale",
                )

    def output(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *placements(self.windows(input_shape), input_shape[1:]))

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """nearest: none; bilinear: a product for each of 2^axes neighbors, and the additions between them."""
        each = 2 ** len(input_shape) - 1 if self.mode == "bilinear" else 0
        return each * product(output_shape)

    def windows(self, input_shape: Shape) -> tuple[TransposedWindow | Resampled, ...]:
        rank = len(input_shape) - 1
        if self.scale is None:
            sizes = along(1 if self.size is None else self.size, rank)
            return tuple(Resampled(size, 0, self.mode == "bilinear") for size in sizes)
        return tuple(map(self._window, along(self.scale, rank)))

    def _window(self, scale: float) -> TransposedWindow | Resampled:
        if isinstance(scale, float):
            return Resampled(*scale.as_integer_ratio(), self.mode == "bilinear")
        if self.mode == "nearest":
            return TransposedWindow(scale, scale)
        # Linear interpolation by s is a transposed convolution with a triangular kernel of size 2s - s%2.
        kernel = 2 * scale - scale % 2
        pads = kernel - scale
        return TransposedWindow(kernel, scale, 1, pads // 2, pads - pads // 2)


@layer("pixelshuffle")
class PixelShuffle(Rearranging):
    """Turns every r*r channels into one with r times the height and width (Shi et al., 2016)."""

    scale: int = arg(Whole(1), "the factor r", main=True)

    examples: ClassVar[tuple[Example, ...]] = (Example("2", ((8, 5, 3),)), Example("3", ((9, 2, 2),)))

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield Require(
            len(input_shape) == 3,
            "'pixelshuffle' takes images",
            "a map of height and width",
            f"the shape {shape_text(input_shape)}",
        )
        square = self.scale**2
        expected = f"a number of channels that {square} divides"
        yield Require(
            same(input_shape[0] % square, 0),
            "'pixelshuffle' cannot split its channels",
            expected,
            f"{input_shape[0]}",
            argument="scale",
        )

    def output(self, input_shape: Shape) -> Shape:
        return (input_shape[0] // self.scale**2, *(n * self.scale for n in input_shape[1:]))

    def windows(self, input_shape: Shape) -> tuple[AnyWindow, ...]:
        return (TransposedWindow(self.scale, self.scale),) * 2


@layer("channelshuffle")
class ChannelShuffle(Rearranging):
    """Interleaves the channels of groups, so that the next grouped layer mixes them (Zhang et al., 2017)."""

    groups: Dim = arg(Count(), "number of groups", main=True)

    examples: ClassVar[tuple[Example, ...]] = (Example("3", ((6, 4, 4),)), Example("2", ((4, 5),)))

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "channelshuffle")
        expected = f"a number of channels that {self.groups} divides"
        message = "'channelshuffle' cannot split its channels into groups"
        yield Require(
            same(input_shape[0] % self.groups, 0), message, expected, f"{input_shape[0]}", argument="groups"
        )

    def output(self, input_shape: Shape) -> Shape:
        return input_shape

    def windows(self, input_shape: Shape) -> tuple[AnyWindow, ...]:
        return (POINT,) * (len(input_shape) - 1)


@layer("crop")
class Crop(Rearranging):
    """Cuts positions off the borders."""

    amount: Padding = arg(Edges(), "number of positions to cut off on each side", main=True)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("2", ((3, 9, 8),)),
        Example("{amount: {top: 1, left: 3}}", ((3, 9, 8),)),
        Example("[1, 2]", ((3, 9, 8),)),
        Example("1", ((3, 9),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "crop")
        yield from padding_axes(input_shape, "crop", self.amount.axes(), "amount")
        for axis, (window, n) in enumerate(zip(self.windows(input_shape), input_shape[1:], strict=True)):
            cut = -window.before - window.after
            expected = f"more than {cut} along {axis_name(axis, len(input_shape) - 1)}"
            yield Require(n > cut, "'crop' removes the whole input", expected, str(n), argument="amount")

    def windows(self, input_shape: Shape) -> tuple[Window, ...]:
        sides = (self.amount.along(axis, 1, 1) for axis in range(len(input_shape) - 1))
        return tuple(Window(1, before=-before, after=-after) for before, after in sides)

    def output(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *placements(self.windows(input_shape), input_shape[1:]))


@layer("pad")
class Pad(Rearranging):
    """Adds positions at the borders."""

    amount: Padding = arg(Edges(), "number of positions to add on each side", main=True)
    mode: str = arg(Choice(*MODES), "what they contain", default="zeros")
    value: float = arg(Number(), "the value for 'mode: constant'", default=0.0)

    examples: ClassVar[tuple[Example, ...]] = (
        Example("2", ((3, 9, 8),)),
        Example("{amount: {top: 1, left: 3}, mode: reflect}", ((3, 9, 8),)),
        Example("{amount: [1, 2], mode: symmetric}", ((3, 4, 5),)),
        Example("{amount: 1, mode: circular}", ((3, 9),)),
        Example("{amount: 1, mode: replicate}", ((2, 3, 4, 5),)),
        Example("{amount: 2, mode: constant, value: -1}", ((3, 4, 4),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "pad")
        yield from padding_axes(input_shape, "pad", self.amount.axes(), "amount")
        yield from mirrored_pads_fit(input_shape, self.windows(input_shape), self.mode, "mode")

    def windows(self, input_shape: Shape) -> tuple[Window, ...]:
        sides = (self.amount.along(axis, 1, 1) for axis in range(len(input_shape) - 1))
        return tuple(Window(1, before=before, after=after) for before, after in sides)

    def output(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *placements(self.windows(input_shape), input_shape[1:]))


@layer("shortcut")
class Shortcut(Layer):
    """The shortcut of a residual unit: the identity if shapes agree (He et al., 2015, section 3.3).

    Otherwise ``project`` (option B) is a 1x1 convolution without bias and a batch normalization, to which the
    spec's ``defaults`` of ``batchnorm`` apply; ``pad`` (option A) takes every ``stride``-th position and
    appends channels of zeros.
    """

    channels: Dim = arg(Count(), "number of output channels", main=True)
    stride: int = arg(Whole(1), "step along every axis", default=1)
    mode: str = arg(Choice("project", "pad"), "what to do if shapes differ", default="project")
    eps: float = same_arg(BatchNorm, "eps")
    affine: bool = same_arg(BatchNorm, "affine")
    momentum: float = same_arg(BatchNorm, "momentum")

    inherits: ClassVar[Mapping[str, Collection[str]]] = {"batchnorm": ("eps", "affine", "momentum")}
    examples: ClassVar[tuple[Example, ...]] = (
        Example("16", ((16, 8, 8),)),
        Example("{channels: 32, stride: 2}", ((16, 9, 8),)),
        Example("{channels: 32, stride: 2, mode: pad}", ((16, 9, 8),)),
        Example("{channels: 8}", ((4, 9),)),
        Example("{channels: 8, eps: 0.001, momentum: 0.01, affine: false}", ((4, 5, 3),)),
        Example("{channels: 8, stride: 2}", ((4, 5, 4, 3),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "shortcut")
        if self.mode == "pad":
            message = "'shortcut' with 'mode: pad' can only add channels"
            yield Require(
                input_shape[0] <= self.channels,
                message,
                f"at most {self.channels} channels",
                f"{input_shape[0]}",
            )

    def is_identity(self, input_shape: Shape) -> bool:
        """Return whether the input passes unchanged."""
        return self.stride == 1 and bool(same(input_shape[0], self.channels))

    def projects(self, input_shape: Shape) -> bool:
        """Return whether it has a convolution and a batch normalization."""
        return self.mode == "project" and not self.is_identity(input_shape)

    def output(self, input_shape: Shape) -> Shape:
        return (self.channels, *(ceil_div(n, self.stride) for n in input_shape[1:]))

    def parameters(self, input_shape: Shape) -> Tensors:
        if not self.projects(input_shape):
            return NONE
        ones = (1,) * (len(input_shape) - 1)
        own = (self.channels,)
        scales = {"1.weight": own, "1.bias": own} if self.affine else {}
        return {"0.weight": (self.channels, input_shape[0], *ones)} | scales

    def matrices(self) -> tuple[str, ...]:
        return ("0.weight",)

    def buffers(self, input_shape: Shape) -> Tensors:
        own = (self.channels,)
        return {"1.running_mean": own, "1.running_var": own} if self.projects(input_shape) else NONE

    def macs(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return input_shape[0] * product(output_shape) if self.projects(input_shape) else 0

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """A projection's batch normalization: two per output, and two more for scale and shift."""
        return (2 + 2 * self.affine) * product(output_shape) if self.projects(input_shape) else 0

    def neurons(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return product(output_shape) if self.projects(input_shape) else 0

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        if not self.projects(input_shape):
            return 0
        return self.macs(input_shape, output_shape) + 2 * self.affine * product(output_shape)

    def windows(self, input_shape: Shape) -> tuple[AnyWindow, ...]:
        return (Window(1, self.stride),) * (len(input_shape) - 1)
