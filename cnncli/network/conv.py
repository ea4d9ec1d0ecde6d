"""Convolution and transposed convolution."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, Final

from torch import Tensor, nn
from torch.nn import functional

from cnncli.layers.conv import Conv, ConvTranspose
from cnncli.layers.kind import along
from cnncli.layers.window import TransposedWindow
from cnncli.network.initial import initialise
from cnncli.network.padding import Padder, native_pads, pad
from cnncli.network.registry import Sizes, builder, by_rank


class _PadsFirst(nn.Module):
    """Pads by itself as torch's convolution cannot: unevenly, by the input's size, in other modes."""

    padder: Padder

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = super().forward(self.padder(x))
        return y


class PaddedConv1d(_PadsFirst, nn.Conv1d):
    """Convolution along one axis after padding."""


class PaddedConv2d(_PadsFirst, nn.Conv2d):
    """Convolution along two axes after padding."""


class PaddedConv3d(_PadsFirst, nn.Conv3d):
    """Convolution along three axes after padding."""


CONV: Final[dict[int, type[Any]]] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
_PADDED: Final[dict[int, type[Any]]] = {1: PaddedConv1d, 2: PaddedConv2d, 3: PaddedConv3d}


@builder(Conv)
def conv(kind: Conv, x: Sizes) -> nn.Module:
    """PyTorch's own padding where it can do it; else padding first, under the same names of parameters."""
    rank = len(x) - 1
    windows = kind.windows(x)
    kernel, stride, dilation = (along(each, rank) for each in (kind.kernel, kind.stride, kind.dilation))
    zeros = kind.padding_mode == "zeros" or (kind.padding_mode == "constant" and kind.padding_value == 0)
    pads = native_pads(windows)
    settings = {"stride": stride, "dilation": dilation, "groups": kind.groups, "bias": kind.bias}
    module: Any
    if pads is not None and (zeros or not any(pads)):
        module = by_rank(CONV, x)(x[0], kind.channels, kernel, padding=pads, **settings)
    else:
        module = by_rank(_PADDED, x)(x[0], kind.channels, kernel, **settings)
        module.padder = Padder(windows, kind.padding_mode, kind.padding_value)
    initialise(module, x[0] // kind.groups * prod(kernel))
    assert isinstance(module, nn.Module)
    return module


class _CutsAfter(nn.Module):
    """Places the whole kernels, then cuts or adds at the borders what torch's own arguments cannot say."""

    weight: Tensor
    bias: Tensor | None
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    margins: tuple[tuple[int, int], ...]

    def forward(self, x: Tensor) -> Tensor:
        rank = len(self.margins)
        transposed = _TRANSPOSE[rank]
        y = transposed(x, self.weight, None, self.stride, 0, 0, self.groups, self.dilation)
        y = pad(y, self.margins)
        return y if self.bias is None else y + self.bias.view(-1, *(1,) * rank)


class CutConvTranspose1d(_CutsAfter, nn.ConvTranspose1d):  # type: ignore[misc]  # no output_size
    """Transposed convolution along one axis before a cut."""


class CutConvTranspose2d(_CutsAfter, nn.ConvTranspose2d):  # type: ignore[misc]  # no output_size
    """Transposed convolution along two axes before a cut."""


class CutConvTranspose3d(_CutsAfter, nn.ConvTranspose3d):  # type: ignore[misc]  # no output_size
    """Transposed convolution along three axes before a cut."""


_TRANSPOSE: Final[dict[int, Callable[..., Tensor]]] = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}
_TRANSPOSED: Final[dict[int, type[Any]]] = {
    1: nn.ConvTranspose1d,
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
_CUT: Final[dict[int, type[Any]]] = {1: CutConvTranspose1d, 2: CutConvTranspose2d, 3: CutConvTranspose3d}


@builder(ConvTranspose)
def convtranspose(kind: ConvTranspose, x: Sizes) -> nn.Module:
    """PyTorch takes ``before`` off both ends and then adds ``output_padding`` to the end, within limits."""
    windows = kind.windows(x)
    extra = tuple(window.before - window.after + window.output_padding for window in windows)
    native = all(_torch_can_add(window, each) for window, each in zip(windows, extra, strict=True))
    settings = {
        "kernel_size": tuple(window.kernel for window in windows),
        "stride": tuple(window.stride for window in windows),
        "dilation": tuple(window.dilation for window in windows),
        "groups": kind.groups,
        "bias": kind.bias,
    }
    if native:
        settings |= {"padding": tuple(window.before for window in windows), "output_padding": extra}
    module: nn.Module = by_rank(_TRANSPOSED if native else _CUT, x)(x[0], kind.channels, **settings)
    if not native:
        margins = tuple((-window.before, window.output_padding - window.after) for window in windows)
        module.margins = margins  # type: ignore[assignment]
    # Copies of the kernel overlap where it is larger than the stride: so many products an output sums.
    overlap = prod(window.kernel / window.stride for window in windows)
    initialise(module, max(x[0] // kind.groups * overlap, 1))
    return module


def _torch_can_add(window: TransposedWindow, positions: int) -> bool:
    return 0 <= positions < max(window.stride, window.dilation)
