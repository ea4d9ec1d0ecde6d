"""The kind of layer that each operation is, with its arguments; or why none is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any, Final, NamedTuple

import numpy as np

from cnncli.importing.operations import Array, Flat, Operation, Tensor


class RefusedError(Exception):
    """An operation that no kind expresses, and why."""


class Layer(NamedTuple):
    """A kind with its arguments, as a spec contains them, and its tensors by their own names."""

    kind: str
    arguments: Mapping[str, Any] = {}
    tensors: Mapping[str, Tensor] = {}


Maker = Callable[[Operation, Flat], Layer]

_MAKERS: Final[dict[str, Maker]] = {}


def layer_of(operation: Operation, flat: Flat) -> Layer:
    """Return the layer that an operation is.

    Raises:
        RefusedError: no kind expresses it.
    """
    make = _MAKERS.get(operation.word)
    if make is None:
        raise RefusedError(f"there is no kind for '{operation.word}'")
    return make(operation, flat)


def _maker(*words: str) -> Callable[[Maker], Maker]:
    def register(make: Maker) -> Maker:
        _MAKERS.update(dict.fromkeys(words, make))
        return make

    return register


def _map(operation: Operation, flat: Flat) -> tuple[int, ...]:
    """Return the shape of the input, which has to be a map."""
    shape = flat.sample(operation.inputs[0])
    if not 2 <= len(shape) <= 4:
        raise RefusedError(f"'{operation.word}' of a tensor with {len(shape)} axes besides the batch")
    return shape


def _each(values: Sequence[int]) -> int | list[int]:
    """Return one number for all axes if they are equal."""
    return values[0] if len({*values}) == 1 else [*values]


def _unless(usual: Mapping[str, Any], **given: Any) -> dict[str, Any]:
    """Return the arguments that differ from the usual ones."""
    return {name: value for name, value in given.items() if value != usual[name]}


def _padding(pads: Sequence[tuple[int, int]]) -> Any:
    """Return pads as a spec contains them.

    Raises:
        RefusedError: a spec cannot contain them: uneven ones need height and width.
    """
    if all(before == after for before, after in pads):
        return _each([before for before, _ in pads])
    if len(pads) != 2:
        raise RefusedError("uneven padding along one or three axes")
    (top, bottom), (left, right) = pads
    sides = {"top": top, "bottom": bottom, "left": left, "right": right}
    return {side: amount for side, amount in sides.items() if amount}


def _channels_first(word: str, operation: Operation, flat: Flat) -> None:
    if operation.attributes.get("axis", 1) not in (1, 1 - len(flat.shapes[operation.inputs[0]])):
        raise RefusedError(f"'{word}' along axis {operation.attributes['axis']}, not the channels")


# -- layers with weights ---------------------------------------------------------------------------

_CONV: Final = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "output_padding": 0}


@_maker("conv", "convtranspose")
def _conv(operation: Operation, flat: Flat) -> Layer:
    _map(operation, flat)
    weight, a = operation.tensors["weight"].values, operation.attributes
    transposed = operation.word == "convtranspose"
    arguments: dict[str, Any] = {
        "channels": weight.shape[1] * a["groups"] if transposed else weight.shape[0],
        "kernel": _each(weight.shape[2:]),
    }
    own = {"stride": _each(a["stride"]), "padding": _padding(a["pads"]), "dilation": _each(a["dilation"])}
    if transposed:
        own["output_padding"] = _each(a["output_padding"])
    arguments |= _unless(_CONV, **own, groups=a["groups"])
    if "bias" not in operation.tensors:
        arguments["bias"] = False
    return Layer(operation.word, arguments, operation.tensors)


@_maker("linear")
def _linear(operation: Operation, flat: Flat) -> Layer:
    if len(flat.sample(operation.inputs[0])) != 1:
        raise RefusedError("'linear' over the last axis of a map: it takes vectors")
    arguments: dict[str, Any] = {"features": len(operation.tensors["weight"].values)}
    if "bias" not in operation.tensors:
        arguments["bias"] = False
    return Layer("linear", arguments, operation.tensors)


@_maker("batchnorm")
def _batchnorm(operation: Operation, flat: Flat) -> Layer:
    a, tensors = operation.attributes, dict(operation.tensors)
    if "running_mean" not in tensors:
        raise RefusedError("a batch normalization without running statistics")
    affine = [name for name in ("weight", "bias") if name in tensors]
    if len(affine) == 1:
        raise RefusedError(f"a batch normalization with a {affine[0]} alone")
    usual = {"eps": 1e-5, "momentum": 0.1, "affine": True}
    return Layer(
        "batchnorm", _unless(usual, eps=a["eps"], momentum=a["momentum"], affine=bool(affine)), tensors
    )


@_maker("groupnorm")
def _groupnorm(operation: Operation, flat: Flat) -> Layer:
    affine = "weight" in operation.tensors
    more = _unless({"eps": 1e-5, "affine": True}, eps=operation.attributes["eps"], affine=affine)
    return Layer("groupnorm", {"groups": operation.attributes["groups"], **more}, operation.tensors)


@_maker("instancenorm")
def _instancenorm(operation: Operation, flat: Flat) -> Layer:
    affine = "weight" in operation.tensors
    more = _unless({"eps": 1e-5, "affine": False}, eps=operation.attributes["eps"], affine=affine)
    return Layer("instancenorm", more, operation.tensors)


@_maker("layernorm")
def _layernorm(operation: Operation, flat: Flat) -> Layer:
    a, shape = operation.attributes, flat.sample(operation.inputs[0])
    affine = "weight" in operation.tensors
    more = _unless({"eps": 1e-5, "affine": True}, eps=a["eps"], affine=affine)
    if a.get("over") == "channels":
        return Layer("layernorm", {"over": "channels", **more}, operation.tensors)
    if tuple(a["shape"]) != shape:
        raise RefusedError(f"a layer normalization over the last axes {tuple(a['shape'])} of {shape}")
    return Layer("layernorm", more, operation.tensors)


@_maker("prelu")
def _prelu(operation: Operation, flat: Flat) -> Layer:
    slopes = operation.tensors["weight"]
    channels, flat_slopes = flat.sample(operation.inputs[0])[0], slopes.values.reshape(-1)
    if len(flat_slopes) not in (1, channels):
        raise RefusedError("slopes that are neither one for all nor one for each channel")
    shared = {} if len(flat_slopes) == channels else {"shared": True}
    return Layer("prelu", shared, {"weight": slopes._replace(values=flat_slopes)})


@_maker("subsample")
def _subsample(operation: Operation, flat: Flat) -> Layer:
    a = operation.attributes
    more = {} if a["stride"] == a["kernel"] else {"stride": _each(a["stride"])}
    return Layer("subsample", {"kernel": _each(a["kernel"]), **more}, operation.tensors)


# -- pooling ---------------------------------------------------------------------------------------


@_maker("maxpool", "avgpool")
def _pool(operation: Operation, flat: Flat) -> Layer:
    _map(operation, flat)
    a = operation.attributes
    arguments: dict[str, Any] = {"kernel": _each(a["kernel"])}
    if a["stride"] != a["kernel"]:
        arguments["stride"] = _each(a["stride"])
    padding = _padding(a["pads"])
    usual = {"padding": 0, "ceil_mode": False, "dilation": 1, "count_padding": True}
    own: dict[str, Any] = {"padding": padding, "ceil_mode": a["ceil_mode"]}
    if operation.word == "maxpool":
        own["dilation"] = _each(a["dilation"])
    elif padding:
        own["count_padding"] = a["count_padding"]
    return Layer(operation.word, arguments | _unless(usual, **own))


@_maker("adaptiveavgpool", "adaptivemaxpool")
def _adaptive(operation: Operation, flat: Flat) -> Layer:
    _map(operation, flat)
    return Layer(operation.word, {"size": _each(operation.attributes["size"])})


@_maker("mean", "largest")
def _global(operation: Operation, flat: Flat) -> Layer:
    axes = len(flat.shapes[operation.inputs[0]])
    wanted = {axis % axes for axis in operation.attributes["axes"]}
    if axes < 3 or wanted != {*range(2, axes)}:
        raise RefusedError(
            f"the {operation.word} over axes {sorted(wanted)}, which are not all positions of a map"
        )
    kind = "globalavgpool" if operation.word == "mean" else "globalmaxpool"
    return Layer(kind, {"keepdims": True} if operation.attributes["keepdim"] else {})


# -- one value at a time ---------------------------------------------------------------------------


@_maker(
    *("relu", "relu6", "silu", "mish", "sigmoid", "hard_sigmoid", "hard_swish", "tanh", "scaled_tanh"),
    *("softplus", "gelu"),
)
def _activation(operation: Operation, flat: Flat) -> Layer:
    return Layer(operation.word)


@_maker("leaky_relu")
def _leaky_relu(operation: Operation, flat: Flat) -> Layer:
    return Layer("leaky_relu", _unless({"slope": 0.01}, slope=operation.attributes["slope"]))


@_maker("elu")
def _elu(operation: Operation, flat: Flat) -> Layer:
    return Layer("elu", _unless({"alpha": 1.0}, alpha=operation.attributes["alpha"]))


@_maker("softmax", "log_softmax")
def _softmax(operation: Operation, flat: Flat) -> Layer:
    _channels_first(operation.word, operation, flat)
    return Layer(operation.word)


@_maker("dropout", "dropout2d")
def _dropout(operation: Operation, flat: Flat) -> Layer:
    return Layer(operation.word, {"probability": operation.attributes["probability"]})


@_maker("localresponsenorm")
def _lrn(operation: Operation, flat: Flat) -> Layer:
    a, usual = operation.attributes, {"alpha": 1e-4, "beta": 0.75, "k": 1.0}
    own = _unless(usual, **{name: a[name] for name in usual})
    return Layer("localresponsenorm", {"size": a["size"], **own})


# -- joins -----------------------------------------------------------------------------------------


@_maker("add", "multiply")
def _join(operation: Operation, flat: Flat) -> Layer:
    shapes = [flat.sample(name) for name in operation.inputs]
    alike = len({*shapes}) == 1
    scales = [shape for shape in shapes if len(shape) > 1 and prod(shape[1:]) == 1]
    maps = {shape for shape in shapes if shape not in scales}
    gated = operation.word == "multiply" and len({shape[0] for shape in shapes}) == 1 and len(maps) <= 1
    if not alike and not (gated and len({*map(len, shapes)}) == 1):
        raise RefusedError(
            f"'{operation.word}' of the shapes {' and '.join(map(str, shapes))}, which are broadcast"
        )
    return Layer(operation.word)


@_maker("concat")
def _concat(operation: Operation, flat: Flat) -> Layer:
    _channels_first("concat", operation, flat)
    return Layer("concat")


# -- shapes ----------------------------------------------------------------------------------------


@_maker("reshape")
def _reshape(operation: Operation, flat: Flat) -> Layer:
    before, after = flat.shapes[operation.inputs[0]], flat.shapes[operation.output]
    if before[0] != after[0]:
        raise RefusedError(f"a reshape of {before} to {after} that mixes the samples of a batch")
    if len(after) == 2:
        return Layer("flatten")
    if len(after) > 5 or len(after) < 2:
        raise RefusedError(f"a reshape to {len(after)} axes")
    return Layer("reshape", {"shape": [*after[1:]]})


@_maker("pad")
def _pad(operation: Operation, flat: Flat) -> Layer:
    _map(operation, flat)
    a = operation.attributes
    if all(amount <= 0 for pair in a["pads"] for amount in pair):
        return Layer("crop", {"amount": _padding([(-before, -after) for before, after in a["pads"]])})
    if any(amount < 0 for pair in a["pads"] for amount in pair):
        raise RefusedError("padding that cuts on one side and adds on another")
    arguments: dict[str, Any] = {"amount": _padding(a["pads"])}
    if (a["mode"], a["value"]) != ("constant", 0):
        arguments["mode"] = a["mode"]
        if a["mode"] == "constant":
            arguments["value"] = a["value"]
    return Layer("pad", arguments)


@_maker("upsample")
def _upsample(operation: Operation, flat: Flat) -> Layer:
    before, after = _map(operation, flat)[1:], flat.sample(operation.output)[1:]
    a = operation.attributes
    whole = all(m % n == 0 for n, m in zip(before, after, strict=True))
    if a["mode"] == "nearest" and not whole:
        raise RefusedError(
            "'nearest' by a factor that is not whole, which picks other positions than 'upsample'"
        )
    mode = {"mode": "bilinear"} if a["mode"] == "linear" else {}
    if a["scale"] is not None and whole:
        return Layer(
            "upsample", {"scale": _each([m // n for n, m in zip(before, after, strict=True)]), **mode}
        )
    if a["scale"] is not None:
        return Layer("upsample", {"scale": _each(a["scale"]), **mode})
    return Layer("upsample", {"size": _each(after), **mode})


@_maker("pixelshuffle")
def _pixelshuffle(operation: Operation, flat: Flat) -> Layer:
    return Layer("pixelshuffle", {"scale": operation.attributes["scale"]})


@_maker("channelshuffle")
def _channelshuffle(operation: Operation, flat: Flat) -> Layer:
    return Layer("channelshuffle", {"groups": operation.attributes["groups"]})


# -- what no kind is, in words ---------------------------------------------------------------------

_NO_KIND: Final = {
    "permute": "no kind exchanges axes",
    "slice": "no kind takes some of the channels or positions",
    "scale": "no kind multiplies by a constant",
    "shift": "no kind adds a constant",
    "affine": "no kind multiplies by, or adds, a learned tensor",
    "erf": "'erf' is expressed within 'gelu' only",
    "clamp": "only the limits 0 and 6, 'relu6', have a kind",
}


def _refuse(operation: Operation, _: Flat) -> Layer:
    raise RefusedError(_NO_KIND[operation.word])


_MAKERS.update(dict.fromkeys(_NO_KIND, _refuse))


@_maker("plain")
def _plain(operation: Operation, flat: Flat) -> Layer:
    """A layer that was recognized as a kind with its arguments."""
    return Layer(operation.attributes["kind"], operation.attributes["arguments"], operation.tensors)


def as_float(values: Array) -> Array:
    """Return numbers as weights are stored."""
    return np.array(values, dtype=np.float32, order="C")
