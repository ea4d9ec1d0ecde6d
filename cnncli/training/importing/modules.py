"""Modules that are one kind although they run many operators: by their class, not by what they compute.

A class of an exported file (:mod:`cnncli.exporting.python`) is recognized by its text, which must be the one
that is written there.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from torch import nn

from cnncli.exporting.python.helpers import HELPERS


class Known(NamedTuple):
    """A kind with its arguments, the module's own tensors that it has, and the channels that it adds."""

    kind: str
    arguments: Mapping[str, Any]
    tensors: tuple[str, ...] = ()
    extra: int | None = None


def _same(one: Any) -> Any:
    values = list(one)
    return values[0] if len(set(values)) == 1 else values


def _lrn(module: Any) -> Known:
    return Known(
        "localresponsenorm",
        {"size": module.size, "alpha": module.alpha, "beta": module.beta, "k": module.k},
    )


def _subsample(module: Any) -> Known:
    arguments = {"kernel": _same(module.kernel), "stride": _same(module.stride)}
    return Known("subsample", arguments, ("weight", "bias"))


def _table_conv(module: Any) -> Known:
    (first, *others) = (tuple(each) for each in module.pads)
    fixed = all(each == ((0, 0),) for each in (first, *others))
    if not fixed or module.mode != "zeros" or module.flip:
        raise ValueError("a table with padding")
    out_channels, in_channels, *kernel = module.shape
    rows: list[list[int]] = [[] for _ in range(out_channels)]
    for place in module.places.tolist():
        rows[place // in_channels].append(place % in_channels)
    arguments = {"channels": out_channels, "kernel": _same(kernel), "table": rows}
    more = {"stride": module.stride, "dilation": module.dilation, "bias": module.bias is not None}
    usual = {"stride": 1, "dilation": 1, "bias": True}
    arguments |= {name: value for name, value in more.items() if value != usual[name]}
    return Known("conv", arguments, ("weight", "bias") if module.bias is not None else ("weight",))


def _capsules(module: Any) -> Known:
    _, count, size, reads = module.weight.shape
    arguments = {"count": count, "size": size, "reads": reads, "routings": module.routings}
    return Known("capsules", arguments, ("weight",))


def _padded_shortcut(module: Any) -> Known:
    stride = {} if module.stride == 1 else {"stride": module.stride}
    return Known("shortcut", {**stride, "mode": "pad"}, extra=module.extra)


_OWN: Final[dict[str, Callable[[Any], Known]]] = {
    "Subsample": _subsample,
    **{f"TableConv{rank}d": _table_conv for rank in (1, 2, 3)},
    "Capsules": _capsules,
    "CapsuleLengths": lambda _: Known("capsulelength", {}),
    "LongestCapsule": lambda _: Known("capsulemask", {}),
    "DigitDistances": lambda module: Known("rbf", {"classes": len(module.prototypes)}, ("prototypes",)),
    "PaddedShortcut": _padded_shortcut,
    "ScaledTanh": lambda _: Known("scaled_tanh", {}),
    "DropPath": lambda module: Known("droppath", {"probability": module.p}),
    "GaussianNoise": lambda module: Known("noise", {"sigma": module.sigma}),
}


def known(module: nn.Module) -> Known | None:
    """Return the kind of a module of a class that is known, or None."""
    kind = type(module)
    if kind is nn.LocalResponseNorm:
        return _lrn(module)
    read = _OWN.get(kind.__name__)
    if read is None:
        return None
    try:
        written = inspect.getsource(kind).strip()
        return read(module) if written in HELPERS[kind.__name__][0] else None
    except (OSError, TypeError, ValueError):
        return None
