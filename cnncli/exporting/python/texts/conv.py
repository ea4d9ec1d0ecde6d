"""Convolution."""

from __future__ import annotations

from typing import Final

PADDED_CONV: Final = '''
class PaddedConv{rank}d(nn.Conv{rank}d):
    """A convolution with padding that is uneven, depends on the size, or is not zeros."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: {size},
        *,
        pads: Pads,
        stride: {size} = 1,
        dilation: {size} = 1,
        groups: int = 1,
        bias: bool = True,
        mode: str = "zeros",
        value: float = 0.0,
        flip: bool = False,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )
        self.pads, self.mode, self.value, self.flip = pads, mode, value, flip

    def forward(self, x: Tensor) -> Tensor:
        x = pad(x, self.pads, self.mode, self.value)
        weight = self.weight.flip({axes}) if self.flip else self.weight
        return functional.conv{rank}d(
            x, weight, self.bias, self.stride, 0, self.dilation, self.groups
        )
'''

TABLE_CONV: Final = '''
class TableConv{rank}d(nn.Module):
    """A convolution with one kernel for each connection that a table lists.

    Row k of the table has the input channels that output channel k reads.
    """

    places: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: {size},
        *,
        table: Sequence[Sequence[int]],
        pads: Pads,
        stride: {size} = 1,
        dilation: {size} = 1,
        bias: bool = True,
        mode: str = "zeros",
        value: float = 0.0,
        flip: bool = False,
    ) -> None:
        super().__init__()
        size = kernel_size
        kernel = (size,) * {rank} if isinstance(size, int) else size
        places = [k * in_channels + c for k, row in enumerate(table) for c in row]
        self.shape = (out_channels, in_channels, *kernel)
        self.register_buffer("places", torch.tensor(places), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(places), *kernel))
        self.bias = nn.Parameter(torch.empty(out_channels)) if bias else None
        bound = (out_channels / self.weight.numel()) ** 0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)
        self.stride, self.dilation = stride, dilation
        self.pads, self.mode, self.value, self.flip = pads, mode, value, flip

    def forward(self, x: Tensor) -> Tensor:
        x = pad(x, self.pads, self.mode, self.value)
        zeros = self.weight.new_zeros(self.shape).flatten(0, 1)
        weight = zeros.index_copy(0, self.places, self.weight).view(self.shape)
        if self.flip:
            weight = weight.flip({axes})
        return functional.conv{rank}d(x, weight, self.bias, self.stride, 0, self.dilation)
'''

CUT_CONV: Final = '''
class CutConvTranspose{rank}d(nn.ConvTranspose{rank}d):
    """A transposed convolution whose sums are cut or padded by margins."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: {size},
        *,
        margins: Sequence[tuple[int, int]],
        stride: {size} = 1,
        dilation: {size} = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride=stride,
            dilation=dilation,
            groups=groups,
            bias=bias,
        )
        self.margins = [amount for pair in reversed(margins) for amount in pair]

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        x = functional.conv_transpose{rank}d(
            x,
            self.weight,
            stride=self.stride,
            groups=self.groups,
            dilation=self.dilation,
        )
        x = functional.pad(x, self.margins)
        return x if self.bias is None else x + self.bias.view(-1, {ones})
'''

SHORTCUT: Final = '''
def shortcut{rank}d(
    in_channels: int,
    out_channels: int,
    stride: int = 1,
    eps: float = 1e-5,
    momentum: float = 0.1,
    affine: bool = True,
) -> nn.Module:
    """Return the identity if shapes agree, else a projection."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv{rank}d(in_channels, out_channels, 1, stride=stride, bias=False),
        nn.BatchNorm{norm}d(out_channels, eps, momentum, affine),
    )
'''

PADDED_SHORTCUT: Final = '''
class PaddedShortcut(nn.Module):
    """Every stride-th position, with channels of zeros appended."""

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.extra, self.stride = out_channels - in_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        if self.stride > 1:
            x = x[(..., *[slice(None, None, self.stride)] * (x.dim() - 2))]
        return functional.pad(x, [0, 0] * (x.dim() - 2) + [0, self.extra])
'''
