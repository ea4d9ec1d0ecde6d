"""The operators of ONNX as the operations of :mod:`cnncli.importing.operations`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from cnncli.importing.operations import Array


class UnsupportedError(Exception):
    """An operator or one of its settings has no operation."""


class Given(NamedTuple):
    """A node: the names of its inputs, "" for one that is left out, and its attributes.

    ``constants`` are the values that are known, and ``shapes`` those of all values, batch included.
    """

    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    constants: Mapping[str, Array]
    shapes: Mapping[str, tuple[int, ...]]
    opset: int
    output: str

    def get(self, name: str, usual: Any) -> Any:
        """Return an attribute or its default."""
        value = self.attributes.get(name, usual)
        return value.decode() if isinstance(value, bytes) else value

    def name(self, place: int) -> str:
        """Return the name of an input; "" if there is none."""
        return self.inputs[place] if place < len(self.inputs) else ""

    def constant(self, place: int) -> Array | None:
        """Return an input that is a constant, or None if it is left out.

        Raises:
            UnsupportedError: it is computed.
        """
        name = self.name(place)
        if not name:
            return None
        if name not in self.constants:
            raise UnsupportedError(f"its input '{name}' is computed from the network's input")
        return self.constants[name]

    def numbers(self, name: str, place: int) -> list[int] | None:
        """Return whole numbers that are an attribute in older versions and an input in newer ones."""
        if name in self.attributes:
            found = self.attributes[name]
            return [found] if isinstance(found, int) else [*found]
        constant = self.constant(place)
        return None if constant is None else [int(each) for each in constant.reshape(-1)]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the first input."""
        return self.shapes[self.inputs[0]]


class Read(NamedTuple):
    """The word of an operation, its inputs and attributes, its constants, and how those are changed."""

    word: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any] = {}
    tensors: Mapping[str, str] = {}
    changed: Mapping[str, Callable[[Array], Array]] = {}


Reader = Callable[[Given], Read]

READERS: Final[dict[str, Reader]] = {}


def _reads(*names: str) -> Callable[[Reader], Reader]:
    def register(read: Reader) -> Reader:
        READERS.update(dict.fromkeys(names, read))
        return read

    return register


def _tensors(given: Given, *own: str) -> dict[str, str]:
    """Return the inputs after the first, by the names of the tensors that they are."""
    found = {name: given.name(place) for place, name in enumerate(own, 1)}
    return {name: value for name, value in found.items() if value}


def _pads(given: Given, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> Any:
    """Return the pads before and after along each axis."""
    rank, word = len(kernel), given.get("auto_pad", "NOTSET")
    if word in ("SAME_UPPER", "SAME_LOWER"):
        found = []
        for n, k, s, d in zip(given.shape[2:], kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            less, more = total // 2, total - total // 2
            found.append((less, more) if word == "SAME_UPPER" else (more, less))
        return found
    amounts = [0] * 2 * rank if word == "VALID" else [*given.get("pads", [0] * 2 * rank)]
    return [*zip(amounts[:rank], amounts[rank:], strict=True)]


@_reads("Conv")
def _conv(given: Given) -> Read:
    weight = given.constant(1)
    assert weight is not None
    kernel = weight.shape[2:]
    stride = [*given.get("strides", [1] * len(kernel))]
    dilation = [*given.get("dilations", [1] * len(kernel))]
    attributes = {"stride": stride, "dilation": dilation, "groups": given.get("group", 1)}
    attributes["pads"] = _pads(given, kernel, stride, dilation)
    return Read("conv", (given.inputs[0],), attributes, _tensors(given, "weight", "bias"))


@_reads("ConvTranspose")
def _convtranspose(given: Given) -> Read:
    weight = given.constant(1)
    assert weight is not None
    rank = weight.ndim - 2
    if given.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or "output_shape" in given.attributes:
        raise UnsupportedError("pads that follow from the size of the output")
    attributes = {
        "stride": [*given.get("strides", [1] * rank)],
        "dilation": [*given.get("dilations", [1] * rank)],
        "output_padding": [*given.get("output_padding", [0] * rank)],
        "groups": given.get("group", 1),
        "pads": _pads(given, weight.shape[2:], [1] * rank, [1] * rank),
    }
    return Read("convtranspose", (given.inputs[0],), attributes, _tensors(given, "weight", "bias"))


@_reads("Gemm")
def _gemm(given: Given) -> Read:
    if (given.get("alpha", 1.0), given.get("beta", 1.0), given.get("transA", 0)) != (1, 1, 0):
        raise UnsupportedError("a product with factors, or of a transposed input")
    turned = {} if given.get("transB", 0) else {"weight": np.transpose}
    return Read("linear", (given.inputs[0],), {}, _tensors(given, "weight", "bias"), turned)


@_reads("MatMul")
def _matmul(given: Given) -> Read:
    weight = given.constant(1)
    if weight is None or weight.ndim != 2:
        raise UnsupportedError("a product of two values")
    return Read("linear", (given.inputs[0],), {}, _tensors(given, "weight"), {"weight": np.transpose})


@_reads("BatchNormalization")
def _batchnorm(given: Given) -> Read:
    if given.get("training_mode", 0):
        raise UnsupportedError("it is in training mode")
    # ONNX weights the old mean with its momentum, PyTorch the new one.
    momentum = round(1 - given.get("momentum", 0.9), 6)
    attributes = {"eps": _short(given.get("epsilon", 1e-5)), "momentum": momentum}
    names = ("weight", "bias", "running_mean", "running_var")
    return Read("batchnorm", (given.inputs[0],), attributes, _tensors(given, *names))


def _short(value: float) -> float:
    """Return the shortest number that is this one in 32 bits, as which attributes are stored."""
    return float(str(np.float32(value)))


@_reads("InstanceNormalization")
def _instancenorm(given: Given) -> Read:
    attributes = {"eps": _short(given.get("epsilon", 1e-5))}
    return Read("instancenorm", (given.inputs[0],), attributes, _tensors(given, "weight", "bias"))


@_reads("GroupNormalization")
def _groupnorm(given: Given) -> Read:
    if given.opset < 21:
        raise UnsupportedError("before version 21 of ONNX its scales are of groups, not of channels")
    attributes = {"groups": given.attributes["num_groups"], "eps": _short(given.get("epsilon", 1e-5))}
    return Read("groupnorm", (given.inputs[0],), attributes, _tensors(given, "weight", "bias"))


@_reads("LayerNormalization")
def _layernorm(given: Given) -> Read:
    axis = given.get("axis", -1) % len(given.shape)
    attributes = {"shape": given.shape[axis:], "eps": _short(given.get("epsilon", 1e-5))}
    return Read("layernorm", (given.inputs[0],), attributes, _tensors(given, "weight", "bias"))


@_reads("LRN")
def _lrn(given: Given) -> Read:
    attributes = {
        "size": given.attributes["size"],
        "alpha": _short(given.get("alpha", 1e-4)),
        "beta": _short(given.get("beta", 0.75)),
        "k": _short(given.get("bias", 1.0)),
    }
    return Read("localresponsenorm", (given.inputs[0],), attributes)


def _pool(given: Given) -> Read:
    kernel = [*given.attributes["kernel_shape"]]
    stride = [*given.get("strides", [1] * len(kernel))]
    dilation = [*given.get("dilations", [1] * len(kernel))]
    attributes: dict[str, Any] = {
        "kernel": kernel,
        "stride": stride,
        "ceil_mode": bool(given.get("ceil_mode", 0)),
    }
    attributes["pads"] = _pads(given, kernel, stride, dilation)
    return Read("pool", (given.inputs[0],), attributes | {"dilation": dilation})


def _maxpool(given: Given) -> Read:
    if given.get("storage_order", 0):
        raise UnsupportedError("columns before rows")
    return _pool(given)._replace(word="maxpool")


def _avgpool(given: Given) -> Read:
    read = _pool(given)
    if any(each != 1 for each in read.attributes["dilation"]):
        raise UnsupportedError("an average over positions that are apart")
    counted = {"count_padding": bool(given.get("count_include_pad", 0))}
    return read._replace(word="avgpool", attributes={**read.attributes, **counted})


READERS["MaxPool"], READERS["AveragePool"] = _maxpool, _avgpool


def _global(word: str) -> Reader:
    def read(given: Given) -> Read:
        axes = [*range(2, len(given.shape))]
        return Read(word, (given.inputs[0],), {"axes": axes, "keepdim": True})

    return read


READERS["GlobalAveragePool"], READERS["GlobalMaxPool"] = _global("mean"), _global("largest")


def _reduced(word: str) -> Reader:
    def read(given: Given) -> Read:
        axes = given.numbers("axes", 1) or [*range(len(given.shape))]
        return Read(word, (given.inputs[0],), {"axes": axes, "keepdim": bool(given.get("keepdims", 1))})

    return read


READERS["ReduceMean"], READERS["ReduceMax"] = _reduced("mean"), _reduced("largest")

_SAME_WORD: Final = {
    "Relu": "relu",
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "HardSwish": "hard_swish",
    "Mish": "mish",
    "Erf": "erf",
    "Identity": "identity",
}


def _unary(word: str) -> Reader:
    return lambda given: Read(word, (given.inputs[0],))


READERS.update({name: _unary(word) for name, word in _SAME_WORD.items()})


@_reads("Gelu")
def _gelu(given: Given) -> Read:
    if given.get("approximate", "none") != "none":
        raise UnsupportedError("an approximation with tanh")
    return Read("gelu", (given.inputs[0],))


@_reads("HardSigmoid")
def _hard_sigmoid(given: Given) -> Read:
    alpha, beta = given.get("alpha", 0.2), given.get("beta", 0.5)
    if abs(alpha - 1 / 6) > 1e-7 or beta != 0.5:
        raise UnsupportedError(f"other constants than x/6 + 1/2: {alpha:.4g} x + {beta:.4g}")
    return Read("hard_sigmoid", (given.inputs[0],))


@_reads("LeakyRelu")
def _leaky_relu(given: Given) -> Read:
    return Read("leaky_relu", (given.inputs[0],), {"slope": _short(given.get("alpha", 0.01))})


@_reads("Elu")
def _elu(given: Given) -> Read:
    return Read("elu", (given.inputs[0],), {"alpha": _short(given.get("alpha", 1.0))})


@_reads("PRelu")
def _prelu(given: Given) -> Read:
    slopes = given.constant(1)
    assert slopes is not None
    whole = slopes.size == 1 or slopes.shape[: slopes.ndim - len(given.shape[2:])][-1:] == (slopes.size,)
    if not whole:
        raise UnsupportedError("slopes that differ along positions")
    return Read("prelu", (given.inputs[0],), {}, {"weight": given.inputs[1]})


@_reads("Clip")
def _clip(given: Given) -> Read:
    ends = [given.attributes.get(name, given.constant(place)) for place, name in ((1, "min"), (2, "max"))]
    least, most = (None if end is None else float(end) for end in ends)
    word = "relu" if (least, most) == (0, None) else "relu6" if (least, most) == (0, 6) else "clamp"
    return Read(word, (given.inputs[0],))


@_reads("Softmax")
def _softmax(given: Given) -> Read:
    if given.opset < 13:
        axis = given.get("axis", 1)
        if len(given.shape) != 2:
            raise UnsupportedError("before version 13 of ONNX it is over all axes from one on")
    else:
        axis = given.get("axis", -1)
    return Read("softmax", (given.inputs[0],), {"axis": axis % len(given.shape)})


READERS["LogSoftmax"] = lambda given: _softmax(given)._replace(word="log_softmax")


@_reads("Dropout")
def _dropout(given: Given) -> Read:
    ratio = given.attributes.get("ratio", given.constant(1))
    return Read(
        "dropout", (given.inputs[0],), {"probability": 0.5 if ratio is None else _short(float(ratio))}
    )


def _arithmetic(word: str) -> Reader:
    def read(given: Given) -> Read:
        one, other = given.inputs[:2]
        constants = [name for name in (one, other) if name in given.constants]
        if not constants:
            if word in ("Sub", "Div"):
                raise UnsupportedError("no kind computes it of two values")
            return Read({"Add": "add", "Mul": "multiply"}[word], (one, other))
        value = other if constants[0] == one else one
        numbers = given.constants[constants[0]]
        if numbers.size != 1 or (word in ("Sub", "Div") and constants[0] == one):
            return Read("affine", (value,), {"operator": word}, {"constant": constants[0]})
        number = float(numbers.reshape(-1)[0])
        if word in ("Mul", "Div"):
            factor = number if word == "Mul" else 1 / number
            return Read("identity" if factor == 1 else "scale", (value,), {"factor": factor})
        amount = number if word == "Add" else -number
        return Read("identity" if amount == 0 else "shift", (value,), {"amount": amount})

    return read


READERS.update({word: _arithmetic(word) for word in ("Add", "Sub", "Mul", "Div")})


@_reads("Sum")
def _sum(given: Given) -> Read:
    return Read("add", given.inputs)


@_reads("Concat")
def _concat(given: Given) -> Read:
    return Read("concat", given.inputs, {"axis": given.attributes["axis"]})


@_reads("Flatten", "Reshape", "Squeeze", "Unsqueeze")
def _reshape(given: Given) -> Read:
    return Read("reshape", (given.inputs[0],))


@_reads("Transpose")
def _transpose(given: Given) -> Read:
    axes = len(given.shape)
    return Read("permute", (given.inputs[0],), {"order": [*given.get("perm", [*range(axes)][::-1])]})


@_reads("Pad")
def _pad(given: Given) -> Read:
    axes, rank = given.constant(3), len(given.shape)
    amounts = given.numbers("pads", 1) or [0] * 2 * rank
    if axes is not None:
        places = [int(axis) % rank for axis in axes]
        whole = [0] * 2 * rank
        for place, axis in enumerate(places):
            whole[axis], whole[rank + axis] = amounts[place], amounts[len(places) + place]
        amounts = whole
    pairs = [*zip(amounts[:rank], amounts[rank:], strict=True)]
    if any(pair != (0, 0) for pair in pairs[:2]):
        raise UnsupportedError("padding of the channels or the batch")
    value = given.attributes.get("value", given.constant(2))
    modes = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
    attributes = {
        "pads": pairs[2:],
        "mode": modes[given.get("mode", "constant")],
        "value": 0.0 if value is None else float(value),
    }
    return Read("pad", (given.inputs[0],), attributes)


@_reads("Resize", "Upsample")
def _resize(given: Given) -> Read:
    mode = given.get("mode", "nearest")
    where = given.get("coordinate_transformation_mode", "half_pixel")
    rounding = given.get("nearest_mode", "round_prefer_floor")
    if mode not in ("nearest", "linear") or where not in ("half_pixel", "pytorch_half_pixel", "asymmetric"):
        raise UnsupportedError(f"the mode '{mode}' with '{where}'")
    if mode == "linear" and where == "asymmetric":
        raise UnsupportedError("linear interpolation from the corner")
    exact = where != "asymmetric" and rounding in ("round_prefer_ceil", "round_prefer_floor")
    word = mode if mode == "linear" else "nearest-exact" if exact else "nearest"
    place = 2 if given.opset > 10 else 1
    scale = given.constant(place)
    scales = None if scale is None or not scale.size else [float(each) for each in scale[2:]]
    return Read("upsample", (given.inputs[0],), {"mode": word, "scale": scales})


@_reads("DepthToSpace")
def _depth_to_space(given: Given) -> Read:
    if given.get("mode", "DCR") != "CRD":
        raise UnsupportedError("channels in another order than that of 'pixelshuffle'")
    return Read("pixelshuffle", (given.inputs[0],), {"scale": given.attributes["blocksize"]})


@_reads("Slice", "Split", "Gather")
def _slice(given: Given) -> Read:
    same = given.shapes.get(given.inputs[0]) == given.shapes[given.output]
    return Read("identity" if same else "slice", (given.inputs[0],))
