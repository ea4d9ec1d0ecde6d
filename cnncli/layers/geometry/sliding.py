"""What convolution and pooling share: making windows from arguments, and checking that they fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnncli.layers.geometry.padding import Padding
from cnncli.layers.geometry.window import Window
from cnncli.layers.kind import Require, Shape, along, shape_text


def make_windows(
    rank: int,
    kernel: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    padding: Padding,
    dilation: int | tuple[int, ...] = 1,
    *,
    ceil_mode: bool = False,
) -> tuple[Window, ...]:
    """Return one window for each of ``rank`` axes."""
    axes = zip(along(kernel, rank), along(stride, rank), along(dilation, rank), strict=True)
    same = padding.word == "same"
    return tuple(
        Window(k, s, d, *padding.along(axis, k, d), same=same, ceil_mode=ceil_mode)
        for axis, (k, s, d) in enumerate(axes)
    )


def windows_fit(input_shape: Shape, windows: Sequence[Window], kind: str) -> Iterator[Require]:
    """Yield the requirements that along every axis the (dilated) kernel fits into the padded input."""
    for axis, (window, n) in enumerate(zip(windows, input_shape[1:], strict=True)):
        padded = n + window.before + window.after
        pads = f" ({padded} with padding)" if padded != n else ""
        dilated = f" (kernel {window.kernel}, dilation {window.dilation})" if window.dilation > 1 else ""
        yield Require(
            window.fits(n),
            f"the kernel of '{kind}' is larger than its input {shape_text(input_shape)}",
            f"at least {window.extent}{dilated} along {axis_name(axis, len(windows))}",
            f"{n}{pads}",
            "use 'padding: same', a smaller kernel, fewer strides before this layer, or a larger input",
        )


def axis_name(axis: int, rank: int) -> str:
    """Return the usual name of a spatial axis."""
    return {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}[rank][axis]


def axis_symbols(rank: int) -> tuple[str, ...]:
    """Return the names of the unknown sizes along ``rank`` axes."""
    return {0: (), 1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}[rank]
