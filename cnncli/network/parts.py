"""A network in parts, which are computed one after another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, TypeAlias

from torch import Tensor

from cnncli.graph.schedule import Schedule
from cnncli.graph.segments import Segment
from cnncli.language.description import INPUT, OUTPUT

Output: TypeAlias = "Tensor | dict[str, Tensor]"


class Call(NamedTuple):
    """The call of a module, with the values that it reads, and those that are not needed after it.

    ``is_join`` is whether it takes a list of values.
    """

    name: str
    inputs: tuple[str, ...]
    is_join: bool
    released: tuple[str, ...]


class Part(NamedTuple):
    """A call, or those of a segment one after another: what they read, and what is read afterwards.

    ``is_segment`` is whether it was asked for, and is not the call alone that remains outside of segments.
    """

    calls: tuple[Call, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    is_segment: bool


class Parts(NamedTuple):
    """A network in parts, and its outputs by name."""

    parts: tuple[Part, ...]
    outputs: tuple[tuple[str, str], ...]


Compute: TypeAlias = Callable[[Part, Sequence[Tensor]], Sequence[Tensor]]
"""Returns the outputs of a part from its inputs."""


def parts_of(order: Schedule, segments: Collection[Segment]) -> Parts:
    """Return the parts of a network: segments, and all other calls alone."""
    released = order.released()
    calls = [
        Call(node.name, node.inputs, node.layer.joins, released.get(node.name, ())) for node in order.nodes
    ]
    inside = {place for segment in segments for place in range(*segment)}
    alone = [Segment(place, place + 1) for place in range(len(calls)) if place not in inside]
    needed = set(order.outputs.values())
    parts: list[Part] = []
    for segment in sorted((*segments, *alone), reverse=True):
        own = tuple(calls[slice(*segment)])
        made = [call.name for call in own]
        read = dict.fromkeys(name for call in own for name in call.inputs)
        inputs = tuple(name for name in read if name not in made)
        parts.append(Part(own, inputs, tuple(name for name in made if name in needed), segment in segments))
        needed |= {*inputs}
    return Parts(tuple(reversed(parts)), tuple(order.outputs.items()))


def run(plan: Parts, compute: Compute, x: Tensor) -> Output:
    """Return the outputs of a network, as its generated ``forward`` does."""
    values = {INPUT: x}
    for part in plan.parts:
        given = [values[name] for name in part.inputs]
        values |= zip(part.outputs, compute(part, given), strict=True)
        del given
        for call in part.calls:
            for name in call.released:
                values.pop(name, None)
    found = {name: values[node] for name, node in plan.outputs}
    return found[OUTPUT] if [*found] == [OUTPUT] else found
