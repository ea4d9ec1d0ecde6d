"""Operations that together are one kind: gates, activations written out, shuffled channels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import sqrt
from typing import Final

from cnncli.importing.operations import Flat, Operation


class Uses:
    """Who makes and who reads each value."""

    def __init__(self, flat: Flat) -> None:
        self.flat = flat
        self.made = {each.output: each for each in flat.operations}
        self.read: dict[str, list[Operation]] = {}
        for each in flat.operations:
            for name in each.inputs:
                self.read.setdefault(name, []).append(each)

    def only(self, value: str) -> Operation | None:
        """Return the operation that alone reads a value."""
        readers = self.read.get(value, [])
        return readers[0] if len(readers) == 1 and value not in self.flat.outputs.values() else None

    def maker(self, value: str, word: str) -> Operation | None:
        """Return the operation that makes a value if it is of this word and nothing else reads the value."""
        found = self.made.get(value)
        if found is None or found.word != word or self.only(value) is None:
            return None
        return found


Found = tuple[Operation, tuple[Operation, ...]]
"""The operation in place of several, and those that it replaces."""


def _gated(last: Operation, uses: Uses) -> Found | None:
    """X * sigmoid(x), x * hard_sigmoid(x), x * tanh(softplus(x))."""
    if last.word != "multiply" or len(last.inputs) != 2:
        return None
    for x, gate in (last.inputs, last.inputs[::-1]):
        for inner, outer in (("sigmoid", "silu"), ("hard_sigmoid", "hard_swish")):
            first = uses.maker(gate, inner)
            if first is not None and first.inputs == (x,):
                return replace(last, word=outer, inputs=(x,)), (first,)
        tanh = uses.maker(gate, "tanh")
        first = None if tanh is None else uses.maker(tanh.inputs[0], "softplus")
        if tanh is not None and first is not None and first.inputs == (x,):
            return replace(last, word="mish", inputs=(x,)), (first, tanh)
    return None


def _scaled(operation: Operation | None, factor: float) -> bool:
    """Return whether an operation multiplies by a number."""
    if operation is None or operation.word != "scale":
        return False
    return bool(abs(operation.attributes["factor"] / factor - 1) < 1e-6)


def _gelu(last: Operation, uses: Uses) -> Found | None:
    """x/2 * (1 + erf(x / sqrt(2))), in any order of the products."""
    erf = next((each for each in _before(last, uses, 5) if each.word == "erf"), None)
    if erf is None or last.word not in ("multiply", "scale"):
        return None
    inner = uses.maker(erf.inputs[0], "scale")
    plus = uses.only(erf.output)
    if inner is None or not _scaled(inner, 1 / sqrt(2)) or plus is None or plus.word != "shift":
        return None
    x, parts = inner.inputs[0], {inner.output: inner, erf.output: erf, plus.output: plus}
    product, half = uses.only(plus.output), None
    if product is None or plus.attributes["amount"] != 1:
        return None
    if product.word == "multiply":
        (other,) = [name for name in product.inputs if name != plus.output] or [""]
        half = uses.made.get(other)
        if other == x and product is not last and uses.only(product.output) is last and _scaled(last, 0.5):
            return replace(last, word="gelu", inputs=(x,)), (*parts.values(), product)
        if product is last and _scaled(half, 0.5) and half is not None and half.inputs == (x,):
            return replace(last, word="gelu", inputs=(x,)), (*parts.values(), half)
    halved = _scaled(product, 0.5) and uses.only(product.output) is last and last.word == "multiply"
    if halved and {*last.inputs} == {x, product.output}:
        return replace(last, word="gelu", inputs=(x,)), (*parts.values(), product)
    return None


def _before(last: Operation, uses: Uses, depth: int) -> Iterator[Operation]:
    """Yield the operations that lead to one, a few steps back."""
    for name in last.inputs:
        made = uses.made.get(name)
        if made is not None and depth:
            yield made
            yield from _before(made, uses, depth - 1)


def _scaled_tanh(last: Operation, uses: Uses) -> Found | None:
    """1.7159 tanh(2x/3)."""
    if not _scaled(last, 1.7159):
        return None
    tanh = uses.maker(last.inputs[0], "tanh")
    first = None if tanh is None else uses.maker(tanh.inputs[0], "scale")
    if tanh is None or first is None or not _scaled(first, 2 / 3):
        return None
    return replace(last, word="scaled_tanh", inputs=first.inputs), (first, tanh)


def _shuffled(last: Operation, uses: Uses) -> Found | None:
    """Channels as groups, exchanged, and as channels again."""
    if last.word != "reshape":
        return None
    swapped = uses.maker(last.inputs[0], "permute")
    first = None if swapped is None else uses.maker(swapped.inputs[0], "reshape")
    if swapped is None or first is None:
        return None
    shapes, before = uses.flat.shapes, first.inputs[0]
    batch, channels, *sizes = shapes[before]
    grouped = shapes[first.output]
    order = [0, 2, 1, *range(3, len(grouped))]
    groups = grouped[1] if len(grouped) == len(sizes) + 3 else 0
    whole = groups and [*grouped] == [batch, groups, channels // groups, *sizes]
    if not whole or [*swapped.attributes["order"]] != order or shapes[last.output] != shapes[before]:
        return None
    attributes = {"groups": groups}
    return replace(last, word="channelshuffle", inputs=(before,), attributes=attributes), (first, swapped)


def _channel_norm(last: Operation, uses: Uses) -> Found | None:
    """A normalization of the last axis between two permutations that bring the channels there and back."""
    norm = uses.maker(last.inputs[0], "layernorm") if last.word == "permute" else None
    first = None if norm is None else uses.maker(norm.inputs[0], "permute")
    if norm is None or first is None:
        return None
    axes = len(first.attributes["order"])
    there, back = [0, *range(2, axes), 1], [0, axes - 1, *range(1, axes - 1)]
    if [*first.attributes["order"]] != there or [*last.attributes["order"]] != back:
        return None
    if len(norm.attributes["shape"]) != 1:
        return None
    attributes = {**norm.attributes, "over": "channels"}
    joined = replace(norm, inputs=first.inputs, output=last.output, attributes=attributes)
    return joined, (first, norm)


def _padded_maxpool(last: Operation, uses: Uses) -> Found | None:
    """Pads of minus infinity before a maximum are its own padding if they lead to as many windows."""
    pad = uses.maker(last.inputs[0], "pad") if last.word == "maxpool" else None
    if pad is None or pad.attributes["value"] != float("-inf") or any(map(any, last.attributes["pads"])):
        return None
    before = [first for first, _ in pad.attributes["pads"]]
    a, sizes = last.attributes, uses.flat.shapes[pad.inputs[0]][2:]
    extents = [d * (k - 1) + 1 for k, d in zip(a["kernel"], a["dilation"], strict=True)]
    rows = zip(sizes, before, extents, a["stride"], strict=True)
    counts = tuple((n + 2 * pads - extent) // s + 1 for n, pads, extent, s in rows)
    if a["ceil_mode"] or counts != uses.flat.shapes[last.output][2:]:
        return None
    attributes = {**a, "pads": [(each, each) for each in before]}
    return replace(last, inputs=pad.inputs, attributes=attributes), (pad,)


def _biased(last: Operation, uses: Uses) -> Found | None:
    """A product with a matrix and the addition of a vector."""
    if last.word != "affine" or last.attributes.get("operator") != "Add":
        return None
    product = uses.maker(last.inputs[0], "linear")
    bias = last.tensors["constant"]
    if (
        product is None
        or "bias" in product.tensors
        or bias.values.shape != (uses.flat.shapes[last.output][-1],)
    ):
        return None
    return replace(product, output=last.output, tensors={**product.tensors, "bias": bias}), (product,)


_PATTERNS: Final[Sequence[Callable[[Operation, Uses], Found | None]]] = (
    _gelu,
    _gated,
    _scaled_tanh,
    _shuffled,
    _channel_norm,
    _padded_maxpool,
    _biased,
)


def simplified(flat: Flat) -> Flat:
    """Return a network in which several operations that are one kind are one operation.

    What leads to no output is left out.
    """
    while True:
        flat = _needed(flat)
        changed = _once(flat)
        if changed is None:
            return flat
        flat = changed


def _once(flat: Flat) -> Flat | None:
    """Return a network after all patterns that do not overlap; None if there are none."""
    uses = Uses(flat)
    replaced: dict[int, Operation] = {}
    gone: set[int] = set()
    for operation in flat.operations:
        for pattern in _PATTERNS:
            found = pattern(operation, uses)
            if found is None or any(id(each) in gone or id(each) in replaced for each in found[1]):
                continue
            replaced[id(operation)] = found[0]
            gone |= {id(each) for each in found[1]}
            break
    if not replaced:
        return None
    kept = [replaced.get(id(each), each) for each in flat.operations if id(each) not in gone]
    return replace(flat, operations=kept)


def _needed(flat: Flat) -> Flat:
    """Return a network without what no output needs, and without operations that pass a value on."""
    alias: dict[str, str] = {}
    kept: list[Operation] = []
    for each in flat.operations:
        inputs = tuple(alias.get(name, name) for name in each.inputs)
        if each.word == "identity" or _unchanged(each, inputs, flat.shapes):
            alias[each.output] = inputs[0]
        else:
            kept.append(replace(each, inputs=inputs))
    outputs = {key: alias.get(name, name) for key, name in flat.outputs.items()}
    needed = set(outputs.values())
    for each in reversed(kept):
        if each.output in needed:
            needed |= {*each.inputs}
    return replace(flat, operations=[each for each in kept if each.output in needed], outputs=outputs)


def _unchanged(operation: Operation, inputs: Sequence[str], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    if operation.word == "pad":
        return not any(amount for pair in operation.attributes["pads"] for amount in pair)
    return operation.word == "reshape" and shapes[inputs[0]] == shapes[operation.output]
