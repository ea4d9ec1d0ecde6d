"""Convolution and transposed convolution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnncli.algebra import Dim, product, same
from cnncli.language.fields import arg
from cnncli.language.readers import Choice, Count, Flag, Number, PerAxis
from cnncli.layers.geometry.axis import placements
from cnncli.layers.geometry.padding import MODES, VALID, Padding, PaddingReader
from cnncli.layers.geometry.sliding import axis_name, make_windows, windows_fit
from cnncli.layers.geometry.window import TransposedWindow, Window, native_pads
from cnncli.layers.kind import (
    Example,
    Require,
    Shape,
    Summing,
    Tensors,
    along,
    axes_match,
    is_map,
    padding_axes,
)
from cnncli.layers.registry import layer
from cnncli.layers.table import Table, TableReader, connected


def _groups_divide(kind: str, groups: Dim, channels: Dim, out_channels: Dim) -> Iterator[Require]:
    for what, count in (("input channels", channels), ("output channels", out_channels)):
        yield Require(
            same(count % groups, 0),
            f"'{kind}' cannot split its {what} into groups",
            f"a number of {what} that {groups} divides",
            f"{count}",
            argument="groups",
        )


@layer("conv")
class Conv(Summing):
    """Convolution: every output channel sums one kernel per input channel, and adds its bias.

    a[k, i, j] = b[k] + sum over c, p, q of w[k, c, p, q] x[c, si + dp, sj + dq].

    As in all deep-learning libraries, this is a cross-correlation. The convolution of signal processing,
    a[i, j] = sum over p, q of x[i - p, j - q] w[p, q], mirrors the kernel along every axis, which makes
    no difference for a learned kernel; ``flip: true`` computes exactly that.

    The output has floor((n + pads - k') / s) + 1 positions along an axis, k' = d(k - 1) + 1
    (Dumoulin and Visin, A guide to convolution arithmetic for deep learning, 2016). ``valid`` adds no pads,
    ``half`` adds floor(d(k - 1) / 2) on each side, and ``same`` adds what ceil(n / s) positions need, the odd
    one after.

    A ``table`` lists for every output channel the input channels that it reads, counted from 0, as table I
    of LeCun et al. (1998) does; each of these connections has one kernel.
    """

    channels: Dim = arg(Count(), "number of output channels", main=True)
    kernel: int | tuple[int, ...] = arg(PerAxis(), "kernel size along each axis")
    stride: int | tuple[int, ...] = arg(PerAxis(), "step between placements of the kernel", default=1)
    padding: Padding = arg(PaddingReader(), "how the borders are padded", default=VALID)
    padding_mode: str = arg(Choice(*MODES), "what the padded positions contain", default="zeros")
    padding_value: float = arg(Number(), "the value for 'padding_mode: constant'", default=0.0)
    dilation: int | tuple[int, ...] = arg(PerAxis(), "step between the elements of the kernel", default=1)
    groups: Dim = arg(Count(), "number of groups of channels that are not connected", default=1)
    table: Table | None = arg(
        TableReader(), "for each output channel, the input channels it reads", default=None
    )
    flip: bool = arg(Flag(), "mirror the kernel along every axis", default=False)
    bias: bool = arg(Flag(), "add a bias to every output channel", default=True)

    shorthand = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example("{channels: 6, kernel: 5}", ((1, 32, 32),)),
        Example("{channels: 64, kernel: 7, stride: 2, padding: half, bias: false}", ((3, 21, 18),)),
        Example("{channels: 8, kernel: [3, 4], stride: 2, padding: same, groups: 2}", ((4, 9, 14),)),
        Example(
            "{channels: 4, kernel: 3, dilation: 2, padding: same, padding_mode: symmetric}", ((2, 9, 9),)
        ),
        Example("{channels: 4, kernel: 5, stride: 3}", ((2, 40),)),
        Example("{channels: 4, kernel: 3, padding: {top: 1, left: 2}}", ((2, 7, 6),)),
        Example("{channels: 3, kernel: 3, padding: 1}", ((2, 5, 6, 7),)),
        Example(
            "{channels: 2, kernel: 3, padding: 1, padding_mode: constant, padding_value: 0.5}", ((2, 4, 5),)
        ),
        Example("{channels: 3, kernel: 2, table: [[0, 1], [2], [0, 1, 3]]}", ((4, 6, 5),)),
        Example("{channels: 2, kernel: [3, 2], stride: 2, padding: same, flip: true}", ((3, 6, 7),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        yield is_map(input_shape, "conv")
        yield from axes_match(
            input_shape, "conv", kernel=self.kernel, stride=self.stride, dilation=self.dilation
        )
        yield from padding_axes(input_shape, "conv", self.padding.axes())
        if self.table is not None:
            yield from _table_fits(self.table, input_shape[0], self.channels, self.groups)
        yield from _groups_divide("conv", self.groups, input_shape[0], self.channels)
        yield from windows_fit(input_shape, self.windows(input_shape), "conv")
        yield from mirrored_pads_fit(
            input_shape, self.windows(input_shape), self.padding_mode, "padding_mode"
        )

    def windows(self, input_shape: Shape) -> tuple[Window, ...]:
        return make_windows(len(input_shape) - 1, self.kernel, self.stride, self.padding, self.dilation)

    def output(self, input_shape: Shape) -> Shape:
        return (self.channels, *placements(self.windows(input_shape), input_shape[1:]))

    def parameters(self, input_shape: Shape) -> Tensors:
        kernel = along(self.kernel, len(input_shape) - 1)
        kernels = (
            (self.channels, input_shape[0] // self.groups) if self.table is None else (connected(self.table),)
        )
        return {"weight": (*kernels, *kernel)} | ({"bias": (self.channels,)} if self.bias else {})

    def matrices(self) -> tuple[str, ...]:
        """Return the weight, unless groups of channels have matrices of their own."""
        whole = self.table is None and isinstance(self.groups, int) and self.groups == 1
        return ("weight",) if whole else ()

    def macs(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return product(self.parameters(input_shape)["weight"]) * product(output_shape[1:])

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """One addition per output for the bias."""
        return product(output_shape) if self.bias else 0

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return self.macs(input_shape, output_shape) + (product(output_shape) if self.bias else 0)

    def is_native(self, input_shape: Shape) -> bool:
        """Return whether torch's own layer computes it: that pads evenly, with zeros, and mirrors nothing."""
        pads = native_pads(self.windows(input_shape))
        zeros = self.padding_mode == "zeros" or (self.padding_mode, self.padding_value) == ("constant", 0)
        return pads is not None and (zeros or not any(pads)) and not self.flip and self.table is None


def _table_fits(table: Table, channels: Dim, out_channels: Dim, groups: Dim) -> Iterator[Require]:
    message = "'conv' takes a table or groups, not both: both say what is connected"
    yield Require(
        same(groups, 1), message, "only one of them", f"a table and groups: {groups}", argument="groups"
    )
    yield Require(
        same(len(table), out_channels),
        "the table of 'conv' does not have one row per output channel",
        f"{out_channels} rows",
        f"{len(table)}",
        argument="table",
    )
    last = max(map(max, table))
    yield Require(
        channels > last,
        "the table of 'conv' names an input channel that does not exist",
        f"channels below {channels}, counted from 0",
        f"{last}",
        argument="table",
    )


def mirrored_pads_fit(
    input_shape: Shape, windows: tuple[Window, ...], mode: str, argument: str
) -> Iterator[Require]:
    """Yield the requirements of padding that copies input values: there must be enough of them.

    ``reflect`` omits the edge and therefore needs one more than ``symmetric`` and ``circular``. The mode is
    set by the kind's argument ``argument``.
    """
    if mode not in ("reflect", "symmetric", "circular"):
        return
    for axis, (window, n) in enumerate(zip(windows, input_shape[1:], strict=True)):
        most = window.most_padded(n)
        least = most + 1 if mode == "reflect" else most
        where = axis_name(axis, len(windows))
        message = f"the input is too small for '{argument}: {mode}'"
        yield Require(n >= least, message, f"at least {least} along {where}", str(n), argument=argument)


@layer("convtranspose")
class ConvTranspose(Summing):
    """Transposed convolution: every input position adds a scaled copy of the kernel to the output.

    The output has (n - 1)s - pads + k' + output_padding positions along an axis. Multiply-accumulates
    are counted over input positions, since that is where kernels are placed (Dumoulin and Visin, 2016).
    ``same`` results in n s positions, ``half`` removes dilation*(kernel-1)//2 from each side.
    """

    channels: Dim = arg(Count(), "number of output channels", main=True)
    kernel: int | tuple[int, ...] = arg(PerAxis(), "kernel size along each axis")
    stride: int | tuple[int, ...] = arg(PerAxis(), "distance between the copies of the kernel", default=1)
    padding: Padding = arg(PaddingReader(), "what is removed from the borders of the output", default=VALID)
    output_padding: int | tuple[int, ...] = arg(PerAxis(0), "positions added at the end", default=0)
    dilation: int | tuple[int, ...] = arg(PerAxis(), "step between the elements of the kernel", default=1)
    groups: Dim = arg(Count(), "number of groups of channels that are not connected", default=1)
    bias: bool = arg(Flag(), "add a bias to every output channel", default=True)

    shorthand = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example("{channels: 64, kernel: 2, stride: 2}", ((128, 28, 28),)),
        Example("{channels: 4, kernel: 3, stride: 2, padding: 1, output_padding: 1}", ((6, 7, 5),)),
        Example("{channels: 4, kernel: 4, stride: 2, padding: same, groups: 2, bias: false}", ((6, 7, 5),)),
        Example("{channels: 3, kernel: 2, stride: 3, padding: same}", ((2, 9),)),
        Example("{channels: 3, kernel: 3, stride: 2, padding: half, dilation: 2}", ((2, 4, 5, 4),)),
        Example("{channels: 3, kernel: 4, stride: 2, padding: {top: 1, right: 2}}", ((2, 4, 5),)),
    )

    def check(self, input_shape: Shape) -> Iterator[Require]:
        kind = "convtranspose"
        yield is_map(input_shape, kind)
        yield from axes_match(
            input_shape,
            kind,
            kernel=self.kernel,
            stride=self.stride,
            dilation=self.dilation,
            output_padding=self.output_padding,
        )
        yield from padding_axes(input_shape, kind, self.padding.axes())
        yield from _groups_divide(kind, self.groups, input_shape[0], self.channels)
        rank = len(input_shape) - 1
        strides, dilations = along(self.stride, rank), along(self.dilation, rank)
        for extra, s, d in zip(along(self.output_padding, rank), strides, dilations, strict=True):
            holds = extra == 0 or extra < max(s, d)
            expected = f"less than the stride {s} or the dilation {d}"
            yield Require(
                holds, "'output_padding' is too large", expected, str(extra), argument="output_padding"
            )
        for axis, (window, n) in enumerate(zip(self.windows(input_shape), input_shape[1:], strict=True)):
            where = axis_name(axis, rank)
            message = "the padding of 'convtranspose' removes the whole output"
            yield Require(
                window.fits(n), message, f"an output of at least 1 along {where}", argument="padding"
            )

    def windows(self, input_shape: Shape) -> tuple[TransposedWindow, ...]:
        rank = len(input_shape) - 1
        settings = (self.kernel, self.stride, self.dilation, self.output_padding)
        axes = zip(*(along(setting, rank) for setting in settings), strict=True)
        return tuple(self._window(axis, *each) for axis, each in enumerate(axes))

    def _window(self, axis: int, k: int, s: int, d: int, extra: int) -> TransposedWindow:
        if self.padding.word != "same":
            return TransposedWindow(k, s, d, *self.padding.along(axis, k, d), extra)
        # n s positions: what the kernel covers beyond its stride is removed, the odd one at the end.
        surplus = d * (k - 1) + 1 - s
        pads = max(surplus, 0)
        return TransposedWindow(k, s, d, pads // 2, pads - pads // 2, max(-surplus, 0) + extra)

    def output(self, input_shape: Shape) -> Shape:
        return (self.channels, *placements(self.windows(input_shape), input_shape[1:]))

    def parameters(self, input_shape: Shape) -> Tensors:
        weight = (input_shape[0], self.channels // self.groups, *along(self.kernel, len(input_shape) - 1))
        return {"weight": weight} | ({"bias": (self.channels,)} if self.bias else {})

    def macs(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return product(self.parameters(input_shape)["weight"]) * product(input_shape[1:])

    def operations(self, input_shape: Shape, output_shape: Shape) -> Dim:
        """One addition per output for the bias."""
        return product(output_shape) if self.bias else 0

    def connections(self, input_shape: Shape, output_shape: Shape) -> Dim:
        return self.macs(input_shape, output_shape) + (product(output_shape) if self.bias else 0)

    def is_native(self, input_shape: Shape) -> bool:
        """Return whether torch's own layer computes it: that adds fewer positions than stride or dilation."""
        return all(0 <= each.uneven < max(each.stride, each.dilation) for each in self.windows(input_shape))
