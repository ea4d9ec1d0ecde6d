"""PyTorch's operators as the operations of :mod:`cnncli.importing.operations`.

An operator that changes its input in place is the same as the one that does not: what reads the input later
reads its output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from cnncli.importing.operations import Array


@dataclass(frozen=True, eq=False)
class Arguments:
    """The arguments of an operator by name, defaults included: values by their names, constants as arrays.

    ``shapes`` are those of all values, batch included.
    """

    given: Mapping[str, Any]
    constants: Mapping[str, Array]
    shapes: Mapping[str, tuple[int, ...]]
    output: tuple[int, ...]

    def __getitem__(self, name: str) -> Any:
        return self.given[name]

    @property
    def first(self) -> str:
        """The first argument, which is called ``self`` or ``input``."""
        value = next(iter(self.given.values()))
        assert isinstance(value, str)
        return value

    def per_axis(self, name: str, *, rank: int) -> list[int]:
        """Return a setting for each axis."""
        value = self.given[name]
        values = [value] if isinstance(value, int) else list(value)
        return values * rank if len(values) == 1 else values

    def rank(self, name: str = "input") -> int:
        """Return the number of spatial axes of an input."""
        return len(self.shapes[self.given[name]]) - 2


class Read(NamedTuple):
    """The word of an operation, the values that it reads, its attributes, and its constants by own name."""

    word: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any] = {}
    tensors: Mapping[str, str] = {}


class UnsupportedError(Exception):
    """An operator or one of its settings has no operation."""


Reader = Callable[[Arguments], Read]

READERS: Final[dict[str, Reader]] = {}


def _reads(*names: str) -> Callable[[Reader], Reader]:
    def register(read: Reader) -> Reader:
        READERS.update(dict.fromkeys(names, read))
        return read

    return register


def _constants(a: Arguments, **names: str) -> dict[str, str]:
    """Return the constants that are given, by their own names."""
    return {own: a[name] for own, name in names.items() if a[name] is not None}


def _even(pads: Sequence[int]) -> list[tuple[int, int]]:
    return [(each, each) for each in pads]


@_reads("conv1d", "conv2d", "conv3d")
def _conv(a: Arguments) -> Read:
    rank = a.rank()
    kernel = a.constants[a["weight"]].shape[2:] if a["weight"] in a.constants else ()
    if not kernel:
        raise UnsupportedError("a convolution with kernels that are computed")
    stride, dilation = a.per_axis("stride", rank=rank), a.per_axis("dilation", rank=rank)
    if a["padding"] == "valid":
        pads = [(0, 0)] * rank
    elif a["padding"] == "same":
        surplus = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        pads = [(each // 2, each - each // 2) for each in surplus]
    else:
        pads = _even(a.per_axis("padding", rank=rank))
    attributes = {"stride": stride, "pads": pads, "dilation": dilation, "groups": a["groups"]}
    return Read("conv", (a["input"],), attributes, _constants(a, weight="weight", bias="bias"))


@_reads("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def _convtranspose(a: Arguments) -> Read:
    rank = a.rank()
    attributes = {
        "stride": a.per_axis("stride", rank=rank),
        "pads": _even(a.per_axis("padding", rank=rank)),
        "dilation": a.per_axis("dilation", rank=rank),
        "output_padding": a.per_axis("output_padding", rank=rank),
        "groups": a["groups"],
    }
    return Read("convtranspose", (a["input"],), attributes, _constants(a, weight="weight", bias="bias"))


@_reads("linear")
def _linear(a: Arguments) -> Read:
    return Read("linear", (a["input"],), {}, _constants(a, weight="weight", bias="bias"))


@_reads("batch_norm")
def _batchnorm(a: Arguments) -> Read:
    names = {"weight": "weight", "bias": "bias", "running_mean": "running_mean", "running_var": "running_var"}
    tensors = {} if a["training"] else _constants(a, **names)
    return Read("batchnorm", (a["input"],), {"eps": a["eps"], "momentum": a["momentum"]}, tensors)


@_reads("group_norm")
def _groupnorm(a: Arguments) -> Read:
    tensors = _constants(a, weight="weight", bias="bias")
    return Read("groupnorm", (a["input"],), {"groups": a["num_groups"], "eps": a["eps"]}, tensors)


@_reads("instance_norm")
def _instancenorm(a: Arguments) -> Read:
    if not a["use_input_stats"]:
        raise UnsupportedError("an instance normalization with running statistics")
    return Read("instancenorm", (a["input"],), {"eps": a["eps"]}, _constants(a, weight="weight", bias="bias"))


@_reads("layer_norm")
def _layernorm(a: Arguments) -> Read:
    tensors = _constants(a, weight="weight", bias="bias")
    attributes = {"shape": tuple(a["normalized_shape"]), "eps": a["eps"]}
    return Read("layernorm", (a["input"],), attributes, tensors)


@_reads("max_pool1d", "max_pool2d", "max_pool3d")
def _maxpool(a: Arguments) -> Read:
    rank = a.rank("self")
    return Read("maxpool", (a["self"],), _window(a) | {"dilation": a.per_axis("dilation", rank=rank)})


@_reads("avg_pool1d", "avg_pool2d", "avg_pool3d")
def _avgpool(a: Arguments) -> Read:
    if a.given.get("divisor_override") is not None:
        raise UnsupportedError("an average with a divisor of its own")
    return Read("avgpool", (a["self"],), _window(a) | {"count_padding": a["count_include_pad"]})


def _window(a: Arguments) -> dict[str, Any]:
    rank = a.rank("self")
    kernel = a.per_axis("kernel_size", rank=rank)
    stride = a.per_axis("stride", rank=rank) if a["stride"] else kernel
    pads = _even(a.per_axis("padding", rank=rank))
    return {"kernel": kernel, "stride": stride, "pads": pads, "ceil_mode": a["ceil_mode"]}


@_reads("adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d")
def _adaptive_avg(a: Arguments) -> Read:
    return Read("adaptiveavgpool", (a["self"],), {"size": a.per_axis("output_size", rank=a.rank("self"))})


@_reads("adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def _adaptive_max(a: Arguments) -> Read:
    return Read("adaptivemaxpool", (a["self"],), {"size": a.per_axis("output_size", rank=a.rank("self"))})


@_reads("mean", "amax")
def _over_axes(a: Arguments) -> Read:
    word = "mean" if "dtype" in a.given else "largest"
    axes = [a["dim"]] if isinstance(a["dim"], int) else list(a["dim"] or [])
    return Read(word, (a["self"],), {"axes": axes, "keepdim": a["keepdim"]})


_SAME_WORD: Final = {
    "relu": "relu",
    "relu6": "relu6",
    "silu": "silu",
    "mish": "mish",
    "sigmoid": "sigmoid",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_swish",
    "tanh": "tanh",
    "erf": "erf",
}


def _unary(word: str) -> Reader:
    return lambda a: Read(word, (a.first,))


READERS.update({name: _unary(word) for name, word in _SAME_WORD.items()})


@_reads("identity", "alias", "clone", "contiguous", "detach", "lift_fresh_copy", "_to_copy", "to")
def _identity(a: Arguments) -> Read:
    return Read("identity", (a.first,))


@_reads("gelu")
def _gelu(a: Arguments) -> Read:
    if a["approximate"] != "none":
        raise UnsupportedError("'gelu' by an approximation with tanh")
    return Read("gelu", (a["self"],))


@_reads("softplus")
def _softplus(a: Arguments) -> Read:
    if (a["beta"], a["threshold"]) != (1, 20):
        raise UnsupportedError("'softplus' with another beta or threshold")
    return Read("softplus", (a["self"],))


@_reads("leaky_relu")
def _leaky_relu(a: Arguments) -> Read:
    return Read("leaky_relu", (a["self"],), {"slope": a["negative_slope"]})


@_reads("elu")
def _elu(a: Arguments) -> Read:
    if (a["scale"], a["input_scale"]) != (1, 1):
        raise UnsupportedError("'elu' with a scale, such as SELU")
    return Read("elu", (a["self"],), {"alpha": float(a["alpha"])})


@_reads("prelu")
def _prelu(a: Arguments) -> Read:
    return Read("prelu", (a["self"],), {}, {"weight": a["weight"]})


@_reads("hardtanh", "clamp")
def _clamp(a: Arguments) -> Read:
    names = ("min_val", "max_val") if "min_val" in a.given else ("min", "max")
    limits = a[names[0]], a[names[1]]
    if limits == (0, None):
        return Read("relu", (a["self"],))
    return Read("relu6" if limits == (0, 6) else "clamp", (a["self"],))


READERS["softmax"] = lambda a: Read("softmax", (a["self"],), {"axis": a["dim"]})
READERS["log_softmax"] = lambda a: Read("log_softmax", (a["self"],), {"axis": a["dim"]})
READERS["dropout"] = lambda a: Read("dropout", (a.first,), {"probability": a["p"]})
READERS["feature_dropout"] = lambda a: Read("dropout2d", (a.first,), {"probability": a["p"]})


def _arithmetic(name: str) -> Reader:
    def read(a: Arguments) -> Read:
        one, other = a["self"], a["other"]
        if a.given.get("alpha", 1) != 1 or a.given.get("rounding_mode") is not None:
            raise UnsupportedError(f"'{name}' with a factor or rounding")
        constant = other in a.constants if isinstance(other, str) else False
        if constant or one in a.constants:
            return Read("affine", (one if constant else other,))
        if isinstance(other, str):
            words = {"add": "add", "mul": "multiply"}
            if name not in words:
                raise UnsupportedError(f"no kind computes '{name}' of two values")
            return Read(words[name], (one, other))
        if name in ("mul", "div"):
            factor = other if name == "mul" else 1 / other
            return Read("identity" if factor == 1 else "scale", (one,), {"factor": factor})
        amount = other if name == "add" else -other
        return Read("identity" if amount == 0 else "shift", (one,), {"amount": amount})

    return read


READERS.update({name: _arithmetic(name) for name in ("add", "mul", "sub", "div")})


@_reads("cat")
def _cat(a: Arguments) -> Read:
    return Read("concat", tuple(a["tensors"]), {"axis": a["dim"]})


@_reads("flatten", "view", "reshape", "_unsafe_view", "squeeze", "unsqueeze", "unflatten")
def _reshape(a: Arguments) -> Read:
    return Read("reshape", (a.first,))


@_reads("permute")
def _permute(a: Arguments) -> Read:
    axes = len(a.shapes[a["self"]])
    return Read("permute", (a["self"],), {"order": [axis % axes for axis in a["dims"]]})


@_reads("transpose")
def _transpose(a: Arguments) -> Read:
    axes = len(a.shapes[a["self"]])
    order = [*range(axes)]
    one, other = a["dim0"] % axes, a["dim1"] % axes
    order[one], order[other] = other, one
    return Read("permute", (a["self"],), {"order": order})


READERS["movedim"] = lambda a: Read("permute", (a["self"],), {"order": _moved(a)})


def _moved(a: Arguments) -> list[int]:
    axes = len(a.shapes[a["self"]])
    source, target = a["source"], a["destination"]
    if not isinstance(source, int):
        (source,), (target,) = source, target
    order = [axis for axis in range(axes) if axis != source % axes]
    order.insert(target % axes, source % axes)
    return order


@_reads("pad", "constant_pad_nd")
def _pad(a: Arguments) -> Read:
    flat = list(a["pad"])
    rank = a.rank("self")
    if len(flat) > 2 * rank:
        raise UnsupportedError("padding of the channels or the batch")
    pairs = [(flat[2 * axis], flat[2 * axis + 1]) for axis in range(len(flat) // 2)]
    pads = [(0, 0)] * (rank - len(pairs)) + pairs[::-1]
    attributes = {"pads": pads, "mode": a.given.get("mode", "constant"), "value": a["value"] or 0}
    return Read("pad", (a["self"],), attributes)


_MODES: Final = {
    "nearest1d": "nearest",
    "nearest2d": "nearest",
    "nearest3d": "nearest",
    "_nearest_exact1d": "nearest-exact",
    "_nearest_exact2d": "nearest-exact",
    "_nearest_exact3d": "nearest-exact",
    "linear1d": "linear",
    "bilinear2d": "linear",
    "trilinear3d": "linear",
}


def _upsample(mode: str) -> Reader:
    def read(a: Arguments) -> Read:
        if a.given.get("align_corners"):
            raise UnsupportedError("interpolation with aligned corners")
        scale = a.given.get("scale_factors")
        return Read("upsample", (a["input"],), {"mode": mode, "scale": None if scale is None else [*scale]})

    return read


for _name, _mode in _MODES.items():
    READERS[f"upsample_{_name}"] = READERS[f"_upsample{_name}"] = _upsample(_mode)


READERS["pixel_shuffle"] = lambda a: Read("pixelshuffle", (a["self"],), {"scale": a["upscale_factor"]})
READERS["channel_shuffle"] = lambda a: Read("channelshuffle", (a["self"],), {"groups": a["groups"]})


@_reads("slice", "select", "narrow", "chunk", "split", "split_with_sizes", "index_select", "getitem")
def _slice(a: Arguments) -> Read:
    return Read("identity" if a.shapes.get(a.first) == a.output else "slice", (a.first,))
