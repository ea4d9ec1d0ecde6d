"""What a module says about its settings, to compare with the arguments of the layer that it belongs to.

Shapes do not show whether a module has the right epsilon, slope or padding. For every argument that they may
not show, this reads the value back from the module, without the builder that has put it there. The contract
is that a changed argument always shows: in a shape, in a cost or here (``tests/network/test_settings.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from torch import nn

from cnncli.algebra import whole
from cnncli.layers import Kind, activation, norm, regularization
from cnncli.layers.conv import Conv, ConvTranspose
from cnncli.layers.geometry.window import Window, native_pads
from cnncli.layers.joins import MatchSize
from cnncli.layers.kind import along
from cnncli.layers.pooling import AvgPool, MaxPool, Pool, Subsample
from cnncli.layers.shaping import ChannelShuffle, Crop, Pad, PixelShuffle, Shortcut, Upsample
from cnncli.network.norm import ChannelNorm
from cnncli.network.padding import frames_by_size, pads_by_size
from cnncli.network.registry import Sizes

_SCALARS: Final = (bool, int, float, str)


class Setting(NamedTuple):
    """A setting of a layer, as its arguments have it and as its module has it."""

    name: str
    ours: object
    theirs: object


Reader: TypeAlias = Callable[[Any, Sizes, Any], Iterator[Setting]]
"""Yields the settings of a layer, for the shape of its input, and of its module."""


def settings(layer: Kind[Any], input_shape: Sizes, module: nn.Module) -> Iterator[Setting]:
    """Yield the settings to compare: those of its readers, or those of one name on both sides."""
    readers = [reader for kind, reader in _READERS.items() if isinstance(layer, kind)]
    for reader in readers:
        yield from reader(layer, input_shape, module)
    if readers:
        return
    renamed = _RENAMED.get(type(layer), {})
    for name in layer.arguments:
        ours, theirs = getattr(layer, name), getattr(module, renamed.get(name, name), None)
        if name in renamed or (isinstance(ours, _SCALARS) and isinstance(theirs, _SCALARS)):
            yield Setting(name, ours, theirs)


_RENAMED: Final[Mapping[type[Kind[Any]], Mapping[str, str]]] = {
    activation.LeakyReLU: {"slope": "negative_slope"},
    activation.PReLU: {"start": "init"},
    norm.BatchNorm: {"eps": "eps", "momentum": "momentum"},
    norm.GroupNorm: {"eps": "eps", "groups": "num_groups"},
    norm.InstanceNorm: {"eps": "eps"},
    regularization.Dropout: {"probability": "p"},
    regularization.Dropout2d: {"probability": "p"},
    PixelShuffle: {"scale": "upscale_factor"},
    ChannelShuffle: {"groups": "groups"},
}
"""The attributes of modules that have other names than the arguments, or that must not be missing."""


def _conv(layer: Conv, input_shape: Sizes, module: Any) -> Iterator[Setting]:
    rank, windows = len(input_shape) - 1, layer.windows(input_shape)
    yield Setting("stride", along(layer.stride, rank), tuple(module.stride))
    yield Setting("dilation", along(layer.dilation, rank), tuple(module.dilation))
    native = not hasattr(module, "amounts")
    pads = [[(each, each)] for each in module.padding] if native else module.amounts
    yield Setting("padding", pads_by_size(windows), pads)
    if any(pair != (0, 0) for axis in pads for pair in axis):
        mode, value = ("zeros", 0.0) if native else (module.mode, module.value)
        yield Setting("padding_mode", *(_filling(*each) for each in (_padding_of(layer), (mode, value))))
    yield Setting("flip", layer.flip, False if native else module.flip)
    if layer.table is not None:
        count = input_shape[0]
        ours = [row * count + channel for row, read in enumerate(layer.table) for channel in read]
        yield Setting("table", ours, _connected(module))


def _padding_of(layer: Conv) -> tuple[str, float]:
    return layer.padding_mode, layer.padding_value


def _filling(mode: str, value: float) -> str:
    """Return what pads contain; a constant of 0 is the same as zeros."""
    return f"constant {value}" if mode == "constant" and value else "zeros" if mode == "constant" else mode


def _connected(module: Any) -> list[int]:
    """Return the places of kernels that are not zero, in the order of a table's rows."""
    if not hasattr(module, "runs"):
        return []
    places: list[int] = []
    position = module.gaps[0]
    for run, gap in zip(module.runs, module.gaps[1:], strict=True):
        places += range(position, position + run)
        position += run + gap
    return places


def _transposed(layer: ConvTranspose, input_shape: Sizes, module: Any) -> Iterator[Setting]:
    windows = layer.windows(input_shape)
    yield Setting("stride", [each.stride for each in windows], [*module.stride])
    yield Setting("dilation", [each.dilation for each in windows], [*module.dilation])
    cut = [(each.before, each.after - each.output_padding) for each in windows]
    if hasattr(module, "margins"):
        theirs = [(-before, -after) for before, after in module.margins]
    else:
        pairs = zip(module.padding, module.output_padding, strict=True)
        theirs = [(pad, pad - extra) for pad, extra in pairs]
    yield Setting("padding", cut, theirs)


def _pool(layer: Pool | Subsample, input_shape: Sizes, module: Any) -> Iterator[Setting]:
    windows = layer.windows(input_shape)
    native = not hasattr(module, "kernel")
    kernel = module.kernel_size if native else module.kernel
    yield Setting("kernel", [each.kernel for each in windows], [*_along(kernel, len(windows))])
    yield Setting("stride", [each.stride for each in windows], [*_along(module.stride, len(windows))])
    if isinstance(layer, MaxPool):
        theirs = _along(module.dilation, len(windows))
        yield Setting("dilation", [each.dilation for each in windows], [*theirs])
    if native:
        ours: object = (native_pads(windows), any(each.ceil_mode and not each.same for each in windows))
        yield Setting("padding", ours, (_along(module.padding, len(windows)), module.ceil_mode))
    elif hasattr(module, "frames"):
        yield Setting("padding", frames_by_size(windows), module.frames)


def _average(layer: AvgPool, input_shape: Sizes, module: Any) -> Iterator[Setting]:
    if hasattr(module, "count_include_pad"):
        yield Setting("count_padding", layer.count_padding, module.count_include_pad)
        return
    windows = layer.windows(input_shape)
    counted = pads_by_size(windows if layer.count_padding else [Window(1)] * len(windows))
    yield Setting("count_padding", counted, module.counted)


def _along(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    return along(value if isinstance(value, int) else tuple(value), rank)


def _layernorm(layer: norm.LayerNorm, input_shape: Sizes, module: Any) -> Iterator[Setting]:
    yield Setting("eps", layer.eps, module.eps)
    yield Setting("over", layer.over, "channels" if isinstance(module, ChannelNorm) else "all")


def _upsample(layer: Upsample, input_shape: Sizes, module: Any) -> Iterator[Setting]:
    rank = len(input_shape) - 1
    scale = None if layer.scale is None else [float(each) for each in along(layer.scale, rank)]
    yield Setting("scale", scale, module.scale)
    yield Setting("size", None if layer.size is None else [*along(layer.size, rank)], module.size)
    yield Setting("mode", layer.mode, "nearest" if "nearest" in module.mode else "bilinear")


def _crop(layer: Crop, input_shape: Sizes, module: Any) -> Iterator[Setting]:
    yield Setting("amount", pads_by_size(layer.windows(input_shape)), module.amounts)


def _pad(layer: Pad, input_shape: Sizes, module: Any) -> Iterator[Setting]:
    yield Setting("amount", pads_by_size(layer.windows(input_shape)), module.amounts)
    yield Setting("mode", layer.mode, module.mode)
    yield Setting("value", layer.value, module.value)


def _matchsize(layer: MatchSize, input_shape: Sizes, module: Any) -> Iterator[Setting]:
    """Yield whether positions are repeated: where sizes are equal already, nothing is cut off either."""
    words = ("nearest" if repeats else "crop" for repeats in (layer.mode == "nearest", module.nearest))
    yield Setting("mode", *words)


def _shortcut(layer: Shortcut, input_shape: Sizes, module: Any) -> Iterator[Setting]:
    if layer.is_identity(input_shape):
        yield Setting("mode", "Identity", type(module).__name__)
    elif layer.projects(input_shape):
        conv, normalization = module[0], module[1]
        yield Setting("stride", (layer.stride,) * (len(input_shape) - 1), tuple(conv.stride))
        yield Setting("eps", layer.eps, normalization.eps)
        yield Setting("momentum", layer.momentum, normalization.momentum)
    else:
        added = whole(layer.channels) - input_shape[0]
        yield Setting("stride", layer.stride, module.stride)
        yield Setting("channels", added, module.margins[-1])


_READERS: Final[Mapping[type[Kind[Any]], Reader]] = {
    Conv: _conv,
    ConvTranspose: _transposed,
    MatchSize: _matchsize,
    Pool: _pool,
    Subsample: _pool,
    AvgPool: _average,
    norm.LayerNorm: _layernorm,
    Upsample: _upsample,
    Crop: _crop,
    Pad: _pad,
    Shortcut: _shortcut,
}
