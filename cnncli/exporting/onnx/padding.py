"""Padding in every mode, by amounts that may depend on the input size when the model runs.

As in :mod:`cnncli.network.padding`, amounts are periodic with the stride of a window: those for size n are
entry n modulo the stride of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from cnncli.algebra import Dim, known, same
from cnncli.exporting.onnx.emission import Emission, Number, Whole
from cnncli.layers.geometry.window import Window

Amounts: TypeAlias = "list[tuple[Whole, Whole]]"
"""For each spatial axis the positions before and after."""

_MODES: Final = {"zeros": "constant", "constant": "constant", "reflect": "reflect", "replicate": "edge"}


def pads(emission: Emission, windows: Sequence[Window]) -> Amounts:
    """Return the pads of windows."""
    return [_amounts(emission, axis, window.pads, window.stride) for axis, window in enumerate(windows)]


def frames(emission: Emission, windows: Sequence[Window]) -> Amounts:
    """As :func:`pads`, but up to the end of the last window; negative if positions are left over."""
    return [_amounts(emission, axis, window.frame, window.stride) for axis, window in enumerate(windows)]


def _amounts(
    emission: Emission, axis: int, rule: Callable[[int], tuple[int, int]], stride: int
) -> tuple[Whole, Whole]:
    n = emission.shape[1 + axis]
    if isinstance(n, int):
        return rule(n)
    period = [rule(size) for size in range(stride, 2 * stride)]
    if len({*period}) == 1:
        return period[0]
    residue = _residue(n, stride)
    if residue is not None:
        return period[residue]
    place = (emission.measured(emission.x, 2 + axis) % stride).name
    before, after = zip(*period, strict=True)
    return (
        Number(emission, emission.op("Gather", emission.ints(before), place)),
        Number(emission, emission.op("Gather", emission.ints(after), place)),
    )


def _residue(n: Dim, stride: int) -> int | None:
    """Return n modulo the stride if it is the same for all accepted sizes."""
    return next((residue for residue in range(stride) if known(same(n % stride, residue))), None)


def constant(amounts: Amounts) -> list[tuple[int, int]] | None:
    """Return amounts that are all known now, otherwise None."""
    found = [(one, two) for one, two in amounts if isinstance(one, int) and isinstance(two, int)]
    return found if len(found) == len(amounts) else None


def pad(emission: Emission, x: str, amounts: Amounts, mode: str = "zeros", value: float = 0.0) -> str:
    """Return x padded before and after along each spatial axis.

    Negative pads cut, in modes zeros and constant only.
    ``symmetric`` mirrors including the edge position, ``reflect`` without it.
    """
    places = [axis for axis, pair in enumerate(amounts) if pair != (0, 0)]
    if not places:
        return x
    if mode in ("symmetric", "circular"):
        for axis in places:
            x = _joined(emission, x, axis, amounts[axis], mirrored=mode == "symmetric")
        return x
    first, last = zip(*(amounts[axis] for axis in places), strict=True)
    filling = [emission.floats(0.0 if mode == "zeros" else value)] if _MODES[mode] == "constant" else [""]
    sides = emission.wholes([*first, *last])
    axes = emission.ints([2 + axis for axis in places])
    return emission.op("Pad", x, sides, *filling, axes, mode=_MODES[mode])


def _joined(emission: Emission, x: str, axis: int, amounts: tuple[Whole, Whole], *, mirrored: bool) -> str:
    """Return x between copies of its own positions along an axis."""
    before, after = amounts
    place, n = [2 + axis], emission.measured(x, 2 + axis)
    first, last = emission.slice(x, [0], [before], place), emission.slice(x, [n - after], [n], place)
    if mirrored:
        first, last = emission.flipped(first, place), emission.flipped(last, place)
    else:
        first, last = emission.slice(x, [n - before], [n], place), emission.slice(x, [0], [after], place)
    return emission.op("Concat", first, x, last, axis=2 + axis)
