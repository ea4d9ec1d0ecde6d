"""Joins."""

from __future__ import annotations

from functools import reduce

from cnncli.algebra import Undecidable, known, same
from cnncli.exporting.onnx.emission import Emission, Number, Whole
from cnncli.exporting.onnx.padding import pad
from cnncli.exporting.onnx.registry import emitter
from cnncli.exporting.onnx.shaping import nearest
from cnncli.layers.joins import Add, Concat, Join, MatchSize, Multiply, is_scale


@emitter(Concat)
def concat(layer: Concat, to: Emission) -> str:
    """Return the branches one after another, along the channels or features."""
    return to.op("Concat", *_aligned(layer, to), axis=1)


@emitter(Add)
def add(layer: Add, to: Emission) -> str:
    """Return the sum, branch after branch."""
    return reduce(lambda y, branch: to.op("Add", y, branch), _aligned(layer, to))


@emitter(Multiply)
def multiply(layer: Multiply, to: Emission) -> str:
    """Return the product, branch after branch; a branch with a single position is broadcast."""
    return reduce(lambda y, branch: to.op("Mul", y, branch), _aligned(layer, to))


@emitter(MatchSize)
def matchsize(layer: MatchSize, to: Emission) -> str:
    """Return the first branch in the size of the second one: as it is, cut off at the end, or repeated."""
    if layer.mode == "exact":
        return to.op("Identity", to.x)
    wanted = [to.size(axis, to.shapes[1], to.inputs[1]) for axis in range(to.rank)]
    if layer.mode == "crop":
        return to.slice(to.x, [0] * to.rank, wanted, to.axes)
    y = to.x
    for axis, target in enumerate(wanted):
        y = nearest(to, y, axis, target, (target, to.size(axis)))
    return y


def _aligned(layer: Join, to: Emission) -> list[str]:
    """Return the branches cut to the smallest size (``crop``) or padded to the largest (``pad``)."""
    if layer.align == "exact":
        return [*to.inputs]
    scales = isinstance(layer, Multiply) and not all(map(is_scale, to.shapes))
    maps = [number for number, shape in enumerate(to.shapes) if not (scales and is_scale(shape))]
    branches = [*to.inputs]
    for axis in range(to.rank):
        sizes = [to.shapes[number][1 + axis] for number in maps]
        if all(known(same(size, sizes[0])) for size in sizes):
            continue
        found = _margins(layer, to, axis, maps)
        for number, margins in zip(maps, found, strict=True):
            amounts: list[tuple[Whole, Whole]] = [(0, 0)] * to.rank
            amounts[axis] = margins
            branches[number] = pad(to, branches[number], amounts)
    return branches


def _margins(layer: Join, to: Emission, axis: int, maps: list[int]) -> list[tuple[Whole, Whole]]:
    """Return the positions to add before and after each branch; negative ones cut."""
    try:
        target = layer.aligned(tuple(to.shapes[number] for number in maps))[axis]
        pairs = [Join.margins(layer, (1, to.shapes[number][1 + axis]), (target,))[0] for number in maps]
        fixed: list[tuple[Whole, Whole]] = [
            (before, after) for before, after in pairs if isinstance(before, int) and isinstance(after, int)
        ]
        if len(fixed) == len(pairs):
            return fixed
    except Undecidable:
        pass  # which branch is the larger one depends on the size
    sizes = [to.measured(to.inputs[number], 2 + axis) for number in maps]
    names = [size.name for size in sizes]
    pick = "Max" if layer.align == "pad" else "Min"
    target_size = Number(to, to.op(pick, *names))
    if layer.align == "pad":
        gaps = [target_size - size for size in sizes]
        return [(gap // 2, gap - gap // 2) for gap in gaps]
    cuts = [size - target_size for size in sizes]
    return [((cut // 2) * -1, (cut - cut // 2) * -1) for cut in cuts]
