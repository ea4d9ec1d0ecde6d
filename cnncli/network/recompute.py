"""Running a network so that the backward pass computes parts of it again, which are then not saved.

The values are those of the same operations on the same numbers, with the same random numbers, so gradients
are bit for bit the same. Running statistics change in the forward pass only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple, TypeAlias

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

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

    ``again`` is whether the backward pass computes them again.
    """

    calls: tuple[Call, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    again: bool


class Parts(NamedTuple):
    """A network in parts, and its outputs by name."""

    parts: tuple[Part, ...]
    outputs: tuple[tuple[str, str], ...]


def parts_of(order: Schedule, segments: Sequence[Segment]) -> Parts:
    """Return the parts of a network: segments that are computed again, and all other calls alone."""
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


def run(network: nn.Module, plan: Parts, x: Tensor) -> Output:
    """Return the outputs of a network, as its generated ``forward`` does."""
    values = {INPUT: x}
    for part in plan.parts:
        values |= _made(network, part, values)
        for call in part.calls:
            for name in call.released:
                values.pop(name, None)
    found = {name: values[node] for name, node in plan.outputs}
    return found[OUTPUT] if [*found] == [OUTPUT] else found


def _made(network: nn.Module, part: Part, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the values of a part that are read afterwards."""
    compute = _computing(network, part)
    given = [values[name] for name in part.inputs]
    if not part.again:
        return dict(zip(part.outputs, compute(*given), strict=True))
    norms = [each for each in _modules(network, part) if isinstance(each, _BatchNorm)]

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _with_copies(norms)

    made: Any = checkpoint(compute, *given, use_reentrant=False, context_fn=contexts)
    return dict(zip(part.outputs, made, strict=True))


def _computing(network: nn.Module, part: Part) -> Callable[..., tuple[Tensor, ...]]:
    """Return a function of the values that a part reads, which computes it and lets go of values early."""
    own = {call.name for call in part.calls}

    def compute(*given: Tensor) -> tuple[Tensor, ...]:
        values = dict(zip(part.inputs, given, strict=True))
        for call in part.calls:
            values[call.name] = _called(network, call, values)
            for name in call.released:
                if name in own:
                    del values[name]
        return tuple(values[name] for name in part.outputs)

    return compute


def _called(network: nn.Module, call: Call, values: Mapping[str, Tensor]) -> Tensor:
    module = network.get_submodule(call.name)
    if call.is_join:
        joined: Tensor = module([values[name] for name in call.inputs])
        return joined
    single: Tensor = module(values[call.inputs[0]])
    return single


def _modules(network: nn.Module, part: Part) -> Iterator[nn.Module]:
    for call in part.calls:
        yield from network.get_submodule(call.name).modules()


@contextmanager
def _with_copies(norms: Iterable[nn.Module]) -> Iterator[None]:
    """Let normalizations change copies of their running statistics, which are then dropped."""
    kept = [(norm, norm._buffers) for norm in norms]
    for norm, buffers in kept:
        norm._buffers = {name: None if each is None else each.clone() for name, each in buffers.items()}
    try:
        yield
    finally:
        for norm, buffers in kept:
            norm._buffers = buffers
